package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/turn/v5"
	"golang.org/x/time/rate"
)

// meter bounds bytes per second; the zero value lets all pass.
type meter struct{ limit *rate.Limiter }

// newMeter saves up half a second's worth, and no less than one datagram of any size.
func newMeter(bytesPerSecond int) meter {
	if bytesPerSecond == 0 {
		return meter{}
	}
	return meter{rate.NewLimiter(rate.Limit(bytesPerSecond), max(bytesPerSecond/2, 1<<16))}
}

func (m meter) pass(n int) bool { return m.limit == nil || m.limit.AllowN(time.Now(), n) }

var errNoRoom = errors.New("no room for another allocation")

// generator makes the sockets of allocations.
type generator struct {
	relay *Relay
	bind  netip.Addr
}

var _ turn.RelayAddressGenerator = (*generator)(nil)

// Validate has nothing to say.
func (g *generator) Validate() error { return nil }

// AllocatePacketConn opens one for its owner. Requests for a certain port, and those to try out ports, which have no owner, are
// refused.
func (g *generator) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	owner, user, err := parseUserID(c.UserID)
	if err != nil || c.RequestedPort != 0 {
		return nil, nil, errors.ErrUnsupported
	}
	f := v4
	if c.Network == "udp6" {
		f = v6
	}
	public, ok := g.relay.public[f]
	if !ok {
		return nil, nil, fmt.Errorf("nothing is relayed over %s", c.Network)
	}
	// Where others of this relay are reached without leaving the machine.
	inner, host := g.bind.Unmap(), g.bind.String()
	if g.bind.IsUnspecified() {
		inner, host = map[family]netip.Addr{v4: netip.AddrFrom4([4]byte{127, 0, 0, 1}), v6: netip.IPv6Loopback()}[f], ""
	}
	socket, err := net.ListenPacket(c.Network, net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, nil, fmt.Errorf("opening a socket to relay: %w", err)
	}
	port := socket.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	at := netip.AddrPortFrom(public, port)
	a := g.relay.book.enter(owner, user, at)
	if a == nil {
		_ = socket.Close()
		g.relay.counts.quota.Add(1)
		return nil, nil, errNoRoom
	}
	conn := &relayed{UDPConn: socket.(*net.UDPConn), relay: g.relay, allocation: a, at: at, inner: inner}
	return conn, net.UDPAddrFromAddrPort(at), nil
}

// AllocateListener would be for RFC 6062.
func (g *generator) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errors.ErrUnsupported
}

// AllocateConn would be for RFC 6062.
func (g *generator) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

// relayed is the socket of one allocation: what others send to arrives here, and they see what comes from it. It meters, and
// joins two allocations of this relay: the one sends to the other's public address, which from here may lead nowhere
// (behind a NAT), so it goes to where the other's socket is bound.
type relayed struct {
	*net.UDPConn
	relay      *Relay
	allocation *allocation
	at         netip.AddrPort
	inner      netip.Addr
	from       addrs // of the one goroutine that reads
	once       sync.Once
}

// ReadFrom drops what is beyond the rate.
func (r *relayed) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.ReadFromUDPAddrPort(p)
		if err != nil {
			return 0, nil, err
		}
		from = unmap(from)
		if from.Addr() == r.inner && r.inner != r.at.Addr() {
			if other := netip.AddrPortFrom(r.at.Addr(), from.Port()); r.relay.book.relays(other) {
				from = other
			}
		}
		if !r.pass(n) {
			continue
		}
		r.relay.counts.toClients.Add(uint64(n))
		return n, r.from.get(from), nil
	}
}

// WriteTo sends to a peer that has been permitted, and drops what is beyond the rate and what would reach a port of
// this machine that is not relayed.
func (r *relayed) WriteTo(p []byte, addr net.Addr) (int, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("sending to %v: %w", addr, errors.ErrUnsupported)
	}
	to := unmap(udp.AddrPort())
	if to.Addr() == r.at.Addr() {
		if r.relay.book.relays(to) {
			to = netip.AddrPortFrom(r.inner, to.Port())
		} else if !r.relay.peers.private {
			r.relay.counts.peer.Add(1)
			return len(p), nil
		}
	}
	if !r.pass(len(p)) {
		return len(p), nil
	}
	r.relay.counts.toPeers.Add(uint64(len(p)))
	// One datagram that the network does not take is one lost.
	if _, err := r.WriteToUDPAddrPort(p, to); errors.Is(err, net.ErrClosed) {
		return 0, err
	}
	return len(p), nil
}

func (r *relayed) pass(n int) bool {
	if r.allocation.meter.pass(n) && r.relay.total.pass(n) {
		return true
	}
	r.relay.counts.rate.Add(1)
	return false
}

// Close ends the allocation.
func (r *relayed) Close() error {
	err := net.ErrClosed
	r.once.Do(func() {
		r.relay.book.leave(r.allocation, r.at)
		err = r.UDPConn.Close()
	})
	return err
}
