package relay_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"github.com/starling-p2p/starling/relay"
)

// talker speaks TURN by hand: a turn.Client hides when it asks for a channel again.
type talker struct {
	t    *testing.T
	conn net.PacketConn
	to   net.Addr
	user relay.Credentials
	// nonce is what the relay named last.
	nonce stun.Nonce
}

func (w *world) talker(network string) *talker {
	w.t.Helper()
	k := &talker{t: w.t, user: w.Credentials()}
	stream, err := net.Dial(network, w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	k.conn, k.to = turn.NewSTUNConn(stream), stream.RemoteAddr()
	if network == "udp" {
		k.conn = connected{stream.(*net.UDPConn)}
	}
	w.t.Cleanup(func() { _ = stream.Close() })
	if code := k.ask(stun.MethodAllocate, transport); code != stun.CodeUnauthorized {
		w.t.Fatalf("a stranger is answered %d", code)
	}
	if code := k.ask(stun.MethodAllocate, transport); code != 0 {
		w.t.Fatalf("allocating: %d", code)
	}
	return k
}

type connected struct{ *net.UDPConn }

func (c connected) WriteTo(p []byte, _ net.Addr) (int, error) { return c.Write(p) }

var transport = stun.RawAttribute{Type: stun.AttrRequestedTransport, Length: 4, Value: []byte{17, 0, 0, 0}}

// ask returns the error code of the answer, 0 where it is none.
func (k *talker) ask(method stun.Method, with ...stun.Setter) stun.ErrorCode {
	k.t.Helper()
	all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, with...)
	if len(k.nonce) > 0 {
		all = append(all, stun.NewUsername(k.user.User), stun.NewRealm("starling"), k.nonce,
			stun.NewLongTermIntegrity(k.user.User, "starling", k.user.Password))
	}
	question := stun.MustBuild(all...)
	if _, err := k.conn.WriteTo(question.Raw, k.to); err != nil {
		k.t.Fatal(err)
	}
	_ = k.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	buffer := make([]byte, 2048)
	for {
		n, _, err := k.conn.ReadFrom(buffer)
		if err != nil {
			k.t.Fatal(err)
		}
		answer := &stun.Message{Raw: buffer[:n]}
		if answer.Decode() != nil || answer.TransactionID != question.TransactionID {
			continue
		}
		_ = k.nonce.GetFrom(answer)
		var code stun.ErrorCodeAttribute
		_ = code.GetFrom(answer)
		return code.Code
	}
}

func (k *talker) bind(number uint16, peer *net.UDPAddr) stun.ErrorCode {
	k.t.Helper()
	return k.ask(stun.MethodChannelBind, at(peer),
		stun.RawAttribute{Type: stun.AttrChannelNumber, Length: 4, Value: []byte{byte(number >> 8), byte(number), 0, 0}})
}

// at is an XOR-PEER-ADDRESS.
func at(peer *net.UDPAddr) stun.Setter { return peerAddress{peer} }

type peerAddress struct{ *net.UDPAddr }

func (p peerAddress) AddTo(m *stun.Message) error {
	return (&stun.XORMappedAddress{IP: p.IP, Port: p.Port}).AddToAs(m, stun.AttrXORPeerAddress)
}

// An allocation that has all the channels and peers that it may keeps them for as long as it asks for that.
func TestRefreshingAll(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			k := listen(t, options()).talker(network)
			peer := func(i int) *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(8, 8, 8, byte(i)), Port: 1000 + i} }
			for range 2 { // to begin with, and again
				for i := range 64 {
					if code := k.bind(0x4000+uint16(i), peer(i)); code != 0 {
						t.Fatalf("channel %d: %d", i, code)
					}
				}
			}
			if code := k.ask(stun.MethodCreatePermission, at(peer(63))); code != 0 {
				t.Errorf("a peer that it has: %d", code)
			}
			// One more is refused, also for a peer whose address it has.
			for _, p := range []*net.UDPAddr{peer(64), {IP: peer(1).IP, Port: 2}} {
				if code := k.bind(0x4100, p); code == 0 {
					t.Errorf("one channel more, to %v", p)
				}
			}
			if code := k.bind(0x4000, peer(64)); code == 0 {
				t.Error("a channel leads to somebody else")
			}
			if code := k.ask(stun.MethodCreatePermission, at(peer(64))); code == 0 {
				t.Error("one peer more")
			}
			if code := k.bind(0x403f, peer(63)); code != 0 {
				t.Errorf("after all that: %d", code)
			}
		})
	}
}

// What comes from those whom a client has not permitted takes nothing of what its allocation may carry.
func TestUnpermitted(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			o := options()
			o.Private, o.Rate = true, 1
			w := listen(t, o)
			conn := w.allocate(network)
			peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = peer.Close() }()
			stranger, err := net.ListenPacket("udp4", "127.0.0.2:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stranger.Close() }()
			carry(t, conn, peer, "permit")
			for i := range 20 {
				for range 10 {
					if _, err := stranger.WriteTo(make([]byte, 1400), conn.LocalAddr()); err != nil {
						t.Fatal(err)
					}
				}
				carry(t, peer, conn, fmt.Sprint(i))
			}
			if s := w.Stats(); s.ToClients > 1<<12 || s.Refused.Rate > 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// ChannelData that says more than it has is dropped: what lies behind it in memory came from others.
func TestFalseLengths(t *testing.T) {
	o := options()
	o.Private = true
	k := listen(t, o).talker("udp")
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	if code := k.bind(0x4000, peer.LocalAddr().(*net.UDPAddr)); code != 0 {
		t.Fatalf("binding: %d", code)
	}
	// Who reads two bytes of that ends for all.
	number := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodChannelBind, stun.ClassRequest), stun.RawAttribute{Type: stun.AttrChannelNumber, Value: []byte{0x40}})
	for _, p := range []string{string(number.Raw), "\x40\x00\x00\x09a", "\x40\x00\xff\xff", "\x40\x00\x00", "\x40", "\x40\x00\x00\x02ok, and more"} {
		if _, err := k.conn.WriteTo([]byte(p), k.to); err != nil {
			t.Fatal(err)
		}
	}
	buffer := make([]byte, 2048)
	_ = peer.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, _, err := peer.ReadFrom(buffer); err != nil || string(buffer[:n]) != "ok" {
		t.Errorf("%q came first: %v", buffer[:n], err)
	}
}
