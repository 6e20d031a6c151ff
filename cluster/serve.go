package cluster

import (
	"encoding/binary"

	"github.com/starling-p2p/starling/tracker"
)

// understands says whether a message is of this version, and warns once of each other one.
func (n *Node) understands(b []byte) bool {
	if len(b) > 0 && b[0] == version {
		return true
	}
	n.counters.unknown.Add(1)
	if len(b) > 0 && !n.warned[b[0]].Swap(true) {
		n.options.Log.Warn("a node of the cluster speaks another version, and is not heard: run the same major version of Starling on all",
			"its version", b[0], "ours", version)
	}
	return false
}

// receive takes a batch to the lane of its sender. If that is behind, the bus has to wait.
func (n *Node) receive(b []byte) {
	if !n.understands(b) {
		return
	}
	if len(b) < batchHead {
		n.counters.malformed.Add(1)
		return
	}
	select {
	case n.lanes[b[batchHead-1]%lanes] <- b:
	case <-n.stop:
	}
}

func (n *Node) work(lane <-chan []byte) {
	for {
		select {
		case <-n.stop:
			return
		case b := <-lane:
			n.batch(b)
		}
	}
}

// batch does what each item says.
func (n *Node) batch(b []byte) {
	from, b := binary.BigEndian.Uint32(b[1:]), b[batchHead:]
	for len(b) >= itemHead {
		size := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if size > len(b)-itemHead {
			break
		}
		r := reader{b: b[itemHead : itemHead+size]}
		n.item(from, b[0], &r)
		if r.bad {
			n.counters.malformed.Add(1)
		}
		b = b[itemHead+size:]
	}
	if len(b) > 0 {
		n.counters.malformed.Add(1)
	}
}

func (n *Node) item(from uint32, kind byte, r *reader) {
	switch kind {
	case kindAnnounce:
		n.announced(from, r)
	case kindAddr:
		n.addrAnnounced(from, r)
	case kindCount:
		n.scraped(from, r)
	case kindReplace:
		number, old, by := r.u32(), r.handle(), r.proof()
		if r.bad {
			return
		}
		yes := byte(0)
		if n.sockets.MayReplace(old, by) {
			yes = 1
		}
		n.reply(from, kindReplaced, number, func(b []byte) []byte { return append(b, yes) })
	case kindHand:
		number, given := r.u32(), r.handed()
		if r.bad {
			return
		}
		n.store.Give(&given)
		if n.members.now().owner(given.InfoHash) != nil {
			n.lookAgain()
		}
		n.reply(from, kindTaken, number, func(b []byte) []byte { return b })
	case kindAnnounced, kindAddrs, kindCounted, kindReplaced, kindTaken:
		if q := n.asks.take(r.u32(), kind); q != nil {
			q.answered(r)
		}
	case kindRemove:
		h, id, contact := r.infoHash(), r.peerID(), r.handle()
		if !r.bad {
			n.store.Remove(h, id, contact)
		}
	case kindOffer:
		if o := r.offer(); !r.bad {
			n.deliver(&o, r.b)
		}
	case kindAnswer:
		if to := r.handle(); !r.bad {
			n.sockets.DeliverAnswer(to, r.b)
		}
	case kindHello:
		n.members.receive(r.b)
	}
}

// reply answers a question.
func (n *Node) reply(to uint32, kind byte, number uint32, body func(b []byte) []byte) {
	m := n.members.meet(to)
	if m == nil {
		return
	}
	if b := m.box.begin(kind); b != nil {
		m.box.end(body(binary.BigEndian.AppendUint32(b, number)))
	}
}

func (n *Node) announced(from uint32, r *reader) {
	number := r.u32()
	a, replaces := r.announce()
	if r.bad {
		return
	}
	picks := room.Get().(*[tracker.MaxWant]peer)
	defer room.Put(picks)
	counts, chosen, err, by := n.announceHere(&a, replaces, picks[:0])
	n.reply(from, kindAnnounced, number, func(b []byte) []byte { return appendAnnounced(b, counts, chosen, err, by) })
}

func (n *Node) addrAnnounced(from uint32, r *reader) {
	number, a := r.u32(), r.addrAnnounce()
	if r.bad {
		return
	}
	var picks [tracker.MaxWant]tracker.AddrPeer
	counts, chosen, err := n.store.AnnounceAddr(&a, picks[:0])
	n.reply(from, kindAddrs, number, func(b []byte) []byte { return appendAddrs(b, counts, chosen, err) })
}

func (n *Node) scraped(from uint32, r *reader) {
	number, hashes := r.u32(), r.hashes()
	if r.bad {
		return
	}
	counts := n.store.CountsOf(hashes, nil)
	n.reply(from, kindCounted, number, func(b []byte) []byte { return appendAllCounts(b, counts) })
}
