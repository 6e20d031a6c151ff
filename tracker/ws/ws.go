// Package ws is the WebSocket front end of the tracker: what WebTorrent's clients speak, as docs/tracker.md has it.
//
// A message comes in as bytes and its parts leave as the same bytes. The scanner (scan.go) passes over them once and
// notes where each value lies; nothing is decoded but the ids, and no SDP is ever written anew:
//
//	socket A ─ message ─► scanner ─► announce ─► tracker.Store: counts, peers
//	                                    │ reply: prefix + A's info_hash + numbers ─► queue of A
//	                                    └ offer: prefix + slices of A's message   ─► queue of B, of C, …
//
// One goroutine per socket reads. What is to be sent lies in the socket's queue (queue.go), which a second goroutine
// empties and which is bounded. Nothing has a timer of its own: one sweep (sweep.go) looks after all sockets, pings
// the silent and closes the dead, the stuck and those that never finish a message.
package ws

import (
	"bufio"
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"

	"github.com/starling-p2p/starling/tracker"
)

const (
	// maxMessage is the longest message, in bytes.
	maxMessage = 128 << 10
	// readBuffer is small, for most sockets are silent most of the time; longer reads go past it.
	readBuffer = 256
)

// Close codes of RFC 6455, section 7.4.1.
const (
	goingAway = 1001
	policy    = 1008
)

// Options say how the front end works; zero values are replaced by those in brackets.
type Options struct {
	// Interval is how often peers are asked to announce, whole seconds [120 s]. The store's Expiry is to be twice this.
	Interval time.Duration
	// MaxSocketsPerAddress bounds the sockets of one IPv4 address or one IPv6 /64; loopback is not counted [1024].
	MaxSocketsPerAddress int
	// Address tells who asks, where that is not the other end of the connection [the other end].
	Address func(*http.Request) netip.Addr
	// Place tells where an address is, so that peers hear of those nearby [nobody knows]. It must be quick.
	Place func(netip.Addr) tracker.Place
	// Log gets what goes wrong on our side [none].
	Log *slog.Logger
	// Cluster is the tracker's other machines [it is this one alone].
	Cluster Cluster
}

// Server answers at /announce. Close it.
type Server struct {
	options   Options
	store     *tracker.Store[Handle]
	upgrader  *gws.Upgrader
	start     time.Time
	table     table
	addresses addresses
	messages  sync.Pool
	counters  counters
	waiting   atomic.Int64 // bytes of messages for which another machine is asked

	mu      sync.Mutex
	closed  bool
	sockets sync.WaitGroup
	stop    chan struct{}
	swept   chan struct{}
}

// New returns a server that keeps its peers in the store.
func New(store *tracker.Store[Handle], o Options) *Server {
	if o.Interval == 0 {
		o.Interval = 120 * time.Second
	}
	if o.MaxSocketsPerAddress == 0 {
		o.MaxSocketsPerAddress = 1024
	}
	if o.Address == nil {
		o.Address = remote
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{options: o, store: store, start: time.Now(), stop: make(chan struct{}), swept: make(chan struct{})}
	if o.Cluster != nil {
		s.table.node = o.Cluster.Node()
	}
	seed := maphash.MakeSeed()
	s.messages.New = func() any { return &message{scanner: scanner{seed: seed}} }
	s.upgrader = gws.NewUpgrader(events{}, &gws.ServerOption{
		ReadMaxPayloadSize: maxMessage,
		ReadBufferSize:     readBuffer,
		ParallelGolimit:    1,
		Logger:             quiet{},
		NewSession:         func() gws.SessionStorage { return new(session) },
	})
	go s.sweeps()
	return s
}

func remote(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap()
}

// ServeHTTP makes a request into a socket.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "This is a WebTorrent tracker. Connect to it by WebSocket.", http.StatusUpgradeRequired)
		return
	}
	address := s.options.Address(r)
	if !s.addresses.enter(address, s.options.MaxSocketsPerAddress) {
		s.counters.refused.Add(1)
		http.Error(w, "Too many connections from your address. Close some, or try again later.", http.StatusTooManyRequests)
		return
	}
	k, err := s.upgrade(w, r, address)
	if err != nil {
		s.addresses.leave(address)
		s.options.Log.Debug("no WebSocket came of a request", "address", address, "error", err)
		return
	}
	// A goroutine of its own: the one that did the handshake has a large stack and holds on to the request.
	go s.serve(k)
}

var errClosed = errors.New("the tracker is shutting down")

// upgrade does the handshake and admits the socket. When it fails, an answer has been given.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, address netip.Addr) (*socket, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "This connection cannot become a WebSocket.", http.StatusBadRequest)
		return nil, err
	}
	if buffered.Reader.Buffered() > 0 {
		conn.Close()
		return nil, errors.New("frames came before the handshake was done")
	}
	k := &socket{server: s, net: conn, address: address}
	k.touch()
	k.spoke.Store(k.heard.Load())
	if k.conn, err = s.upgrader.UpgradeFromConn((*gwsConn)(k), bufio.NewReaderSize(k, readBuffer), r); err != nil {
		return nil, err
	}
	k.conn.Session().(*session).socket = k

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.table.add(k) {
		_ = k.conn.WriteClose(goingAway, nil)
		return nil, errClosed
	}
	s.sockets.Add(1)
	return k, nil
}

// serve reads until the socket ends, then forgets all that it stood for.
func (s *Server) serve(k *socket) {
	defer s.sockets.Done()
	defer s.gone(k)
	// gws panics on a frame whose length has its highest bit set; whatever one socket sends ends that socket only.
	defer func() {
		if p := recover(); p != nil {
			s.options.Log.Warn("a socket was ended by a panic", "address", k.address, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	k.conn.ReadLoop()
}

func (s *Server) gone(k *socket) {
	_ = k.net.Close()
	k.out.end()
	for m := range k.members {
		s.remove(m.hash, k.ids[m.id], k.handle)
	}
	s.table.remove(k.handle)
	s.addresses.leave(k.address)
}

// Close closes all sockets with code 1001 and returns when they are gone. Those still there when the context ends are
// cut off.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		return nil
	}
	close(s.stop)
	<-s.swept
	s.table.each(func(k *socket) { k.close(goingAway, "the tracker is restarting") })
	done := make(chan struct{})
	go func() {
		s.sockets.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.table.each(func(k *socket) { _ = k.net.Close() })
		<-done
		return context.Cause(ctx)
	}
}

// now is in seconds since the server was made, plus one: 0 is free to mean never.
func (s *Server) now() uint32 { return uint32(time.Since(s.start)/time.Second) + 1 }

// session is where gws keeps a socket of ours.
type session struct{ socket *socket }

func (s *session) Len() int                       { return 1 }
func (s *session) Load(string) (any, bool)        { return s.socket, true }
func (s *session) Delete(string)                  {}
func (s *session) Store(string, any)              {}
func (s *session) Range(f func(string, any) bool) { f("", s.socket) }

var _ gws.SessionStorage = (*session)(nil)

// quiet keeps what strangers send out of the log.
type quiet struct{}

func (quiet) Error(...any) {}

// events is what gws calls, always from the socket's own goroutine.
type events struct{ gws.BuiltinEventHandler }

func (events) OnPing(c *gws.Conn, payload []byte) {
	k := c.Session().(*session).socket
	k.touch()
	k.finished(controlHeader + len(payload))
	k.send(reply, opPong, payload)
	k.pause()
}

func (events) OnPong(c *gws.Conn, payload []byte) {
	k := c.Session().(*session).socket
	k.touch()
	k.finished(controlHeader + len(payload))
}

func (events) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	k := c.Session().(*session).socket
	k.touch()
	k.spoke.Store(k.heard.Load())
	k.unfinished.Store(0)
	k.server.receive(k, m.Bytes())
	k.pause()
}

// counters are what has happened since the start.
type counters struct{ messages, announces, malformed, offers, answers, dropped, refused, slow atomic.Uint64 }

// Stats are counts since the start, except for Sockets, which are open now.
type Stats struct {
	Sockets int
	// Messages were received, Announces and Malformed ones among them; answers are no announces.
	Messages, Announces, Malformed uint64
	// Offers and Answers were passed on. Dropped offers were not, for their receivers were too slow.
	Offers, Answers, Dropped uint64
	// Refused handshakes were above the limit of their address. Slow sockets were closed for not receiving.
	Refused, Slow uint64
}

// Stats may be called at any time.
func (s *Server) Stats() Stats {
	c := &s.counters
	return Stats{
		Sockets:  s.table.len(),
		Messages: c.messages.Load(), Announces: c.announces.Load(), Malformed: c.malformed.Load(),
		Offers: c.offers.Load(), Answers: c.answers.Load(), Dropped: c.dropped.Load(),
		Refused: c.refused.Load(), Slow: c.slow.Load(),
	}
}
