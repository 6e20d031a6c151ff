package httpd

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network without buffers or a real clock.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

// Those who say little, slowly, are not waited for: after headerTimeout or readTimeout they are gone.
func TestSlowLoris(t *testing.T) {
	for _, c := range []struct {
		name  string
		start string
		every time.Duration
		drip  string
		gone  time.Duration
	}{
		{"nothing at all", "", time.Hour, "", headerTimeout},
		{"a header line every other second", "GET /announce?info_hash=h HTTP/1.1\r\nHost: x\r\n", 2 * time.Second, "X-More: 1\r\n", headerTimeout},
		{"one byte a second", "GET /announce?", time.Second, "x", headerTimeout},
		{"a body that never ends", "POST /announce HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", time.Second, "x", readTimeout},
		{"one request, then silence", "GET /scrape?x HTTP/1.1\r\nHost: x\r\n\r\n", time.Hour, "", idleTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Server{log: slog.New(slog.DiscardHandler)}
				server := s.newHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(w, "ok")
				}))
				network := pipes{make(chan net.Conn), make(chan struct{})}
				go server.Serve(network)
				defer server.Close()
				near, far := net.Pipe()
				defer near.Close()
				network.conns <- far
				start := time.Now()
				ended := make(chan time.Duration, 1)
				go func() {
					_, _ = io.Copy(io.Discard, near)
					ended <- time.Since(start)
				}()
				if _, err := io.Copy(near, bytes.NewReader([]byte(c.start))); err != nil {
					t.Fatal(err)
				}
				drip := time.NewTicker(c.every)
				defer drip.Stop()
				var took time.Duration
				for took == 0 {
					select {
					case took = <-ended:
					case <-drip.C:
						_, _ = io.Copy(near, strings.NewReader(c.drip)) // it may be over
					}
				}
				// A little longer: what is left to be read is read before the end.
				if took > c.gone+5*time.Second {
					t.Errorf("it took %s, want %s", took, c.gone)
				}
			})
		})
	}
}
