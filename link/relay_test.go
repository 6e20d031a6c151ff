package link_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"

	"github.com/starling-p2p/starling/internal/testnet"
)

// turnServer relays on this machine for who knows the password.
func turnServer(t *testing.T) (*turn.Server, webrtc.ICEServer) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	return turnServerAt(t, conn)
}

func turnServerAt(t *testing.T, conn net.PacketConn) (*turn.Server, webrtc.ICEServer) {
	t.Helper()
	server := turnServerOf(t, turn.ServerConfig{PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: conn, RelayAddressGenerator: here()}}})
	return server, webrtc.ICEServer{URLs: []string{"turn:" + conn.LocalAddr().String()}, Username: "me", Credential: "password"}
}

func turnServerOf(t *testing.T, c turn.ServerConfig) *turn.Server {
	t.Helper()
	c.Realm = "test"
	c.AuthHandler = func(r *turn.RequestAttributes) (string, []byte, bool) {
		return r.Username, turn.GenerateAuthKey(r.Username, "test", "password"), true
	}
	server, err := turn.NewServer(c)
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	return server
}

// here relays at this machine's own address.
func here() turn.RelayAddressGenerator {
	return &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"}
}

// The way through a relay is offered; what is allocated there ends with the offer.
func TestRelaysAreOffered(t *testing.T) {
	server, at := turnServer(t)
	n := newNode(t, '1', habits{servers: func(context.Context) ([]webrtc.ICEServer, error) { return []webrtc.ICEServer{at}, nil }})
	o, err := n.Offer(t.Context(), hash(1))
	must(t, err)
	if !strings.Contains(o.SDP, " typ relay ") {
		t.Error("no relay in", o.SDP)
	}
	if server.AllocationCount() == 0 {
		t.Error("nothing is allocated")
	}
	answer, err := newNode(t, '2', habits{}).Answer(t.Context(), hash(1), n.id, o.SDP)
	must(t, err)
	if strings.Contains(answer, " typ relay ") {
		t.Error("a relay that nobody named")
	}
	o.Close()
	poll(func() bool { return server.AllocationCount() == 0 })
}

// Where only a proxy leads out of a network, and only it knows names, a relay is reached through it.
func TestRelaysThroughAProxy(t *testing.T) {
	web := httptest.NewTLSServer(http.NotFoundHandler())
	defer web.Close()
	trust := x509.NewCertPool()
	trust.AddCert(web.Certificate()) // which is example.com's
	for url, c := range map[string]struct {
		secure bool
		via    string
		found  bool
	}{
		"turn:example.com?transport=tcp":       {false, "http://user:secret@", true},
		"turns:example.com?transport=tcp":      {true, "http://user:secret@", true},
		"turns:example.com:443?transport=tcp":  {true, "http://user:secret@", true},
		"turns:elsewhere.com?transport=tcp":    {true, "http://user:secret@", false}, // by its certificate
		"turn:example.com:3478?transport=tcp":  {false, "http://user:wrong@", false},
		"turns:example.com:3478?transport=tcp": {false, "http://user:secret@", false}, // no TLS there
	} {
		t.Run(url+" "+c.via, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			at := l.Addr().String()
			if c.secure {
				l = tls.NewListener(l, web.TLS)
			}
			turnServerOf(t, turn.ServerConfig{ListenerConfigs: []turn.ListenerConfig{{Listener: l, RelayAddressGenerator: here()}}})
			proxy := c.via + testnet.Proxy(t, map[string]string{
				"example.com:3478": at, "example.com:5349": at, "example.com:443": at, "elsewhere.com:5349": at,
			})
			n := newNode(t, '1', habits{
				servers: func(context.Context) ([]webrtc.ICEServer, error) {
					return []webrtc.ICEServer{{URLs: []string{url}, Username: "me", Credential: "password"}}, nil
				},
				proxy: proxy, trust: trust,
			})
			o, err := n.Offer(t.Context(), hash(1))
			must(t, err)
			defer o.Close()
			if strings.Contains(o.SDP, " typ relay ") != c.found {
				t.Error("got", o.SDP)
			}
		})
	}
}

// lossy loses requests for permissions, and says so; later it refuses them.
type lossy struct {
	net.PacketConn
	refuse atomic.Bool
	lost   chan struct{}
}

func (l *lossy) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.PacketConn.ReadFrom(b)
		if err != nil || n < 20 || b[0] != 0 || b[1] != 8 {
			return n, from, err
		}
		if l.refuse.Load() {
			_, _ = l.WriteTo(append(append([]byte{1, 0x18, 0, 8}, b[4:20]...), 0, 9, 0, 4, 0, 0, 4, 0), from) // 400
		}
		select {
		case l.lost <- struct{}{}:
		default:
		}
	}
}

// Whoever ends does not wait for a relay that does not answer any more.
func TestCloseWithoutTheRelay(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	way := &lossy{PacketConn: conn, lost: make(chan struct{}, 1)}
	_, at := turnServerAt(t, way)
	n := newNode(t, '1', habits{servers: func(context.Context) ([]webrtc.ICEServer, error) { return []webrtc.ICEServer{at}, nil }})
	other := newNode(t, '2', habits{})
	o, err := n.Offer(t.Context(), hash(1))
	must(t, err)
	answer, err := other.Answer(t.Context(), hash(1), n.id, o.SDP)
	must(t, err)
	must(t, o.Accept(t.Context(), other.id, answer))
	<-way.lost
	since := time.Now()
	must(t, n.Close())
	if took := time.Since(since); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	way.refuse.Store(true)
	must(t, n.Close()) // nothing is to be left of it
}
