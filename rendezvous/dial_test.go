package rendezvous_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/link"
	"github.com/starling-p2p/starling/rendezvous"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// secureTracker is our tracker behind TLS.
func secureTracker(t *testing.T) (*httptest.Server, *tls.Config) {
	t.Helper()
	store := tracker.New[ws.Handle](tracker.Options{Expiry: 2 * interval})
	front := ws.New(store, ws.Options{Interval: interval})
	server := httptest.NewUnstartedServer(front)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // some clients are meant to fail
	server.StartTLS()
	t.Cleanup(func() {
		_ = front.Close(context.Background())
		server.Close()
	})
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, &tls.Config{RootCAs: roots}
}

// announces waits until a client, connected as the options say, was answered or failed.
func announces(t *testing.T, tracker string, o rendezvous.Options) rendezvous.TrackerStatus {
	t.Helper()
	if o.Proxy == nil {
		o.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	o.Links = &peer{}
	c := rendezvous.New(o)
	defer c.Close()
	torrent := c.Add(hash(1), []string{tracker}, func() (left, up, down int64) { return 0, 0, 0 })
	for {
		if s := torrent.Status()[0]; s.Connected || s.Err != nil {
			return s
		}
		time.Sleep(time.Millisecond)
	}
}

func wss(server *httptest.Server) string {
	return strings.Replace(server.URL, "https", "wss", 1) + "/announce"
}

func TestTLS(t *testing.T) {
	server, trust := secureTracker(t)
	if s := announces(t, wss(server), rendezvous.Options{TLS: trust}); !s.Connected {
		t.Errorf("got %+v", s)
	}
	if s := announces(t, wss(server), rendezvous.Options{}); s.Connected || !strings.Contains(s.Err.Error(), "certificate") {
		t.Errorf("a certificate that nobody signed: %+v", s)
	}
}

func TestProxies(t *testing.T) {
	server, trust := secureTracker(t)
	proxy := testnet.Proxy(t, nil)
	for name, c := range map[string]struct{ via, fails string }{
		"http":        {"http://user:secret@" + proxy, ""},
		"refused":     {"http://user:wrong@" + proxy, "407"},
		"nobody":      {"http://127.0.0.1:1", "connecting to the proxy"},
		"no proxy":    {"http://" + server.Listener.Addr().String(), "asking the proxy"},
		"socks":       {"socks5://" + socksServer(t), ""},
		"other kinds": {"gopher://127.0.0.1:1", "not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			s := announces(t, wss(server), rendezvous.Options{TLS: trust, Proxy: func(r *http.Request) (*url.URL, error) {
				if r.URL.Scheme != "https" {
					t.Errorf("asked about %s", r.URL)
				}
				return url.Parse(c.via)
			}})
			if c.fails == "" && !s.Connected || c.fails != "" && (s.Err == nil || !strings.Contains(s.Err.Error(), c.fails)) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// socksServer is a proxy of RFC 1928, for IPv4 addresses.
func socksServer(t *testing.T) string {
	return testnet.Listener(t, func(conn net.Conn) {
		head := make([]byte, 10)
		if _, err := io.ReadFull(conn, head[:2]); err != nil {
			return
		}
		if _, err := io.ReadFull(conn, make([]byte, head[1])); err != nil {
			return
		}
		_, _ = conn.Write([]byte{5, 0})
		if _, err := io.ReadFull(conn, head); err != nil || head[3] != 1 {
			return
		}
		to, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: head[4:8], Port: int(head[8])<<8 | int(head[9])})
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		testnet.Join(conn, to)
	})
}

// A server that never comes to the point cannot fill memory.
func TestAnEndlessHandshake(t *testing.T) {
	address := testnet.Listener(t, func(conn net.Conn) {
		_, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n")
		for err == nil {
			_, err = io.WriteString(conn, "X: "+strings.Repeat("x", 1000)+"\r\n")
		}
	})
	if s := announces(t, "ws://"+address, rendezvous.Options{}); s.Err == nil || !strings.Contains(s.Err.Error(), "64 KiB") {
		t.Errorf("got %+v", s)
	}
}

// The whole way: a tracker, two peers, and bytes between them.
func TestTwoPeersMeet(t *testing.T) {
	at := strings.Replace(testnet.Serve(t, testnet.Config(), testnet.Files()), "http", "ws", 1) + "/announce"
	open := func(name string, left int64) chan *link.Channel {
		channels := make(chan *link.Channel, 1)
		id := link.PeerID([]byte("-SL0001-" + name))
		links, err := link.New(link.Options{PeerID: id, Listen: "127.0.0.1:0", Channel: func(c *link.Channel) { channels <- c }})
		if err != nil {
			t.Fatal(err)
		}
		client := rendezvous.New(rendezvous.Options{PeerID: id, Links: links})
		client.Add(hash(1), []string{at}, func() (int64, int64, int64) { return left, 0, 0 })
		t.Cleanup(func() {
			_ = client.Close()
			_ = links.Close()
		})
		return channels
	}
	leecher := open("leecherleech", 1)
	seeder := open("seederseeder", 0)
	a, b := <-leecher, <-seeder
	go func() { _, _ = a.Write([]byte("hello")) }()
	said := make([]byte, 5)
	if _, err := io.ReadFull(b, said); err != nil || string(said) != "hello" {
		t.Errorf("got %q, %v", said, err)
	}
}
