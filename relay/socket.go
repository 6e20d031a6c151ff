package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// headerSize is a STUN message's; magic is its cookie.
	headerSize = 20
	magic      = 0x2112A442
	// socketBuffer is in bytes, as far as the system allows.
	socketBuffer = 4 << 20
	// maxFailures is how often in a row the system may fail to receive.
	maxFailures = 1000
)

// Is says whether what begins with this byte may be for Serve. HTTP begins with a letter and TLS with 22, while no
// message that a client sends first has a method beyond 0x3FF (RFC 7983).
func Is(first byte) bool { return first <= 3 }

func isChannelData(first byte) bool { return first&0xC0 == 0x40 }

// plausible says whether a datagram is a whole STUN request or indication.
func plausible(p []byte) bool {
	if len(p) < headerSize || p[0]&0xC0 != 0 || binary.BigEndian.Uint32(p[4:]) != magic {
		return false
	}
	response := p[0]&1 != 0
	return !response && int(binary.BigEndian.Uint16(p[2:])) == len(p)-headerSize
}

// socket is a UDP socket towards clients. What they send by channels goes straight on. From strangers it lets through
// only what is well formed, and little of that: the answers are not much longer than the questions, but addresses of
// senders can be forged.
type socket struct {
	*net.UDPConn
	relay   *Relay
	clients sync.Map // netip.AddrPort → *relayed
	// Both are the reading goroutine's, of which there is one.
	from   addrs
	answer []byte
}

func (r *Relay) openSocket(network, addr string) (*socket, error) {
	config := net.ListenConfig{Control: sharePort}
	conn, err := config.ListenPacket(context.Background(), network, addr)
	if err != nil {
		return nil, fmt.Errorf("listening on UDP %s: %w", addr, err)
	}
	udp := conn.(*net.UDPConn)
	_, _ = udp.SetReadBuffer(socketBuffer), udp.SetWriteBuffer(socketBuffer) // smaller ones do too
	return &socket{UDPConn: udp, relay: r}, nil
}

// ReadFrom returns an error only when the socket is closed, or never works again: pion takes any for the end.
func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	for failures := 0; ; {
		n, from, err := s.ReadFromUDPAddrPort(p)
		if err != nil {
			if failures++; errors.Is(err, net.ErrClosed) || failures == maxFailures {
				return 0, nil, err
			}
			continue
		}
		failures, from = 0, unmap(from)
		if h := s.relay.also.Load(); h != nil && (*h).Match(p[:n]) {
			if slow, ok := (*h).(Slow); ok && slow.AnswerLater(p[:n], from, s) {
				continue
			}
			if s.answer = (*h).Answer(s.answer[:0], p[:n], from); len(s.answer) > 0 {
				_, _ = s.WriteToUDPAddrPort(s.answer, from) // who asked asks again
			}
			continue
		}
		known, _ := s.clients.Load(from)
		switch {
		case n > 0 && isChannelData(p[0]):
			if known != nil {
				known.(*relayed).channelData(p[:n])
			}
		case !plausible(p[:n]):
			s.relay.counts.malformed.Add(1)
		case known == nil && !s.relay.flood.pass(from.Addr()):
			s.relay.counts.flood.Add(1)
		default:
			if known != nil {
				known.(*relayed).allocation.asks(p[:n])
			}
			return n, s.from.get(from), nil
		}
	}
}

const (
	// strangerRate is the most messages of one address that has no allocation, a second: a page asks for a dozen
	// allocations at once, with two messages each, and many people may share the address.
	strangerRate = 256
	floodSlots   = 1 << 13
)

// flood counts the messages of strangers in this second, by a hash of the address: it needs no memory for each. Who
// shares a slot with somebody who floods waits for the next second's hash.
type flood struct {
	seed  maphash.Seed
	began time.Time
	slots [floodSlots]atomic.Uint64 // the second (48 bits) and the count in it (16)
}

func newFlood() *flood { return &flood{seed: maphash.MakeSeed(), began: time.Now()} }

func (f *flood) pass(a netip.Addr) bool {
	second := uint64(time.Since(f.began) / time.Second)
	slot := &f.slots[maphash.Comparable(f.seed, struct {
		netip.Addr
		uint64
	}{whole(a), second})%floodSlots]
	for {
		was := slot.Load()
		now := second<<16 | 1
		if was>>16 == second {
			now = was + 1
		}
		if now&0xFFFF > strangerRate {
			return false
		}
		if slot.CompareAndSwap(was, now) {
			return true
		}
	}
}
