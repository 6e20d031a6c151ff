// Package relay is the STUN and TURN server: it tells peers the address that others see them at, and carries the
// datagrams of pairs that reach each other in no other way. The protocols are pion/turn's; this package decides who may
// use them, for what, and how much.
//
//	        browser A                                              browser B
//	            │ UDP, TCP or TLS, one port                            ▲
//	socket.go ──┤ floods end here        peers.go: where to?           │
//	stream.go ──┤ TCP, cut into messages     │                         │
//	            ▼                            ▼                         │
//	        pion/turn ── credentials.go ── book.go ── relayed.go ──────┘
//	                     who is it?        how many?  how fast? a socket for each allocation
//	                     (hooks.go: where pion asks these)
//
// addrs.go has addresses made once, port_unix.go several sockets on one port, stats.go what was done and refused.
//
// On the wire all is STUN (RFC 8489), TURN (RFC 8656) or ChannelData, told apart by the first two bits; on TCP the same
// lie one after another, ChannelData padded to four bytes:
//
//	 0                   1                   2                   3
//	+-+-+---------------------------+-------------------------------+
//	|0 0|  class and method (14)    |  length of attributes (16)    |
//	+-+-+---------------------------+-------------------------------+
//	|  magic cookie 21 12 A4 42     |  transaction id (96) …        |
//	+-------------------------------+-------------------------------+
//
//	+-+-+---------------------------+-------------------------------+
//	|0 1|  channel number (14)      |  length of data (16)          |  data …
//	+-+-+---------------------------+-------------------------------+
//
// RFC 6062 (TCP to peers) and reserved ports are refused: no browser asks for them.
package relay

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v5"

	"github.com/starling-p2p/starling/internal/pionlog"
)

const (
	realm = "starling"
	// allocationLifetime is how long an allocation lasts whose client asks for no other time, at most an hour.
	allocationLifetime = 10 * time.Minute
	// maxListeners is the most UDP sockets for each family that share the port.
	maxListeners = 16
)

// Options say where a relay listens and what it allows.
type Options struct {
	// Addr is where it listens for UDP. The unspecified address means all addresses of both families; the port is not 0.
	Addr netip.AddrPort
	// Public are the addresses at which others reach what is relayed, at most one of each family. Without one it is the
	// address in Addr, or that with which this machine goes out to the internet.
	Public []netip.Addr
	// Secret signs credentials: that of another relay with the same one is valid here. Random when empty.
	Secret []byte
	// Private allows peers on private networks, and on this very machine at any port.
	Private bool
	// MaxAllocations and MaxPerAddress bound the allocations in all and of one IPv4 address or IPv6 /64, and TCP
	// connections likewise. 0: none.
	MaxAllocations, MaxPerAddress int
	// Rate and TotalRate bound what one allocation and all of them carry, in bytes of payload per second, both directions
	// together. What is more is dropped, as on any slow line. 0: no bound.
	Rate, TotalRate int
	// Log gets what goes wrong on our side [none].
	Log *slog.Logger
}

// Relay is a running server. All methods may be called at any time from any goroutine.
type Relay struct {
	secret  secret
	book    *book
	peers   *peers
	streams *streams
	flood   *flood
	total   meter
	public  *places
	counts  counts
	turn    *turn.Server
	also    atomic.Pointer[Handler]
	log     *slog.Logger
	once    sync.Once
}

// Handler answers what is neither STUN nor TURN on the same UDP port, such as tracker/udp. Its methods are called from
// several goroutines.
type Handler interface {
	// Match says whether a datagram is for it.
	Match(datagram []byte) bool
	// Answer appends the answer, if there is one.
	Answer(to, datagram []byte, from netip.AddrPort) []byte
}

// Slow is a Handler some of whose answers take time.
type Slow interface {
	// AnswerLater says whether this one does. Then it keeps nothing of the datagram, and sends the answer itself.
	AnswerLater(datagram []byte, from netip.AddrPort, to interface {
		WriteToUDPAddrPort(answer []byte, to netip.AddrPort) (int, error)
	}) bool
}

// Also has others' datagrams answered from now on.
func (r *Relay) Also(h Handler) { r.also.Store(&h) }

// Listen opens the UDP port and begins to answer. An error for which errors.Is says EADDRINUSE means that the port is
// not free.
func Listen(o Options) (*Relay, error) {
	if len(o.Secret) == 0 {
		o.Secret = make([]byte, 32)
		_, _ = rand.Read(o.Secret) // never fails
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Relay{
		secret: secret(o.Secret),
		flood:  newFlood(),
		total:  newMeter(o.TotalRate),
		public: &places{find: func() map[family]netip.Addr { return publicAddresses(o) }},
		log:    o.Log,
	}
	if len(r.public.now()) == 0 {
		return nil, errors.New("this machine has no address to relay at")
	}
	r.book = newBook(o.MaxAllocations, o.MaxPerAddress, o.Rate)
	r.streams = newStreams(net.TCPAddrFromAddrPort(o.Addr), o.MaxAllocations, o.MaxPerAddress, r)
	r.peers = &peers{private: o.Private, loopback: o.Addr.Addr().IsLoopback()}

	sockets, err := r.listen(o.Addr)
	if err != nil {
		return nil, err
	}
	config := turn.ServerConfig{
		Realm:              realm,
		AuthHandler:        r.authenticate,
		QuotaHandler:       r.room,
		EventHandler:       r.events(),
		AllocationLifetime: allocationLifetime,
		LoggerFactory:      pionlog.To(o.Log),
		ListenerConfigs:    []turn.ListenerConfig{{Listener: r.streams, RelayAddressGenerator: &generator{relay: r, bind: o.Addr.Addr()}, PermissionHandler: r.permit}},
	}
	for _, s := range sockets {
		config.PacketConnConfigs = append(config.PacketConnConfigs,
			turn.PacketConnConfig{PacketConn: s, RelayAddressGenerator: &generator{r, s, o.Addr.Addr()}, PermissionHandler: r.permit})
	}
	if r.turn, err = turn.NewServer(config); err != nil {
		closeAll(sockets)
		return nil, fmt.Errorf("starting the TURN server: %w", err)
	}
	return r, nil
}

// listen opens the sockets that share the port: several of each family where the system spreads datagrams over them.
func (r *Relay) listen(at netip.AddrPort) ([]*socket, error) {
	networks := []string{"udp4", "udp6"}
	addr := at.Addr().Unmap()
	switch {
	case addr.Is4() && !addr.IsUnspecified():
		networks = networks[:1]
	case !addr.IsUnspecified():
		networks = networks[1:]
	}
	var sockets []*socket
	for _, network := range networks {
		host := addr.String()
		if addr.IsUnspecified() {
			host = ""
		}
		for range min(runtime.GOMAXPROCS(0), maxListeners) {
			s, err := r.openSocket(network, net.JoinHostPort(host, fmt.Sprint(at.Port())))
			if err != nil && network == "udp6" && len(sockets) > 0 && noFamily(err) {
				break
			}
			if err != nil {
				closeAll(sockets)
				return nil, err
			}
			sockets = append(sockets, s)
			if !sharesPorts {
				break
			}
		}
	}
	return sockets, nil
}

func closeAll(sockets []*socket) {
	for _, s := range sockets {
		_ = s.Close()
	}
}

// Public are the addresses at which it relays now.
func (r *Relay) Public() (all []netip.Addr) {
	public := r.public.now()
	for _, f := range [...]family{v4, v6} {
		if a, ok := public[f]; ok {
			all = append(all, a)
		}
	}
	return all
}

// Serve takes over a connection whose first byte is that of a STUN message, and returns at once.
func (r *Relay) Serve(conn net.Conn) { r.streams.take(conn) }

// Close ends all allocations and returns when their sockets are closed.
func (r *Relay) Close() error {
	r.once.Do(func() {
		r.book.close()
		// What it has to say of sockets that are closed already helps nobody.
		if err := r.turn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			r.log.Debug("closing the relay", "error", err)
		}
		r.streams.closeAll()
		r.book.wait()
	})
	return nil
}
