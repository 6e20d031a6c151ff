package httpd

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/starling-p2p/starling/relay"
)

// splitter gives HTTP and TURN one TCP port. The first byte that a client sends tells which it speaks, beneath TLS as
// well as without:
//
//	accept ──► first byte ──► 0–3 ──────────────────────────────► relay.Serve
//	                      └─► TLS handshake ──► first byte ──► 0–3 ──┘
//	                      └─► anything else     └─► anything else ──► Accept, which is net/http's
//
// With ALPN a client says that it wants HTTP, so then nobody has to look.
type splitter struct {
	net.Listener
	tls   *tls.Config // nil without
	relay interface{ Serve(net.Conn) }
	http  chan accepted
	done  chan struct{}
	once  sync.Once

	mu      sync.Mutex
	looking map[net.Conn]struct{} // those whose first byte has not come
	closed  bool
	wait    sync.WaitGroup
}

type accepted struct {
	conn net.Conn
	err  error
}

func split(l net.Listener, t *tls.Config, r interface{ Serve(net.Conn) }) *splitter {
	s := &splitter{
		Listener: l, tls: t, relay: r,
		http: make(chan accepted), done: make(chan struct{}), looking: map[net.Conn]struct{}{},
	}
	s.wait.Go(s.run)
	return s
}

// run passes errors on too: net/http knows which pass, and waits before it asks again.
func (s *splitter) run() {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			if !s.give(accepted{err: err}) {
				return
			}
			continue
		}
		s.mu.Lock()
		if s.closed {
			_ = conn.Close()
		} else {
			s.looking[conn] = struct{}{}
			s.wait.Go(func() { s.look(conn) })
		}
		s.mu.Unlock()
	}
}

func (s *splitter) give(a accepted) bool {
	select {
	case s.http <- a:
		return true
	case <-s.done:
		return false
	}
}

// look finds out whose a connection is. One that says nothing for as long as net/http would wait is closed.
func (s *splitter) look(raw net.Conn) {
	_ = raw.SetDeadline(time.Now().Add(headerTimeout)) // without one, reading fails as well
	conn, forRelay, err := s.sort(raw)
	s.mu.Lock()
	delete(s.looking, raw)
	s.mu.Unlock()
	if err == nil {
		err = raw.SetDeadline(time.Time{})
	}
	switch {
	case err != nil:
		_ = raw.Close()
	case forRelay:
		s.relay.Serve(conn)
	case !s.give(accepted{conn: conn}):
		_ = conn.Close()
	}
}

func (s *splitter) sort(raw net.Conn) (conn net.Conn, forRelay bool, err error) {
	first, err := begin(raw)
	if err != nil || relay.Is(first.byte) {
		return first, true, err
	}
	if s.tls == nil {
		return first, false, nil
	}
	secure := tls.Server(first, s.tls)
	// net/http asks for the handshake again, gets the same error, and says what there is to say.
	if err := secure.HandshakeContext(context.Background()); err != nil || secure.ConnectionState().NegotiatedProtocol != "" {
		return secure, false, nil
	}
	within, err := begin(secure)
	return &begunTLS{within, secure}, err != nil || relay.Is(within.byte), err
}

// Accept is net/http's.
func (s *splitter) Accept() (net.Conn, error) {
	select {
	case a := <-s.http:
		return a.conn, a.err
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close ends listening, and the connections that have not said what they are.
func (s *splitter) Close() error {
	err := net.ErrClosed
	s.once.Do(func() {
		close(s.done)
		err = s.Listener.Close()
		s.mu.Lock()
		s.closed = true
		for conn := range s.looking {
			_ = conn.Close()
		}
		s.mu.Unlock()
		s.wait.Wait()
	})
	return err
}

// begun is a connection whose first byte has been read.
type begun struct {
	net.Conn
	byte byte
	read bool
}

func begin(conn net.Conn) (*begun, error) {
	var first [1]byte
	for {
		if n, err := conn.Read(first[:]); n > 0 || err != nil {
			if n > 0 {
				err = nil
			}
			return &begun{Conn: conn, byte: first[0]}, err
		}
	}
}

// Read gives that byte first, by itself.
func (b *begun) Read(p []byte) (int, error) {
	if b.read || len(p) == 0 {
		return b.Conn.Read(p)
	}
	b.read = true
	p[0] = b.byte
	return 1, nil
}

// TCPConn returns the connection beneath, if that is plain: once the first byte is read, nothing is in between.
func (b *begun) TCPConn() (tcp *net.TCPConn, ok bool) {
	switch c := b.Conn.(type) {
	case *net.TCPConn:
		tcp, ok = c, true
	case *proxyproto.Conn:
		tcp, ok = c.TCPConn()
	}
	return tcp, ok && b.read
}

// begunTLS tells net/http that requests came by TLS.
type begunTLS struct {
	*begun
	tls *tls.Conn
}

// ConnectionState is the TLS connection's.
func (b *begunTLS) ConnectionState() tls.ConnectionState { return b.tls.ConnectionState() }
