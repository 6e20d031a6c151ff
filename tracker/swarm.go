package tracker

import "math/rand/v2"

// Up to this many peers a scan of the slice is as fast as a map, and much smaller: most swarms have no index.
const indexAbove = 8

type record[C comparable] struct {
	id      PeerID
	contact C
	seen    tick
}

// swarm keeps its peers in one slice, seeders first, so that a choice among all or among leechers alone is a choice
// in a range, and to join, leave or change sides is a swap or two:
//
//	peers: [ S S S │ L L L L L ]
//	        seeders┘
type swarm[C comparable] struct {
	peers      []record[C]
	index      map[PeerID]int32 // nil while there are few peers
	seeders    int
	downloaded int
}

func (w *swarm[C]) counts() Counts {
	return Counts{Seeders: w.seeders, Leechers: len(w.peers) - w.seeders, Downloaded: w.downloaded}
}

// find returns the place of a peer, or -1.
func (w *swarm[C]) find(id PeerID) int {
	if w.index != nil {
		if i, ok := w.index[id]; ok {
			return int(i)
		}
		return -1
	}
	for i := range w.peers {
		if w.peers[i].id == id {
			return i
		}
	}
	return -1
}

// add appends a leecher and returns its place.
func (w *swarm[C]) add(r record[C]) int {
	w.peers = append(w.peers, r)
	i := len(w.peers) - 1
	switch {
	case w.index != nil:
		w.index[r.id] = int32(i)
	case len(w.peers) > indexAbove:
		w.reindex()
	}
	return i
}

func (w *swarm[C]) reindex() {
	w.index = make(map[PeerID]int32, 2*len(w.peers))
	for i := range w.peers {
		w.index[w.peers[i].id] = int32(i)
	}
}

// seed makes the peer at i a seeder, or a leecher, and returns its new place.
func (w *swarm[C]) seed(i int, seeder bool) int {
	switch was := i < w.seeders; {
	case seeder && !was:
		w.swap(i, w.seeders)
		w.seeders++
		return w.seeders - 1
	case !seeder && was:
		w.seeders--
		w.swap(i, w.seeders)
		return w.seeders
	}
	return i
}

func (w *swarm[C]) remove(i int) {
	i = w.seed(i, false)
	last := len(w.peers) - 1
	w.swap(i, last)
	if w.index != nil {
		delete(w.index, w.peers[last].id)
	}
	w.peers = w.peers[:last]
	if last <= indexAbove/2 {
		w.index = nil
	}
	if cap(w.peers) > 4*indexAbove && last < cap(w.peers)/4 {
		// A crowd has gone: give its memory back. A map never shrinks, so it is made anew.
		w.peers = append(make([]record[C], 0, 2*last), w.peers...)
		if w.index != nil {
			w.reindex()
		}
	}
}

func (w *swarm[C]) swap(i, j int) {
	if i == j {
		return
	}
	w.peers[i], w.peers[j] = w.peers[j], w.peers[i]
	if w.index != nil {
		w.index[w.peers[i].id] = int32(i)
		w.index[w.peers[j].id] = int32(j)
	}
}

// expire removes the peers last seen before a time.
func (w *swarm[C]) expire(before tick) (removed int) {
	for i := len(w.peers) - 1; i >= 0; i-- {
		if w.peers[i].seen < before {
			// What remove moves into place i comes from behind it, where all have been looked at.
			w.remove(i)
			removed++
		}
	}
	return removed
}

// choose appends up to n other peers for the one at self: distinct, each as likely as any other, and never a seeder
// for a seeder. Floyd's sampling: n draws, whatever the size of the swarm.
func (w *swarm[C]) choose(self, n int, to []Peer[C]) []Peer[C] {
	from, others := 0, len(w.peers)-1
	if self < w.seeders {
		from, others = w.seeders, len(w.peers)-w.seeders
	}
	n = min(n, others)
	first := len(to)
	for j := others - n; j < others; j++ {
		p := w.at(from, self, rand.IntN(j+1))
		for i := first; i < len(to); i++ {
			if to[i].ID == p.id {
				p = w.at(from, self, j)
				break
			}
		}
		to = append(to, Peer[C]{ID: p.id, Contact: p.contact})
	}
	return to
}

// at returns the i-th peer from a place on, not counting self.
func (w *swarm[C]) at(from, self, i int) *record[C] {
	i += from
	if self >= from && i >= self {
		i++
	}
	return &w.peers[i]
}
