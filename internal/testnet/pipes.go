package testnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// Pipes is a network without buffers, delays or a real clock: a net.Listener whose connections are net.Pipes.
type Pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

// NewPipes returns a network with nobody on it.
func NewPipes() *Pipes { return &Pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

// Dial returns the caller's end; the other end takes it to come from the address.
func (p *Pipes) Dial(t testing.TB, from string) net.Conn {
	t.Helper()
	conn, err := p.DialContext(context.Background(), "tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// DialContext is for clients that make their own connections. The address is where the other end takes it to come from.
func (p *Pipes) DialContext(ctx context.Context, _, from string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- named{far, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 1024))}:
		return near, nil
	case <-p.done:
		return nil, errors.New("nobody listens any more")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Accept is for the server.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close ends listening; connections go on.
func (p *Pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr names nothing in particular.
func (p *Pipes) Addr() net.Addr { return &net.TCPAddr{} }

type named struct {
	net.Conn
	remote net.Addr
}

func (n named) RemoteAddr() net.Addr { return n.remote }
