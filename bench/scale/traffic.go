package main

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// What is counted for each node and second.
const (
	announced  = iota // announces of its own sockets
	questioned        // questions of other nodes about swarms that it owns
	socketIn          // bytes
	socketOut
	busItems // that it sends
	busOut   // bytes
	busIn
	busTo // other nodes that it sends to, in this second
	rows
)

var names = [rows]string{
	"announces of its sockets, per second", "questions to it as owner, per second", "from sockets, kB/s", "to sockets, kB/s",
	"items to other nodes, per second", "bytes to other nodes, kB/s", "bytes from other nodes, kB/s", "other nodes that it sends to, in a second",
}

// inBytes are those that are printed in kB.
var inBytes = [rows]bool{socketIn: true, socketOut: true, busOut: true, busIn: true}

// Bytes of messages: by WebSocket as tracker/ws writes them, with their frames, and of the items that package cluster
// draws. SDPs are to be added.
const (
	askSize     = 4 + 4 + 20 + 20 + 12 + 1 + 1 + 2 + 4 + 12
	askedSize   = 4 + 4 + 1 + 36 + 12 + 2
	pickSize    = 20 + 12
	offerItem   = 4 + 20 + 20 + 12 + 12 + 2 + 20
	answerItem  = 4 + 12
	peerInHand  = 20 + 12 + 1 + 4
	swarmInHand = 4 + 4 + 20 + 4 + 2 + 2

	announceText = 240 // without offers
	offerText    = 80  // around an SDP, in an announce
	replyText    = 110
	relayText    = 190 // around an SDP that is passed on
)

type traffic struct {
	*world
	cells              []float64 // by second, node and row
	announces          int
	relayed, crossed   int // offers and answers
	questions, busyMax int
	to                 []uint64 // of each node, a bit for each other one
}

func (t *traffic) add(second, node, row int, v float64) {
	t.cells[(second*t.nodes+node)*rows+row] += v
}

// run follows the announces of some seconds: of all viewers once in an interval, and of those who come, or leave.
func (w *world) run() *traffic {
	t := &traffic{world: w, cells: make([]float64, w.seconds*w.nodes*rows), to: make([]uint64, w.nodes*w.words())}
	perSecond := float64(w.viewers) * (1/w.interval + 2/w.stay)
	leaving := (1 / w.stay) / (1/w.interval + 2/w.stay)
	asked := make([]int, w.nodes)
	for second := range w.seconds {
		for range w.poisson(perSecond) {
			offers := w.offers
			if w.random.Float64() < leaving {
				offers = 0
			}
			t.announce(second, w.random.IntN(w.viewers), offers, asked)
		}
		t.neighbours(second)
	}
	t.busyMax = slices.Max(asked)
	return t
}

func (w *world) poisson(mean float64) int {
	return max(0, int(math.Round(mean+math.Sqrt(mean)*w.random.NormFloat64()))) // for so many it is a normal distribution
}

func (t *traffic) announce(second, viewer, offers int, asked []int) {
	swarm := &t.swarms[t.swarmOf[viewer]]
	x, y := int(t.nodeOf[viewer]), swarm.owner
	picks := min(offers, swarm.size-1)
	t.announces++
	t.questions++
	asked[y]++
	t.add(second, x, announced, 1)
	t.add(second, x, socketIn, float64(announceText+offers*(offerText+t.sdp)))
	t.add(second, x, socketOut, replyText)
	if x != y {
		t.add(second, y, questioned, 1)
		t.bus(second, x, y, askSize)
		t.bus(second, y, x, askedSize+picks*pickSize)
	}
	for range picks {
		z := int(t.nodeOf[t.other(swarm, viewer)])
		relay := float64(relayText + t.sdp)
		t.add(second, z, socketOut, relay)          // the offer
		t.add(second, z, socketIn, relay+offerText) // the answer
		t.add(second, x, socketOut, relay)          // which is passed on
		t.relayed += 2
		if z != x {
			t.crossed += 2
			t.bus(second, x, z, offerItem+relayText+t.sdp)
			t.bus(second, z, x, answerItem+relayText+t.sdp)
		}
	}
}

func (t *traffic) bus(second, from, to, size int) {
	t.add(second, from, busItems, 1)
	t.add(second, from, busOut, float64(size))
	t.add(second, to, busIn, float64(size))
	t.to[from*t.words()+to/64] |= 1 << (to % 64)
}

func (w *world) words() int { return (w.nodes + 63) / 64 }

// neighbours counts with whom each node had to do in a second.
func (t *traffic) neighbours(second int) {
	for i, word := range t.to {
		t.add(second, i/t.words(), busTo, float64(bits.OnesCount64(word)))
	}
	clear(t.to)
}

// busiest is the share of all questions, at home or not, that the busiest owner was asked.
func (t *traffic) busiest() float64 { return float64(t.busyMax) / float64(max(1, t.questions)) }

// spread is over all nodes and seconds.
type spread struct {
	mean, p99, most float64
	thousands       bool
}

func (t *traffic) spread(row int) spread {
	all := make([]float64, 0, t.seconds*t.nodes)
	sum := 0.0
	for i := row; i < len(t.cells); i += rows {
		all = append(all, t.cells[i])
		sum += t.cells[i]
	}
	slices.Sort(all)
	return spread{sum / float64(len(all)), all[(len(all)-1)*99/100], all[len(all)-1], inBytes[row]}
}

func (s spread) String() string {
	unit := 1.0
	if s.thousands {
		unit = 1000
	}
	round := func(v float64) string { return count(math.Round(v / unit)) }
	return fmt.Sprintf("%s, %s, %s", round(s.mean), round(s.p99), round(s.most))
}
