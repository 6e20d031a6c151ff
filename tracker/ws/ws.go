// Package ws is the WebSocket front end of the tracker: what WebTorrent's clients speak, as docs/tracker.md has it.
//
// A message comes in as bytes and its parts leave as the same bytes. The scanner (scan.go, json.go) passes over them
// once and notes where each value lies; nothing is decoded but the ids, and no SDP is ever written anew:
//
//	socket A ─ message ─► scanner ─► announce ─► tracker.Store: counts, peers
//	                                    │ reply: prefix + A's info_hash + numbers ─► queue of A
//	                                    └ offer: prefix + slices of A's message   ─► queue of B, of C, …
//
// On Linux a plain connection is an event loop's (loop_linux.go): as many loops as processors each wait for thousands of
// sockets at once, and what is idle has no goroutine and no buffer. TLS, and other systems, have a goroutine that reads
// each socket (stream.go). Either way the same code takes frames apart (frame.go) and handles messages one after the
// other (read.go), and what is to be sent lies in the receiver's queue (queue.go), which is bounded:
//
//	loop: epoll ─► read ─┐                                              ┌─► at the end of the turn, one write
//	                     ├─► frames ─► messages ─► queues of receivers ─┤
//	stream: read ────────┘                                              └─► a goroutine writes until it is empty
//
// A message is handled by the goroutine that read it, so nothing on the way may wait. A socket whose client does not
// take its replies is not read until it does; nor is, for up to a second, one whose address sends too much
// (addresses.go). Nothing has a timer of its own: one sweep (sweep.go) looks after all sockets, pings the silent and
// closes the dead, the stuck and those that never finish a message.
//
// A socket begins with handshake.go, is known by its place in table.go, and stands for the peers that socket.go notes.
// What has come of a message so far is in input.go, in memory that buffer.go lends; message.go is what is done with a whole
// one, text.go what its strings say. Other machines of a cluster are cluster.go.
package ws

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starling-p2p/starling/tracker"
)

// maxMessage is the longest message, in bytes.
const maxMessage = 128 << 10

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
	// Serves says whether who came by a path is still served; Recheck closes the sockets of those who are not [all are].
	Serves func(path string) bool
	// Log gets what goes wrong on our side [none].
	Log *slog.Logger
	// Cluster is the tracker's other machines [it is this one alone].
	Cluster Cluster
}

// Server answers at /announce. Close it.
type Server struct {
	options   Options
	store     *tracker.Store[Handle]
	start     time.Time
	table     table
	addresses addresses
	messages  sync.Pool
	counters  counters
	waiting   atomic.Int64 // bytes of messages for which another machine is asked

	mu      sync.Mutex
	closed  bool
	loops   loops
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
	if why := wrong(r); why != "" {
		http.Error(w, why, http.StatusBadRequest)
		return
	}
	address := s.options.Address(r)
	from, ok := s.addresses.enter(address, s.options.MaxSocketsPerAddress)
	if !ok {
		s.counters.refused.Add(1)
		http.Error(w, "Too many connections from your address. Close some, or try again later.", http.StatusTooManyRequests)
		return
	}
	k := &socket{server: s, address: address, source: from}
	if s.options.Serves != nil {
		k.path = strings.Clone(r.URL.Path)
	}
	if err := s.upgrade(w, r, k); err != nil {
		s.addresses.leave(from)
		s.options.Log.Debug("no WebSocket came of a request", "address", address, "error", err)
	} else if s.options.Serves != nil {
		s.recheck(k) // it may have changed meanwhile
	}
}

// Recheck closes the sockets of those who are not served any more: what Options.Serves says has changed.
func (s *Server) Recheck() { s.table.each(s.recheck) }

func (s *Server) recheck(k *socket) {
	if !s.options.Serves(k.path) {
		k.close(policy, "this announce URL is no longer valid")
	}
}

var errClosed = errors.New("the tracker is shutting down")

// upgrade does the handshake and admits the socket. When it fails, an answer has been given.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, k *socket) error {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "This connection cannot become a WebSocket.", http.StatusBadRequest)
		return err
	}
	if buffered.Reader.Buffered() > 0 {
		err = errors.New("frames came before the handshake was done")
	} else {
		err = accept(conn, r.Header.Get("Sec-WebSocket-Key"))
	}
	if err != nil {
		_ = conn.Close()
		return err
	}
	k.heard.Store(s.now())
	if !s.admit(k, conn) {
		_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
		_, _ = conn.Write(appendFrame(nil, opClose, 2, []byte{goingAway >> 8, goingAway & 0xff}))
		_ = conn.Close()
		return errClosed
	}
	return nil
}

// admit has a socket carried; false when the tracker closes, or has too many.
func (s *Server) admit(k *socket, conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.out.mu.Lock()
	defer k.out.mu.Unlock()
	if s.closed || !s.table.add(k) {
		return false
	}
	s.sockets.Add(1)
	if !s.loops.adopt(k, conn) {
		c := stream{conn}
		k.out.by = c
		// A goroutine of its own: the one that did the handshake has a large stack and holds on to the request.
		go c.serve(k)
	}
	return true
}

// gone forgets all that a socket stood for. The goroutine that reads calls it last.
func (s *Server) gone(k *socket) {
	defer s.sockets.Done()
	for m := range k.members {
		s.remove(m.hash, k.ids[m.id], k.handle)
	}
	s.table.remove(k.handle)
	k.source.count(-k.counted)
	s.addresses.leave(k.source)
}

// Close closes all sockets with code 1001 and returns when they are gone. Those still there after five seconds, or when
// the context ends, are cut off; then the error says so.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		return nil
	}
	// What is to come after this, such as handing swarms over, has no time to wait for those who take nothing any more.
	ctx, cancel := context.WithTimeout(ctx, closeWithin*time.Second)
	defer cancel()
	close(s.stop)
	<-s.swept
	s.table.each(func(k *socket) { k.close(goingAway, "the tracker is restarting") })
	done := make(chan struct{})
	go func() {
		s.sockets.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
		s.table.each((*socket).cut)
		<-done
	}
	s.loops.close()
	return err
}

// now is in seconds since the server was made, plus one: 0 is free to mean never.
func (s *Server) now() uint32 { return uint32(time.Since(s.start)/time.Second) + 1 }

// untilNextSecond is when now changes.
func (s *Server) untilNextSecond() time.Duration {
	return time.Second - time.Since(s.start)%time.Second
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
