package tracker

import (
	"math/bits"
	"math/rand/v2"
)

// Place is where a peer is, as four bytes from the widest to the narrowest: a continent, a country, a network, a part
// of that, or whatever else. Two peers are the nearer the more of the first bytes they share. 0: nobody knows.
type Place uint32

// shares is how many of the first bytes are the same, from 0 to 4.
func (p Place) shares(q Place) int {
	if p == 0 || q == 0 {
		return 0
	}
	return bits.LeadingZeros32(uint32(p^q)) / 8
}

// looks is how many more peers are looked at than are chosen.
const looks = 32

// locate notes where the peer at i is.
func (g *group[C]) locate(i int, at Place) {
	if g.where == nil {
		if at == 0 {
			return
		}
		g.where = make([]Place, len(g.peers), cap(g.peers))
	}
	g.where[i] = at
}

// located is where the peer at i is.
func (g *group[C]) located(i int) Place {
	if g.where == nil {
		return 0
	}
	return g.where[i]
}

// nearest chooses half of the peers at random and half for being near: the nearest of a sample, for whose sake the
// whole swarm need not be looked through. The random half keeps the swarm in one piece. If all were told of their
// neighbours only, those of one country would be an island, which no new piece reaches.
//
//	sample of n + looks:  [ ? ? ? │ near near │ … ]
//	                        random   nearest of the rest
func (g *group[C]) nearest(self int, at Place, from, n int, picks []int32) []int32 {
	if n <= 0 {
		return picks
	}
	var room [MaxWant + looks]int32
	sample := g.draw(self, from, len(g.peers), n+looks, room[:0])
	if len(sample) <= n {
		return append(picks, sample...)
	}
	// The set is random, its order is not.
	rand.Shuffle(len(sample), func(i, j int) { sample[i], sample[j] = sample[j], sample[i] })
	for i := (n + rand.IntN(2)) / 2; i < n; i++ {
		best, most := i, -1
		for j, p := range sample[i:] {
			if s := at.shares(g.where[p]); s > most {
				best, most = i+j, s
			}
		}
		sample[i], sample[best] = sample[best], sample[i]
	}
	return append(picks, sample[:n]...)
}
