package cluster

import "github.com/starling-p2p/starling/tracker"

// Owners tells who would own swarms among some nodes, for plans and simulations. For concurrent use.
type Owners struct {
	view  view
	place map[*member]int
}

// NewOwners is of nodes by their ids, which are random numbers.
func NewOwners(ids []uint32) *Owners {
	o := &Owners{place: make(map[*member]int, len(ids))}
	for i, id := range ids {
		m := &member{id: id, mixed: mix(uint64(id))}
		o.view.owners = append(o.view.owners, m)
		o.place[m] = i
	}
	return o
}

// Of returns which of the nodes owns a swarm: its place in what NewOwners was given; -1 if there are none.
func (o *Owners) Of(h tracker.InfoHash) int {
	if m := o.view.owner(h); m != nil {
		return o.place[m]
	}
	return -1
}
