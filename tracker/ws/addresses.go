package ws

import (
	"net/netip"
	"sync"
)

const (
	// What one address may send: so many messages per second, and so many at once. Beyond that its sockets are read
	// slowly; nothing is lost. It is enough for a thousand people behind one address who all come back at once.
	messageRate  = 2_000
	messageBurst = 20_000
	// maxPeers is the most peers that the sockets of one address stand for.
	maxPeers = 1 << 16
)

// addresses counts by where sockets come from: an IPv4 address or an IPv6 /64, which is what one household or one
// rented machine has. Loopback is this very machine, or a proxy on it that does not say for whom it asks.
type addresses struct {
	mu  sync.Mutex
	all map[netip.Prefix]*source
	// left have no sockets any more, but sent too much to be forgotten: else one could come back and send as much again.
	left map[netip.Prefix]*source
}

// source is one address that has sockets, or had some lately. Nil is loopback: unlimited.
type source struct {
	prefix  netip.Prefix
	sockets int // guarded by addresses.mu

	mu    sync.Mutex
	peers int
	spent int64 // messages, minus what time has given back
	paid  uint32
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
func (s *addresses) enter(a netip.Addr, limit int) (*source, bool) {
	if a.IsLoopback() {
		return nil, true
	}
	p := network(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.all[p]
	switch {
	case from == nil:
		if s.all == nil {
			s.all, s.left = map[netip.Prefix]*source{}, map[netip.Prefix]*source{}
		}
		from = &source{prefix: p}
		s.all[p] = from
	case from.sockets >= limit:
		return nil, false
	}
	from.sockets++
	return from, true
}

func (s *addresses) leave(from *source) {
	if from == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if from.sockets--; from.sockets == 0 {
		s.left[from.prefix] = from
	}
}

// sweep forgets those that have left, and could send as much as ever.
func (s *addresses) sweep(now uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, from := range s.left {
		switch {
		case from.sockets > 0:
			delete(s.left, p)
		case from.owes(now) == 0:
			delete(s.left, p)
			delete(s.all, p)
		}
	}
}

// owes is how many messages it has sent that time has not given back yet.
func (from *source) owes(now uint32) int64 {
	from.mu.Lock()
	defer from.mu.Unlock()
	from.rest(now)
	return from.spent
}

// rest is called with the lock held.
func (from *source) rest(now uint32) {
	if now > from.paid {
		from.spent = max(0, from.spent-messageRate*int64(now-from.paid))
		from.paid = now
	}
}

// admit counts one message, unless there have been too many.
func (from *source) admit(now uint32) bool {
	if from == nil {
		return true
	}
	from.mu.Lock()
	defer from.mu.Unlock()
	from.rest(now)
	if from.spent >= messageBurst {
		return false
	}
	from.spent++
	return true
}

// full says whether its sockets stand for as many peers as they may.
func (from *source) full() bool {
	if from == nil {
		return false
	}
	from.mu.Lock()
	defer from.mu.Unlock()
	return from.peers >= maxPeers
}

// count notes that a socket stands for so many more peers, or fewer.
func (from *source) count(change int) {
	if from == nil || change == 0 {
		return
	}
	from.mu.Lock()
	defer from.mu.Unlock()
	from.peers += change
}
