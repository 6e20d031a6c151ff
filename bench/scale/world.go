package main

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"github.com/starling-p2p/starling/cluster"
	"github.com/starling-p2p/starling/tracker"
)

// world is who is where.
type world struct {
	setup
	random *rand.Rand
	ids    []uint32
	swarms []swarm
	// Viewers of one swarm have numbers in a row.
	swarmOf []uint32
	nodeOf  []uint16 // of the viewer's socket
}

type swarm struct {
	hash        tracker.InfoHash
	first, size int // viewers
	owner       int
}

func newWorld(s setup) *world {
	w := &world{setup: s, random: rand.New(rand.NewPCG(s.seed, uint64(s.nodes)))}
	for range s.nodes {
		w.ids = append(w.ids, w.random.Uint32())
	}
	w.swarmOf, w.nodeOf = make([]uint32, s.viewers), make([]uint16, s.viewers)
	for first := 0; first < s.viewers; {
		size := int(float64(s.hot) / math.Pow(float64(len(w.swarms)+1), s.zipf))
		size = min(max(size, 1), s.viewers-first)
		var h tracker.InfoHash
		for i := 0; i < len(h); i += 4 {
			binary.BigEndian.PutUint32(h[i:], w.random.Uint32())
		}
		for v := first; v < first+size; v++ {
			w.swarmOf[v] = uint32(len(w.swarms))
			w.nodeOf[v] = uint16(w.random.IntN(s.nodes))
		}
		w.swarms = append(w.swarms, swarm{hash: h, first: first, size: size})
		first += size
	}
	for i, owner := range w.owners(w.ids) {
		w.swarms[i].owner = owner
	}
	return w
}

// owners is who of some nodes owns each swarm.
func (w *world) owners(ids []uint32) []int {
	all, of := make([]int, len(w.swarms)), cluster.NewOwners(ids)
	for i := range w.swarms {
		all[i] = of.Of(w.swarms[i].hash)
	}
	return all
}

// other is another viewer of a swarm, chosen at random; there are several.
func (w *world) other(s *swarm, than int) int {
	v := s.first + w.random.IntN(s.size-1)
	if v >= than {
		v++
	}
	return v
}
