package tracker

import "time"

// OfferTTL is how long an answer to an offer is passed on. Clients give up on an offer after 50 s.
const OfferTTL = 120 * time.Second

// offers remembers which offers are outstanding, by a fingerprint of who made it to whom in which swarm. Two
// generations that take turns forget thousands at once, without a timer or a queue.
type offers struct {
	young, old map[uint64]tick
	turned     tick
}

// put returns how many entries came to be (or, negative, were forgotten).
func (o *offers) put(print uint64, now tick) (change int) {
	change = o.turn(now)
	if o.young == nil {
		o.young = make(map[uint64]tick)
	}
	before := len(o.young)
	o.young[print] = now
	return change + len(o.young) - before
}

// take forgets an offer and says whether it was outstanding.
func (o *offers) take(print uint64, now tick) (outstanding bool, change int) {
	for _, m := range [2]map[uint64]tick{o.young, o.old} {
		if made, ok := m[print]; ok {
			delete(m, print)
			change--
			outstanding = outstanding || now-made < ticks(OfferTTL)
		}
	}
	return outstanding, change
}

// turn makes the young generation the old one when it has lasted as long as an offer does.
func (o *offers) turn(now tick) (change int) {
	if now-o.turned < ticks(OfferTTL) {
		return 0
	}
	return o.next(now)
}

// next forgets the old generation for the young one.
func (o *offers) next(now tick) (change int) {
	change = -len(o.old)
	// A fresh map rather than a cleared one: what a busy hour needed is given back.
	o.old, o.young, o.turned = o.young, nil, now
	return change
}
