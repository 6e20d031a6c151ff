package main

import "slices"

// moved is what a change of nodes means.
type moved struct{ sockets, swarms, peers, bytes float64 }

// change is what happens when one node dies, on average over all nodes and where it is the owner of the greatest swarm,
// and when one joins, on average over a few.
func (w *world) change() (death, worst, join moved) {
	of := make([]moved, w.nodes)
	for _, node := range w.nodeOf {
		of[node].sockets++
	}
	for i := range w.swarms {
		of[w.swarms[i].owner].add(&w.swarms[i])
	}
	for _, m := range of {
		death.sum(m, w.nodes)
	}
	worst = of[w.swarms[0].owner]
	const joins = 10
	for range joins {
		for i, owner := range w.owners(append(slices.Clip(w.ids), w.random.Uint32())) {
			if owner == w.nodes {
				var m moved
				m.add(&w.swarms[i])
				join.sum(m, joins)
			}
		}
	}
	return death, worst, join
}

func (m *moved) add(s *swarm) {
	m.swarms++
	m.peers += float64(s.size)
	m.bytes += swarmInHand + float64(s.size)*peerInHand
}

func (m *moved) sum(o moved, of int) {
	m.sockets += o.sockets / float64(of)
	m.swarms += o.swarms / float64(of)
	m.peers += o.peers / float64(of)
	m.bytes += o.bytes / float64(of)
}
