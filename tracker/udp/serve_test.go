package udp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/starling-p2p/starling/tracker/udp"
)

// Real sockets: all of a port's are served, and closing ends it.
func TestServe(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			w := newWorld(t, udp.Options{})
			conns, err := udp.Listen(t.Context(), addr)
			if err != nil {
				t.Skip(err) // a machine without IPv6
			}
			served := make(chan error, len(conns))
			for _, c := range conns {
				go func() { served <- w.handler.Serve(c) }()
			}
			at := conns[0].LocalAddr().String()
			if _, err := udp.Listen(t.Context(), at); err == nil {
				t.Error("a second tracker got the same port")
			}
			for range 20 { // from many ports, which the system spreads
				c, err := net.Dial("udp", at)
				if err != nil {
					t.Fatal(err)
				}
				answer := make([]byte, 2048)
				if _, err := c.Write(header(magic, connect)); err != nil {
					t.Fatal(err)
				}
				n, err := c.Read(answer)
				if err != nil || n != 16 {
					t.Fatal(n, err)
				}
				_, _ = c.Write(request{hash: 'h', id: 'a', port: 1}.packet(binary.BigEndian.Uint64(answer[8:])))
				if n, err = c.Read(answer); err != nil || n != 20 {
					t.Fatal(n, err)
				}
				_ = c.Close()
			}
			for _, c := range conns {
				_ = c.Close()
			}
			for range conns {
				if err := <-served; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// More at once than the system gives with one call, then one by one; and a flood does not keep a socket open.
func TestBurst(t *testing.T) {
	for name, listen := range map[string]func() ([]net.PacketConn, error){
		"of Listen": func() ([]net.PacketConn, error) { return udp.Listen(t.Context(), "127.0.0.1:0") },
		"another": func() ([]net.PacketConn, error) {
			c, err := net.ListenPacket("udp", "127.0.0.1:0")
			return []net.PacketConn{c}, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			conns, err := listen()
			if err != nil {
				t.Fatal(err)
			}
			burst(t, newWorld(t, udp.Options{}).handler, conns)
		})
	}
}

func burst(t *testing.T, h *udp.Handler, conns []net.PacketConn) {
	const burst = 150
	client, err := net.Dial("udp", conns[0].LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ask := func(i int) {
		if _, err := client.Write(binary.BigEndian.AppendUint32(header(magic, connect)[:12], uint32(i))); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(i int) {
		answer := make([]byte, 2048)
		n, err := client.Read(answer)
		if err != nil || n != 16 || binary.BigEndian.Uint32(answer[4:]) != uint32(i) {
			t.Fatalf("packet %d was answered by %x, %v", i, answer[:n], err)
		}
	}
	for i := range burst {
		ask(i)
	}
	var serving sync.WaitGroup
	for _, c := range conns {
		serving.Go(func() {
			if err := h.Serve(c); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range burst {
		hear(i)
	}
	for i := range burst {
		ask(i)
		hear(i)
	}
	flood, dry := context.WithCancel(t.Context())
	var flooding sync.WaitGroup
	flooding.Go(func() {
		for flood.Err() == nil {
			_, _ = client.Write([]byte("no request")) // nobody may be there any more
		}
	})
	for _, c := range conns {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	serving.Wait()
	dry()
	flooding.Wait()
}

// scripted is a connection of somebody else's kind, on which reading goes as it is told. It counts answers.
type scripted struct {
	net.PacketConn
	reads   []func([]byte) (int, error)
	answers int
}

func (s *scripted) ReadFrom(b []byte) (int, net.Addr, error) {
	next := s.reads[0]
	s.reads = s.reads[1:]
	n, err := next(b)
	return n, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, err
}

func (s *scripted) WriteTo(b []byte, to net.Addr) (int, error) {
	s.answers++
	return len(b), nil
}

// Some systems fail to read because an earlier answer did not arrive: only when nothing else comes is a socket given up.
// What is longer than there is room for is not answered.
func TestServeGivesUpLate(t *testing.T) {
	away := errors.New("connection reset")
	c := &scripted{}
	for _, packet := range [][]byte{header(magic, connect), append(header(magic, connect), make([]byte, 4000)...), header(magic, connect), nil} {
		for range 99 {
			c.reads = append(c.reads, func([]byte) (int, error) { return 0, away })
		}
		c.reads = append(c.reads, func(b []byte) (int, error) {
			if packet == nil {
				return 0, away
			}
			return copy(b, packet), nil
		}, func(b []byte) (int, error) { return copy(b, header(magic, connect)), nil })
	}
	if err := newWorld(t, udp.Options{}).handler.Serve(c); !errors.Is(err, away) {
		t.Errorf("given up with %v", err)
	}
	if len(c.reads) != 1 || c.answers != 5 {
		t.Errorf("%d answers, and %d reads were left", c.answers, len(c.reads))
	}
}

// The sockets of Listen can be used without a Handler, as any others.
func TestListen(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			conns, err := udp.Listen(t.Context(), addr)
			if err != nil {
				t.Skip(err) // a machine without IPv6
			}
			for _, c := range conns {
				_ = c.SetReadDeadline(time.Now())
				if _, _, err := c.ReadFrom(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("after its time: %v", err)
				}
				_ = c.SetDeadline(time.Time{})
			}
			var echoes sync.WaitGroup
			for _, c := range conns {
				echoes.Go(func() {
					b := make([]byte, 99)
					n, from, err := c.ReadFrom(b)
					for ; err == nil; n, from, err = c.ReadFrom(b) {
						if _, err := c.WriteTo(b[:n], from); err != nil {
							t.Error(err)
						}
					}
					if !errors.Is(err, net.ErrClosed) {
						t.Error(err)
					}
				})
			}
			for range 10 { // from many ports, which the system spreads
				client, err := net.Dial("udp", conns[0].LocalAddr().String())
				if err != nil {
					t.Fatal(err)
				}
				_, _ = client.Write([]byte("echo"))
				b := make([]byte, 99)
				if n, err := client.Read(b); err != nil || string(b[:n]) != "echo" {
					t.Errorf("%q, %v", b[:n], err)
				}
				_ = client.Close()
			}
			for _, c := range conns {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				if err := c.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the second time: %v", err)
				}
				if _, err := c.WriteTo([]byte("late"), c.LocalAddr()); !errors.Is(err, net.ErrClosed) {
					t.Errorf("sent after the end: %v", err)
				}
			}
			echoes.Wait()
		})
	}
}

func TestListenAndServe(t *testing.T) {
	w := newWorld(t, udp.Options{})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := w.handler.ListenAndServe(ctx, "127.0.0.1:0"); err != nil {
		t.Error(err)
	}
	if err := w.handler.ListenAndServe(ctx, "192.0.2.1:1"); err == nil {
		t.Error("listening at somebody else's address")
	}
}
