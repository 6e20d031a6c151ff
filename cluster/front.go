package cluster

import (
	"errors"
	"sync"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

var _ ws.Cluster = (*Node)(nil)

// Announce asks the swarm's owner, which may be this node. It does not wait: w gets the answer.
func (n *Node) Announce(a *tracker.Announce[ws.Handle], by ws.Proof, w ws.Waiter) {
	owner := n.members.now().owner(a.InfoHash)
	if a.Event == tracker.Stopped && owner != nil {
		n.store.Remove(a.InfoHash, a.PeerID, a.Contact) // it may be here from when the owner did not answer
	}
	question := &question{node: n, announce: *a, proof: by, waiter: w}
	if owner == nil {
		question.here()
		return
	}
	if !w.Wait() {
		n.counters.overflow.Add(1)
		question.alone()
		return
	}
	question.waits = true
	question.afar(owner)
}

// question is one announce by WebSocket, under way.
type question struct {
	node     *Node
	announce announce
	proof    ws.Proof
	waiter   ws.Waiter
	waits    bool
	replaces ws.Handle // whose peer_id the announce may have, for its node has said so
	second   bool      // that node has been asked
}

// room is for the peers chosen.
var room = sync.Pool{New: func() any { return new([tracker.MaxWant]peer) }}

// here is an announce to this node.
func (q *question) here() {
	picks := room.Get().(*[tracker.MaxWant]peer)
	defer room.Put(picks)
	counts, chosen, err, by := q.node.announceHere(&q.announce, q.replaces, picks[:0])
	q.settle(nil, counts, chosen, err, by)
}

// announceHere records a peer as the owner of its swarm. Where its peer_id is another's, by says whose.
func (n *Node) announceHere(a *announce, replaces ws.Handle, picks []peer) (_ tracker.Counts, _ []peer, err error, by ws.Handle) {
	view := n.members.now()
	a.MayReplace = func(old ws.Handle) bool {
		if old == replaces || view.byID[old.Node()] == nil {
			return true
		}
		by = old
		return false
	}
	counts, picks, err := n.store.Announce(a, picks)
	return counts, picks, err, by
}

// afar is an announce to another node.
func (q *question) afar(owner *member) {
	n := q.node
	asked := n.ask(owner, kindAnnounce, func(b []byte) []byte {
		return appendAnnounce(b, &q.announce, q.replaces)
	}, func(r *reader) {
		picks := room.Get().(*[tracker.MaxWant]peer)
		defer room.Put(picks)
		counts, chosen, err, by := r.announced(picks[:0])
		if r.bad {
			n.counters.malformed.Add(1)
			q.alone()
			return
		}
		q.settle(owner, counts, chosen, err, by)
	}, func() {
		q.alone()
		n.lookAgain()
	})
	if !asked {
		q.alone()
	}
}

// settle tells the waiter, unless the peer_id is another's: then the node of that one is asked first, but only once.
func (q *question) settle(owner *member, counts tracker.Counts, picks []peer, err error, by ws.Handle) {
	if !errors.Is(err, tracker.ErrTaken) || q.second {
		q.waiter.Announced(counts, picks, err)
		return
	}
	n := q.node
	q.replaces, q.second = by, true
	again := func(may bool) {
		switch {
		case !may:
			q.waiter.Announced(counts, nil, err)
		case owner == nil:
			q.here()
		default:
			q.afar(owner)
		}
	}
	if by.Node() == n.id {
		again(n.sockets.MayReplace(by, q.proof))
		return
	}
	to := n.members.now().byID[by.Node()]
	if to == nil {
		again(true)
		return
	}
	if !q.waits {
		if q.waits = q.waiter.Wait(); !q.waits {
			again(false)
			return
		}
	}
	asked := n.ask(to, kindReplace, func(b []byte) []byte {
		return appendProof(by.AppendTo(b), q.proof)
	}, func(r *reader) { again(r.u8() == 1) }, func() { again(false) })
	if !asked {
		again(false)
	}
}

// alone answers with what this node knows, and has the peer found by others who ask here.
func (q *question) alone() {
	n, a := q.node, &q.announce
	picks := room.Get().(*[tracker.MaxWant]peer)
	defer room.Put(picks)
	a.MayReplace = func(old ws.Handle) bool { return old.Node() != n.id || n.sockets.MayReplace(old, q.proof) }
	counts, chosen, err := n.store.Announce(a, picks[:0])
	if !errors.Is(err, tracker.ErrDenied) {
		err = nil // not a failure: the next announce is another one
	}
	q.waiter.Announced(counts, chosen, err)
}

// Remove tells the owner that a socket of this node is gone.
func (n *Node) Remove(h tracker.InfoHash, id tracker.PeerID, contact ws.Handle) {
	n.store.Remove(h, id, contact)
	owner := n.members.now().owner(h)
	if owner == nil {
		return
	}
	if b := owner.box.begin(kindRemove); b != nil {
		owner.box.end(contact.AppendTo(append(append(b, h[:]...), id[:]...)))
	}
}

// Scrape asks the owners, each once.
func (n *Node) Scrape(hashes []tracker.InfoHash, w ws.Waiter) {
	view := n.members.now()
	counts := make([]tracker.Counts, len(hashes))
	theirs := map[*member][]int{}
	for i, h := range hashes {
		if owner := view.owner(h); owner != nil {
			theirs[owner] = append(theirs[owner], i)
		} else {
			counts[i] = n.store.Counts(h)
		}
	}
	if len(theirs) == 0 {
		w.Scraped(counts)
		return
	}
	here := func(which []int) {
		for _, i := range which {
			counts[i] = n.store.Counts(hashes[i])
		}
	}
	if !w.Wait() {
		for _, which := range theirs {
			here(which)
		}
		w.Scraped(counts)
		return
	}
	var mu sync.Mutex
	missing := len(theirs)
	done := func(found func()) {
		mu.Lock()
		found()
		missing--
		last := missing == 0
		mu.Unlock()
		if last {
			w.Scraped(counts)
		}
	}
	for owner, which := range theirs {
		some := make([]tracker.InfoHash, len(which))
		for j, i := range which {
			some[j] = hashes[i]
		}
		late := func() { done(func() { here(which) }) }
		asked := n.ask(owner, kindCount, func(b []byte) []byte { return appendHashes(b, some) }, func(r *reader) {
			all := r.allCounts()
			if len(all) != len(which) {
				n.counters.malformed.Add(1)
				late()
				return
			}
			done(func() {
				for j, i := range which {
					counts[i] = all[j]
				}
			})
		}, late)
		if !asked {
			late()
		}
	}
}

// Offer passes an offer on.
func (n *Node) Offer(o *ws.Offer, message ...[]byte) {
	if o.To.Node() == n.id {
		n.deliver(o, message...)
		return
	}
	to := n.members.now().byID[o.To.Node()]
	if to == nil {
		return // gone, with its sockets
	}
	b := to.box.begin(kindOffer)
	if b == nil {
		return
	}
	b = appendOffer(b, o)
	for _, part := range message {
		b = append(b, part...)
	}
	to.box.end(b)
	n.counters.offers.Add(1)
}

// deliver gives an offer to a socket of this node.
func (n *Node) deliver(o *ws.Offer, message ...[]byte) {
	print := n.offers.print(o.InfoHash, o.Maker, o.To, o.ID)
	if n.offers.put(print, o.From); !n.sockets.Deliver(o.To, message...) {
		n.offers.take(print)
	}
}

// Answer passes an answer on to where the offer came from.
func (n *Node) Answer(h tracker.InfoHash, answerer ws.Handle, maker tracker.PeerID, offer []byte, message ...[]byte) {
	from, ok := n.offers.take(n.offers.print(h, maker, answerer, offer))
	if !ok {
		return
	}
	if from.Node() == n.id {
		n.sockets.DeliverAnswer(from, message...)
		return
	}
	to := n.members.now().byID[from.Node()]
	if to == nil {
		return
	}
	b := to.box.begin(kindAnswer)
	if b == nil {
		return
	}
	b = from.AppendTo(b)
	for _, part := range message {
		b = append(b, part...)
	}
	to.box.end(b)
	n.counters.answers.Add(1)
}

// Here says whether AnnounceAddr and CountsOf have their answer at once, as this node is the owner of all of them.
func (n *Node) Here(hashes ...tracker.InfoHash) bool {
	view := n.members.now()
	for _, h := range hashes {
		if view.owner(h) != nil {
			return false
		}
	}
	return true
}

// AnnounceAddr is tracker.Store.AnnounceAddr by the swarm's owner. It waits no longer than Deadline.
func (n *Node) AnnounceAddr(a *tracker.AddrAnnounce, picks []tracker.AddrPeer) (counts tracker.Counts, _ []tracker.AddrPeer, err error) {
	owner := n.members.now().owner(a.InfoHash)
	if owner == nil {
		return n.store.AnnounceAddr(a, picks)
	}
	done := make(chan bool, 1)
	asked := n.ask(owner, kindAddr, func(b []byte) []byte { return appendAddrAnnounce(b, a) }, func(r *reader) {
		counts, picks, err = r.addrs(picks)
		done <- !r.bad
	}, func() { done <- false })
	if asked {
		if <-done {
			return counts, picks, err
		}
		n.lookAgain()
	}
	return n.store.AnnounceAddr(a, picks[:0])
}

// CountsOf is tracker.Store.CountsOf by the swarms' owners. It waits no longer than Deadline.
func (n *Node) CountsOf(hashes []tracker.InfoHash, to []tracker.Counts) []tracker.Counts {
	w := make(patient, 1)
	n.Scrape(hashes, w)
	return append(to, <-w...)
}

// patient is a waiter that has nothing to keep.
type patient chan []tracker.Counts

func (w patient) Wait() bool                              { return true }
func (w patient) Announced(tracker.Counts, []peer, error) {}
func (w patient) Scraped(counts []tracker.Counts)         { w <- counts }
