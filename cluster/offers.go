package cluster

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// offers remembers whose the offers are that sockets of this node have been sent. As in a tracker.Store, an offer is a
// fingerprint that nobody can forge, as the seed is random, and two generations forget thousands at once.
type offers struct {
	seed  maphash.Seed
	limit int

	mu         sync.Mutex
	young, old map[uint64]origin
	start      time.Time
	turned     time.Duration
}

// origin has no pointers, for there are many.
type origin struct {
	maker ws.Handle
	made  uint32 // in seconds since the start
}

func (o *offers) print(h tracker.InfoHash, maker tracker.PeerID, to ws.Handle, id []byte) uint64 {
	var room [20 + 20 + ws.HandleSize + 8]byte
	b := to.AppendTo(append(append(room[:0], h[:]...), maker[:]...))
	return maphash.Bytes(o.seed, binary.BigEndian.AppendUint64(b, maphash.Bytes(o.seed, id)))
}

func (o *offers) put(print uint64, maker ws.Handle) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.turn()
	o.young[print] = origin{maker, uint32(now / time.Second)}
}

// turn makes the young generation the old one when that has lasted as long as an offer does, or is half of what there may
// be. The offers are locked.
func (o *offers) turn() (now time.Duration) {
	now = time.Since(o.start)
	if o.young == nil || now-o.turned >= tracker.OfferTTL || len(o.young) >= o.limit/2 {
		o.old, o.young, o.turned = o.young, map[uint64]origin{}, now
	}
	return now
}

// take forgets an offer and tells whose it was, if it was outstanding.
func (o *offers) take(print uint64) (maker ws.Handle, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range [...]map[uint64]origin{o.young, o.old} {
		if of, known := m[print]; known {
			delete(m, print)
			return of.maker, time.Since(o.start)-time.Duration(of.made)*time.Second < tracker.OfferTTL
		}
	}
	return maker, false
}

// sweep forgets what nobody answered.
func (o *offers) sweep() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn()
}

func (o *offers) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.young) + len(o.old)
}
