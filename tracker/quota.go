package tracker

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
)

// cells is how many counters a quota has: half a megabyte, and with four million peers some sixty in each.
const cells = 1 << 16

// quota bounds the peers of one network without an entry for each network: every network has two counters, which it
// shares with a few others that a random seed picks, and is above its limit when both are. So its count may be a
// little too high, never too low, and nobody can aim at somebody else's.
type quota struct {
	limit  int32
	seed   maphash.Seed
	counts [2][cells]atomic.Int32
}

// Network is what one household or one rented machine has: an IPv4 address, or an IPv6 /64.
func Network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.WithZone("").Prefix(bits) // both fit
	return p
}

func (q *quota) of(a netip.Addr) (x, y *atomic.Int32) {
	b := Network(a).Addr().As16()
	h := maphash.Bytes(q.seed, b[:])
	return &q.counts[0][h%cells], &q.counts[1][h>>32%cells]
}

// enter counts one more peer, unless that is above the limit.
func (q *quota) enter(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	x, y := q.of(a)
	if x.Load() >= q.limit && y.Load() >= q.limit {
		return false
	}
	x.Add(1)
	y.Add(1)
	return true
}

// move counts a peer that has moved here, whatever the limit.
func (q *quota) move(a netip.Addr) { q.add(a, 1) }

func (q *quota) leave(a netip.Addr) { q.add(a, -1) }

func (q *quota) add(a netip.Addr, n int32) {
	if a.IsLoopback() {
		return
	}
	x, y := q.of(a)
	x.Add(n)
	y.Add(n)
}
