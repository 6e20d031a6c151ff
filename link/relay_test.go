package link_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"
)

// turnServer relays on this machine for who knows the password.
func turnServer(t *testing.T) (*turn.Server, webrtc.ICEServer) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
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
