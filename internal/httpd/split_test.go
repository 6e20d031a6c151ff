package httpd

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is a listener with one connection.
type pipe struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error   { close(p.done); return nil }
func (p *pipe) Addr() net.Addr { return &net.TCPAddr{} }

type taker chan net.Conn

func (t taker) Serve(c net.Conn) { t <- c }

// Whatever comes goes to one of the two, whole.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "\x00\x01\x00\x00\x21\x12\xa4\x42", "\x03", "\x04", "\x16\x03\x01", "\xff", "\x40\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		l, turn := &pipe{make(chan net.Conn), make(chan struct{})}, make(taker, 1)
		s := split(l, nil, turn)
		defer func() { _ = s.Close() }()
		near, far := net.Pipe()
		l.conns <- far
		sorted := make(chan struct{})
		go func() {
			_, _ = near.Write(data)
			<-sorted // it is an error to do anything with a pipe whose other end is closed
			_ = near.Close()
		}()
		var got net.Conn
		forTURN := false
		select {
		case a := <-s.http:
			got = a.conn
		case got = <-turn:
			forTURN = true
		}
		close(sorted)
		defer func() { _ = got.Close() }()
		if forTURN != (data[0] <= 3) {
			t.Fatalf("%q: for TURN: %v", data, forTURN)
		}
		if all, err := io.ReadAll(got); err != nil || !bytes.Equal(all, data) {
			t.Fatalf("%q became %q: %v", data, all, err)
		}
	})
}

// Who says nothing is sent away, and does not hold up the others.
func TestSplitSilence(t *testing.T) {
	l, turn := &pipe{make(chan net.Conn), make(chan struct{})}, make(taker, 1)
	s := split(l, nil, turn)
	_, silent := net.Pipe()
	l.conns <- silent
	near, far := net.Pipe()
	l.conns <- far
	go func() { _, _ = near.Write([]byte("G")) }()
	if _, err := s.Accept(); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if err := silent.SetDeadline(time.Time{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the silent one is still open: %v", err)
	}
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	_ = far.Close()
	_ = near.Close()
}

// flaky is a listener that fails before each connection, as where files are used up for a moment.
type flaky struct {
	*pipe
	failed bool
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.failed = !f.failed; f.failed {
		return nil, errors.New("too many open files")
	}
	return f.pipe.Accept()
}

// Who says nothing is gone after a while, also where nobody ends the server; who has begun is not hurried.
func TestSplitPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := split(&flaky{pipe: &pipe{make(chan net.Conn), make(chan struct{})}}, nil, make(taker, 1))
		defer func() { _ = s.Close() }()
		conns := s.Listener.(*flaky).conns
		accept := func() net.Conn {
			for {
				conn, err := s.Accept()
				if errors.Is(err, net.ErrClosed) {
					t.Fatal(err)
				}
				if err == nil {
					return conn
				}
			}
		}
		near, far := net.Pipe()
		go func() {
			conns <- far
			_, _ = near.Write([]byte("G"))
		}()
		begun := accept()
		go func() {
			time.Sleep(3 * headerTimeout)
			_, _ = near.Write([]byte("ET"))
			_ = near.Close()
		}()
		if all, err := io.ReadAll(begun); err != nil || string(all) != "GET" {
			t.Errorf("%q, %v", all, err)
		}
		_ = begun.Close()

		silent, other := net.Pipe()
		go func() { conns <- other }()
		go func() { _, _ = s.Accept() }() // passes on the error before it
		began := time.Now()
		if _, err := silent.Read(make([]byte, 1)); err != io.EOF || time.Since(began) != headerTimeout {
			t.Errorf("the silent one: %v after %s", err, time.Since(began))
		}
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.looking) > 0 {
			t.Errorf("%d connections are remembered", len(s.looking))
		}
	})
}
