package ws

import (
	"net/netip"
	"sync"
)

// addresses counts sockets by where they come from: an IPv4 address or an IPv6 /64, which is what one household or
// one rented machine has. Loopback is this very machine, or a proxy on it that does not say for whom it asks.
type addresses struct {
	mu    sync.Mutex
	count map[netip.Prefix]int
}

func network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}

// enter says whether one more socket is within the limit; if so, leave must be called when it has ended.
func (s *addresses) enter(a netip.Addr, limit int) bool {
	if a.IsLoopback() {
		return true
	}
	p := network(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count[p] >= limit {
		return false
	}
	if s.count == nil {
		s.count = make(map[netip.Prefix]int)
	}
	s.count[p]++
	return true
}

func (s *addresses) leave(a netip.Addr) {
	if a.IsLoopback() {
		return
	}
	p := network(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count[p]--; s.count[p] <= 0 {
		delete(s.count, p)
	}
}
