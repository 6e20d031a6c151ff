package httpd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// noted tells when a connection is closed.
type noted struct {
	net.Conn
	once   sync.Once
	closed chan time.Time
}

func (n *noted) Close() error {
	n.once.Do(func() { n.closed <- time.Now() })
	return n.Conn.Close()
}

// How long a site's uploads and downloads take is not bounded, but who neither sends nor receives any more is gone after
// silence. Others are not held to anything: a live stream may have nothing to say for as long as it likes.
func TestSiteSilence(t *testing.T) {
	const post = "POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
	for _, c := range []struct {
		name, sent  string
		reads, says int // portions, bytes: one each silence/3
	}{
		{"reads nothing", "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 0, 0},
		{"reads a little, then nothing", "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 9, 0},
		{"reads a little of a file", "GET /file HTTP/1.1\r\nHost: x\r\n\r\n", 9, 0},
		{"sends nothing", post, 0, 0},
		{"sends a little, then nothing", post, 0, 9},
		{"sends nothing of what nobody wants", strings.Replace(post, "/in", "/out", 1), 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop, near, closed := dialSite(t)
				defer stop()
				if _, err := io.WriteString(near, c.sent); err != nil {
					t.Fatal(err)
				}
				for range c.says {
					time.Sleep(silence / 3)
					if _, err := near.Write([]byte("x")); err != nil {
						t.Fatal(err)
					}
				}
				for range c.reads {
					time.Sleep(silence / 3)
					if _, err := io.ReadFull(near, make([]byte, portion)); err != nil {
						t.Fatal(err)
					}
				}
				if c.sent[0] == 'P' {
					go func() { _, _ = io.Copy(io.Discard, near) }()
				}
				last := time.Now()
				select {
				case at := <-closed:
					if took := at.Sub(last); took < silence/3 || took > silence+5*time.Second {
						t.Errorf("it took %s, want %s", took, silence)
					}
				case <-time.After(time.Hour):
					t.Error("it goes on for ever")
				}
			})
		})
	}
	t.Run("a deadline of the handler's own", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stop, near, closed := dialSite(t)
			defer stop()
			start := time.Now()
			_, err := io.WriteString(near, strings.Replace(post, "/in", "/quick", 1))
			go func() { _, _ = io.Copy(io.Discard, near) }()
			for err == nil {
				time.Sleep(time.Second)
				_, err = near.Write([]byte("x"))
			}
			if took := (<-closed).Sub(start); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	})
	t.Run("a socket", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stop, near, _ := dialSite(t)
			defer stop()
			if _, err := io.WriteString(near, "GET /socket HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if said, err := io.ReadAll(near); err != nil || string(said) != "hello" {
				t.Errorf("%q, %v", said, err)
			}
		})
	})
	t.Run("a live stream, and the next request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stop, near, _ := dialSite(t)
			defer stop()
			from := bufio.NewReader(near)
			for range 2 {
				if _, err := io.WriteString(near, "GET /live HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				response, err := http.ReadResponse(from, nil)
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(response.Body); err != nil || string(body) != "123" {
					t.Errorf("%q, %v", body, err)
				}
			}
		})
	})
}

// dialSite connects to a site on a network of its own. closed tells when the site ends the connection.
func dialSite(t *testing.T) (stop func(), near net.Conn, closed <-chan time.Time) {
	network := pipes{make(chan net.Conn), make(chan struct{})}
	s := &Site{server: &Server{log: slog.New(slog.DiscardHandler), listener: network}}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			big := make([]byte, 16*portion)
			switch r.URL.Path {
			case "/in":
				_, _ = io.Copy(io.Discard, r.Body)
			case "/big":
				_, _ = w.Write(big)
			case "/file":
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(big))
			case "/quick":
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(5 * time.Second))
				_, _ = io.Copy(io.Discard, r.Body)
			case "/socket":
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				time.AfterFunc(3*silence, func() {
					_, _ = io.WriteString(conn, "hello")
					_ = conn.Close()
				})
			case "/live":
				for i := range 3 {
					_, _ = fmt.Fprint(w, i+1)
					_ = http.NewResponseController(w).Flush()
					time.Sleep(3 * silence)
				}
			}
		}))
	}()
	near, far := net.Pipe()
	end := make(chan time.Time, 1)
	network.conns <- &noted{Conn: far, closed: end}
	return func() {
		_ = near.Close()
		cancel()
		<-served
	}, near, end
}
