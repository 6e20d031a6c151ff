package cluster

import (
	"context"
	"iter"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

const (
	// houseEvery is how often a node looks for swarms that should be others': those that it answered for when their
	// owners did not.
	houseEvery = 30 * time.Second
	// handful is the most peers in one item, some 20 kB.
	handful = 500
	// handing is how many items are on their way at once: about a megabyte, whatever there is to hand over.
	handing = 64
)

// house removes the peers whose nodes are gone, and hands over what is others', whenever somebody comes or goes.
func (n *Node) house() {
	t := time.NewTicker(houseEvery)
	defer t.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n.workers.Go(func() {
		select {
		case <-n.stop:
			cancel()
		case <-ctx.Done():
		}
	})
	for {
		select {
		case <-n.stop:
			return
		case <-t.C:
			n.offers.sweep()
		case <-n.members.changed:
		}
		if gone := n.members.takeGone(); len(gone) > 0 {
			n.store.RemoveWhere(func(c ws.Handle) bool { return gone[c.Node()] })
		}
		n.handAll(ctx)
	}
}

// lookAgain has the house look for swarms that are others' when a beat has passed: one was given that is not this node's,
// by somebody who has not heard of all yet, or one's owner did not answer. Not at once, for else two might go on giving it
// to each other.
func (n *Node) lookAgain() {
	if n.looking.Swap(true) {
		return
	}
	time.AfterFunc(n.options.Beat, func() {
		n.looking.Store(false)
		n.members.notify()
	})
}

// handAll hands over the swarms that are others', and returns when that is done, or when the context ends. What nobody
// has taken stays here. One at a time: a node that leaves must not be gone before what its house has on the way is taken.
func (n *Node) handAll(ctx context.Context) {
	select {
	case n.hands <- struct{}{}:
		defer func() { <-n.hands }()
	case <-ctx.Done():
		return
	}
	under := make(chan struct{}, handing)
	done := func() { <-under }
	n.store.Each(func(h tracker.InfoHash) {
		owner := n.members.now().owner(h)
		if owner == nil || ctx.Err() != nil {
			return
		}
		whole, _ := n.store.Take(h)
		for part := range parts(whole) {
			select {
			case under <- struct{}{}:
				n.hand(owner, part, done)
			case <-ctx.Done():
				n.store.Give(part)
			}
		}
	})
	for range handing {
		select {
		case under <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// parts splits a swarm into pieces that fit into an item.
func parts(whole handed) iter.Seq[*handed] {
	return func(yield func(*handed) bool) {
		for len(whole.Web)+len(whole.Addr) > 0 {
			part := whole
			part.Web = whole.Web[:min(len(whole.Web), handful)]
			part.Addr = whole.Addr[:min(len(whole.Addr), handful-len(part.Web))]
			whole.Web, whole.Addr = whole.Web[len(part.Web):], whole.Addr[len(part.Addr):]
			if !yield(&part) {
				return
			}
		}
	}
}

// hand gives a node a part of a swarm, or, where it does not take that, keeps it.
func (n *Node) hand(to *member, part *handed, done func()) {
	keep := func() {
		n.store.Give(part)
		n.lookAgain()
		done()
	}
	asked := n.ask(to, kindHand, func(b []byte) []byte { return appendHanded(b, part) }, func(*reader) {
		n.counters.handed.Add(uint64(len(part.Web) + len(part.Addr)))
		done()
	}, keep)
	if !asked {
		keep()
	}
}
