package relay

import (
	"encoding/binary"
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

func (m meter) pass(now time.Time, n int) bool { return m.limit == nil || m.limit.AllowN(now, n) }

var errNoRoom = errors.New("no room for another allocation")

// generator makes the sockets of allocations.
type generator struct {
	relay  *Relay
	socket *socket // of the clients; nil when they come by TCP
	bind   netip.Addr
}

var _ turn.RelayAddressGenerator = (*generator)(nil)

// Validate has nothing to say.
func (g *generator) Validate() error { return nil }

// AllocatePacketConn opens one for its owner. Requests for a certain port, and those to try out ports, which have no
// owner, are refused.
func (g *generator) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	owner, user, err := parseUserID(c.UserID)
	if err != nil || c.RequestedPort != 0 {
		return nil, nil, errors.ErrUnsupported
	}
	f := v4
	if c.Network == "udp6" {
		f = v6
	}
	public, ok := g.relay.public.now()[f]
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
	conn := &relayed{UDPConn: socket.(*net.UDPConn), relay: g.relay, socket: g.socket, allocation: a, at: at, inner: inner}
	if g.socket != nil {
		g.socket.clients.Store(owner.at, conn)
	}
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

// relayed is the socket of one allocation: what others send to arrives here, and they see what comes from it.
//
// Two allocations of this relay are joined here: the one sends to the other's public address, which from this machine
// may lead nowhere (behind a NAT), so it goes to where the other's socket is bound.
//
// What belongs to a bound channel does not pass through pion, which would copy each datagram: that is nearly all there
// is.
type relayed struct {
	*net.UDPConn
	relay      *Relay
	socket     *socket // the client's; nil when it comes by TCP
	allocation *allocation
	at         netip.AddrPort
	inner      netip.Addr
	once       sync.Once

	// These are the reading goroutine's, of which there is one. The buffer has room for ChannelData's header.
	from   addrs
	buffer [channelHeader + maxMessage]byte
}

const channelHeader = 4

// ReadFrom gives pion what came from peers that have no channel.
func (r *relayed) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.ReadFromUDPAddrPort(r.buffer[channelHeader:])
		if err != nil {
			return 0, nil, err
		}
		from = unmap(from)
		if from.Addr() == r.inner && r.inner != r.at.Addr() {
			if other := netip.AddrPortFrom(r.at.Addr(), from.Port()); r.relay.book.relays(other) {
				from = other
			}
		}
		number, bound := r.allocation.bound.Load().numbers[from]
		// What a stranger sends, pion would drop when it has been counted.
		if !bound && !r.relay.book.hasPermitted(r.allocation, from.Addr()) {
			continue
		}
		if n == maxMessage || !r.pass(n) { // cut off, perhaps
			continue
		}
		r.relay.counts.toClients.Add(uint64(n))
		if !bound || r.socket == nil {
			return copy(p, r.buffer[channelHeader:channelHeader+n]), r.from.get(from), nil
		}
		binary.BigEndian.PutUint16(r.buffer[:], number)
		binary.BigEndian.PutUint16(r.buffer[2:], uint16(n))
		_, _ = r.socket.WriteToUDPAddrPort(r.buffer[:channelHeader+n], r.allocation.client.at) // one that is not taken is lost
	}
}

// channelData sends on what the client sent by ChannelData, if the channel is bound and the length right.
func (r *relayed) channelData(p []byte) {
	if len(p) < channelHeader {
		return
	}
	peer, bound := r.allocation.bound.Load().peers[binary.BigEndian.Uint16(p)]
	if n := int(binary.BigEndian.Uint16(p[2:])); bound && n <= len(p)-channelHeader {
		r.send(p[channelHeader:channelHeader+n], peer)
	}
}

// WriteTo is how pion sends to a peer that has been permitted.
func (r *relayed) WriteTo(p []byte, addr net.Addr) (int, error) {
	r.send(p, clientAt(addr).at)
	return len(p), nil
}

// send drops what is beyond the rate, what would reach a port of this machine that is not relayed, and what the network
// does not take.
func (r *relayed) send(p []byte, to netip.AddrPort) {
	if to.Addr() == r.at.Addr() {
		if r.relay.book.relays(to) {
			to = netip.AddrPortFrom(r.inner, to.Port())
		} else if !r.relay.peers.private {
			r.relay.counts.peer.Add(1)
			return
		}
	}
	if r.pass(len(p)) {
		r.relay.counts.toPeers.Add(uint64(len(p)))
		_, _ = r.WriteToUDPAddrPort(p, to)
	}
}

func (r *relayed) pass(n int) bool {
	now := time.Now()
	if r.allocation.meter.pass(now, n) && r.relay.total.pass(now, n) {
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
		if r.socket != nil {
			r.socket.clients.CompareAndDelete(r.allocation.client.at, r)
		}
		err = r.UDPConn.Close()
	})
	return err
}
