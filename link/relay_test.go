package link_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"
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
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "test",
		AuthHandler: func(r *turn.RequestAttributes) (string, []byte, bool) {
			return r.Username, turn.GenerateAuthKey(r.Username, "test", "password"), true
		},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: conn, RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
			RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1",
		}}},
	})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	return server, webrtc.ICEServer{URLs: []string{"turn:" + conn.LocalAddr().String()}, Username: "me", Credential: "password"}
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
