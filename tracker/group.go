package tracker

import (
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Up to this many peers a scan of the slice is as fast as a map, and much smaller: most swarms have no index.
const indexAbove = 8

type record[C comparable] struct {
	id      PeerID
	contact C
	seen    tick
}

// group is the peers of a swarm that are reached in one way. It keeps them in one slice, seeders first, so that a
// choice among all or among leechers alone is a choice in a range, and to join, leave or change sides is a swap or two:
//
//	peers: [ S S S │ L L L L L ]
//	        seeders┘
//
// A nil group is an empty one.
type group[C comparable] struct {
	peers   []record[C]
	index   map[PeerID]int32 // nil while there are few peers
	where   []Place          // beside peers, to be looked through without them; nil while none is known
	seeders int
}

func (g *group[C]) len() int {
	if g == nil {
		return 0
	}
	return len(g.peers)
}

func (g *group[C]) part() Part {
	if g == nil {
		return Part{}
	}
	return Part{Seeders: g.seeders, Leechers: len(g.peers) - g.seeders}
}

// find returns the place of a peer, or -1.
func (g *group[C]) find(id PeerID) int {
	switch {
	case g == nil:
		return -1
	case g.index != nil:
		if i, ok := g.index[id]; ok {
			return int(i)
		}
		return -1
	}
	for i := range g.peers {
		if g.peers[i].id == id {
			return i
		}
	}
	return -1
}

// standing is what the peer at i is; at -1 there is none.
func (g *group[C]) standing(i int) standing {
	switch {
	case i < 0:
		return absent
	case i < g.seeders:
		return seeder
	}
	return leecher
}

// add appends a leecher and returns its place.
func (g *group[C]) add(r record[C]) int {
	g.peers = append(g.peers, r)
	if g.where != nil {
		g.where = append(g.where, 0)
	}
	i := len(g.peers) - 1
	switch {
	case g.index != nil:
		g.index[r.id] = int32(i)
	case len(g.peers) > indexAbove:
		g.reindex()
	}
	return i
}

func (g *group[C]) reindex() {
	g.index = make(map[PeerID]int32, 2*len(g.peers))
	for i := range g.peers {
		g.index[g.peers[i].id] = int32(i)
	}
}

// seed makes the peer at i a seeder, or a leecher, and returns its new place.
func (g *group[C]) seed(i int, seeder bool) int {
	switch was := i < g.seeders; {
	case seeder && !was:
		g.swap(i, g.seeders)
		g.seeders++
		return g.seeders - 1
	case !seeder && was:
		g.seeders--
		g.swap(i, g.seeders)
		return g.seeders
	}
	return i
}

func (g *group[C]) remove(i int) {
	i = g.seed(i, false)
	last := len(g.peers) - 1
	g.swap(i, last)
	if g.index != nil {
		delete(g.index, g.peers[last].id)
	}
	g.peers = g.peers[:last]
	if g.where != nil {
		g.where = g.where[:last]
	}
	if last <= indexAbove/2 {
		g.index = nil
	}
	if cap(g.peers) > 4*indexAbove && last < cap(g.peers)/4 {
		// A crowd has gone: give its memory back. A map never shrinks, so it is made anew.
		g.peers = append(make([]record[C], 0, 2*last), g.peers...)
		if g.where != nil {
			g.where = append(make([]Place, 0, 2*last), g.where...)
		}
		if g.index != nil {
			g.reindex()
		}
	}
}

func (g *group[C]) swap(i, j int) {
	if i == j {
		return
	}
	g.peers[i], g.peers[j] = g.peers[j], g.peers[i]
	if g.where != nil {
		g.where[i], g.where[j] = g.where[j], g.where[i]
	}
	if g.index != nil {
		g.index[g.peers[i].id] = int32(i)
		g.index[g.peers[j].id] = int32(j)
	}
}

// expire removes the peers last seen before a time, and tells of each before it goes.
func (g *group[C]) expire(before tick, gone func(*record[C], standing)) {
	if g == nil {
		return
	}
	for i := len(g.peers) - 1; i >= 0; i-- {
		if g.peers[i].seen < before {
			gone(&g.peers[i], g.standing(i))
			// What remove moves into place i comes from behind it, where all have been looked at.
			g.remove(i)
		}
	}
}

// choose appends the indices of up to n other peers for the one at self, which is at a place: distinct, and never a
// seeder for a seeder. At -1, self is one that is not here.
func (g *group[C]) choose(self int, is standing, at Place, n int, picks []int32) []int32 {
	if g == nil {
		return picks
	}
	first := 0
	if is == seeder {
		first = g.seeders
	}
	if at != 0 && g.where != nil {
		return g.nearest(self, at, first, n, picks)
	}
	return g.draw(self, first, len(g.peers), n, picks)
}

// mostSeen is how many places draw can tell apart at once.
const mostSeen = 1024

// draw is choose among [from, end), each as likely as any other. Floyd's sampling: n draws, whatever the size of the group.
func (g *group[C]) draw(self, from, end, n int, places []int32) []int32 {
	if n <= 0 {
		return places
	}
	others, hole := end-from, end
	if from <= self && self < end {
		others, hole = others-1, self
	}
	// place is that of the i-th peer from a place on, not counting self.
	place := func(i int) int32 {
		i += from
		if i >= hole {
			i++
		}
		return int32(i)
	}
	if n >= others {
		for i := range others {
			places = append(places, place(i))
		}
		return places
	}
	places = slices.Grow(places, n)
	picks := places[len(places) : len(places)+n]
	var seen [mostSeen / 64]uint64 // of a place, by its last bits: spares most of the comparisons, or all
	all := end <= mostSeen
	dice := rand.Uint64()
	for i := range picks {
		j := others - n + i
		dice += 0x9e3779b97f4a7c15
		p := place(below(dice, uint32(j+1)))
		word, bit := &seen[uint32(p)%mostSeen/64], uint64(1)<<(p&63)
		if *word&bit != 0 && (all || slices.Contains(picks[:i], p)) {
			p = place(j)
			word, bit = &seen[uint32(p)%mostSeen/64], uint64(1)<<(p&63)
		}
		*word |= bit
		picks[i] = p
	}
	return places[:len(places)+n]
}

// below makes a number below n, from one that was random at first and then went up: wyrand. To ask the system's own
// generator for each would take longer than the rest of a choice.
func below(dice uint64, n uint32) int {
	high, low := bits.Mul64(dice, dice^0xe7037ed1a0b428db)
	return int(uint64(uint32(high^low)) * uint64(n) >> 32)
}
