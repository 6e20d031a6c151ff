package relay_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/relay"
)

// world is a relay, and where it listens.
type world struct {
	*relay.Relay
	t  *testing.T
	at string
}

func options() relay.Options {
	return relay.Options{
		MaxAllocations: 10, MaxPerAddress: 10, Rate: 1e9, TotalRate: 1e9,
		Secret: []byte("a secret of the tests"),
	}
}

// listen runs a relay on a free port of this machine, TCP included; over IPv4 where the options name no address.
func listen(t *testing.T, o relay.Options) *world {
	t.Helper()
	host := "127.0.0.1"
	if o.Addr.IsValid() {
		host = o.Addr.Addr().String()
	}
	for {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Skipf("this machine has no %s", host)
		}
		if err != nil {
			t.Fatal(err)
		}
		o.Addr = l.Addr().(*net.TCPAddr).AddrPort()
		r, err := relay.Listen(o)
		if errors.Is(err, syscall.EADDRINUSE) {
			_ = l.Close()
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		accepted := make(chan struct{})
		go func() {
			defer close(accepted)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				r.Serve(conn)
			}
		}()
		t.Cleanup(func() {
			_ = l.Close()
			_ = r.Close()
			<-accepted
		})
		return &world{r, t, l.Addr().String()}
	}
}

// client is one that may allocate, by "udp" or "tcp".
func (w *world) client(network string, c relay.Credentials) *turn.Client {
	w.t.Helper()
	var conn net.PacketConn
	var err error
	if network == "tcp" {
		stream, e := net.Dial("tcp", w.at)
		if e != nil {
			w.t.Fatal(e)
		}
		conn = turn.NewSTUNConn(stream)
	} else {
		host, _, _ := net.SplitHostPort(w.at)
		conn, err = net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := turn.NewClient(&turn.ClientConfig{STUNServerAddr: w.at, TURNServerAddr: w.at, Username: c.User, Password: c.Password, Conn: conn})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		client.Close()
		_ = conn.Close()
	})
	return client
}

// allocated is a client that has an address at the relay.
func (w *world) allocated(network string) (*turn.Client, net.PacketConn) {
	w.t.Helper()
	client := w.client(network, w.Credentials())
	conn, err := client.Allocate()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return client, conn
}

func (w *world) allocate(network string) net.PacketConn {
	w.t.Helper()
	_, conn := w.allocated(network)
	return conn
}

// until waits for what the relay counts.
func (w *world) until(what string, is func(relay.Stats) bool) {
	w.t.Helper()
	testnet.UntilRight(w.t, what, func() error {
		if n := w.Stats(); !is(n) {
			return fmt.Errorf("%+v", n)
		}
		return nil
	})
}

// carry sends from one end to the other until it arrives: datagrams may be lost, and the first may come before the
// other end has permitted them.
func carry(t *testing.T, from, to net.PacketConn, text string) {
	t.Helper()
	buffer := make([]byte, 2048)
	for range 100 {
		if _, err := from.WriteTo([]byte(text), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		_ = to.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		for {
			n, sender, err := to.ReadFrom(buffer)
			if err != nil {
				break
			}
			if string(buffer[:n]) != text {
				continue
			}
			if sender.String() != from.LocalAddr().String() {
				t.Fatalf("it came from %v, not from %v", sender, from.LocalAddr())
			}
			return
		}
	}
	t.Fatalf("%q did not arrive", text)
}

// Two clients reach each other through the relay's own address, be that one of this machine or of a NAT before it.
func TestTwoClients(t *testing.T) {
	for _, c := range []struct{ at, public, one, other string }{
		{"127.0.0.1", "", "udp", "udp"},
		{"127.0.0.1", "203.0.113.5", "udp", "udp"},
		{"127.0.0.1", "203.0.113.5", "tcp", "udp"},
		{"127.0.0.1", "203.0.113.5", "tcp", "tcp"},
		{"::1", "", "udp", "udp"},
		{"::1", "2001:db8::5", "udp", "tcp"},
	} {
		t.Run(c.at+" "+c.public+" "+c.one+" "+c.other, func(t *testing.T) {
			o := options()
			want := c.at
			o.Addr = netip.AddrPortFrom(netip.MustParseAddr(c.at), 0)
			if c.public != "" {
				o.Public, want = []netip.Addr{netip.MustParseAddr(c.public)}, c.public
			}
			w := listen(t, o)
			a, b := w.allocate(c.one), w.allocate(c.other)
			if host, _, _ := net.SplitHostPort(a.LocalAddr().String()); host != want {
				t.Fatalf("relayed at %s, not at %s", host, want)
			}
			// The first ones go by indications; channels take over.
			_, _ = b.WriteTo([]byte("permit"), a.LocalAddr())
			for i := range 20 {
				carry(t, a, b, fmt.Sprint("there ", i))
				carry(t, b, a, fmt.Sprint("back ", i))
			}
			s := w.Stats()
			if s.Allocations != 2 || s.ToPeers == 0 || s.ToClients == 0 || s.Refused != (relay.Refused{}) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A server that is started with its machine may be there before the machine has an address, which may change later, too.
func TestAnotherAddress(t *testing.T) {
	w := listen(t, options())
	at := func() string {
		host, _, _ := net.SplitHostPort(w.allocate("udp").LocalAddr().String())
		return host
	}
	if got := at(); got != "127.0.0.1" {
		t.Fatalf("relayed at %s", got)
	}
	before := w.allocate("udp")
	w.Move(netip.MustParseAddr("127.0.0.2"))
	if got := at(); got != "127.0.0.2" || len(w.Public()) != 1 || w.Public()[0].String() != got {
		t.Errorf("relayed at %s, %v", got, w.Public())
	}
	a, b := w.allocate("udp"), w.allocate("udp")
	_, _ = b.WriteTo([]byte("permit"), a.LocalAddr())
	carry(t, a, b, "there")
	carry(t, b, a, "back")

	// To what was there before, the new address is one of this machine's, with all that listens there.
	service, err := net.ListenPacket("udp4", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Close() }()
	if _, err := before.WriteTo([]byte("hello"), service.LocalAddr()); err == nil {
		t.Error("what listens at the new address is reached")
	}
}

// On all addresses of this machine it is reached by each, and relays at those by which others know it, be they a router's.
// What listens on the loopback address is nobody's peer, whatever is allowed.
func TestAllAddresses(t *testing.T) {
	o := options()
	o.Addr, o.Private = netip.MustParseAddrPort("[::]:1"), true
	o.Public = []netip.Addr{netip.MustParseAddr("2001:db8::9"), netip.MustParseAddr("203.0.113.9")}
	w := listen(t, o)
	if all := w.Public(); len(all) != 2 || all[0] != o.Public[1] || all[1] != o.Public[0] {
		t.Errorf("it relays at %v", all)
	}
	_, port, _ := net.SplitHostPort(w.at)
	for host, public := range map[string]netip.Addr{"127.0.0.1": o.Public[1], "::1": o.Public[0]} {
		service, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("this machine has no %s: %v", host, err)
			continue
		}
		defer func() { _ = service.Close() }()
		by := world{w.Relay, t, net.JoinHostPort(host, port)}
		one, other := by.allocate("udp"), by.allocate("tcp")
		if at := one.LocalAddr().(*net.UDPAddr).AddrPort().Addr(); at != public {
			t.Errorf("who comes by %s is relayed at %v", host, at)
		}
		_, _ = other.WriteTo([]byte("permit"), one.LocalAddr())
		carry(t, one, other, "there")
		carry(t, other, one, "back")
		if _, err := one.WriteTo([]byte("hello"), service.LocalAddr()); err == nil {
			t.Errorf("what listens at %s is reached", host)
		}
	}
}

func TestEnds(t *testing.T) {
	w := listen(t, options())
	a := w.allocate("udp")
	w.allocate("tcp")
	if s := w.Stats(); s.Allocations != 2 || s.Streams != 1 {
		t.Errorf("%+v", s)
	}
	_ = a.Close()
	w.until("one allocation fewer", func(s relay.Stats) bool { return s.Allocations == 1 })
	_ = w.Close()
	if s := w.Stats(); s.Allocations != 0 || s.Streams != 0 {
		t.Errorf("after closing: %+v", s)
	}
	_ = w.Close()
}

func sign(secret, user string) relay.Credentials {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(user))
	return relay.Credentials{User: user, Password: base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}

func TestCredentials(t *testing.T) {
	w := listen(t, options())
	other := listen(t, options())
	none := options()
	none.Secret = nil
	secret := string(options().Secret)
	hour := func(hours int, rest string) string {
		return fmt.Sprint(time.Now().Add(time.Duration(hours)*time.Hour).Unix(), rest)
	}
	for _, c := range []struct {
		name string
		relay.Credentials
		ok bool
	}{
		{"given", w.Credentials(), true},
		{"another server's with the same secret", other.Credentials(), true},
		{"made by somebody else who knows the secret", sign(secret, hour(1, ":somebody")), true},
		{"ended", sign(secret, hour(-1, ":somebody")), false},
		{"wrong secret", sign("another", hour(1, ":somebody")), false},
		{"no password", relay.Credentials{User: hour(1, ":somebody"), Password: "guess"}, false},
		{"later than signed", relay.Credentials{User: hour(2, ":somebody"), Password: sign(secret, hour(1, ":somebody")).Password}, false},
		{"no time", sign(secret, "somebody"), false},
		{"no name", sign(secret, hour(1, ":")), false},
		{"negative time", sign(secret, "-1:somebody"), false},
		{"a time beyond all bounds", sign(secret, "99999999999999999999:somebody"), false},
		{"too long", sign(secret, hour(1, ":"+strings.Repeat("a", 200))), false},
	} {
		before := w.Stats().Refused.Credentials
		conn, err := w.client("udp", c.Credentials).Allocate()
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if refused := w.Stats().Refused.Credentials > before; refused == c.ok {
			t.Errorf("%s: counted as refused: %v", c.name, refused)
		}
	}

	// One that is given no secret makes one up that nobody guesses.
	w = listen(t, none)
	w.allocate("udp")
	for name, c := range map[string]relay.Credentials{
		"no secret": sign("", hour(1, ":somebody")), "zeros": sign(strings.Repeat("\x00", 32), hour(1, ":somebody")), "another's": listen(t, none).Credentials(),
	} {
		if conn, err := w.client("udp", c).Allocate(); err == nil {
			_ = conn.Close()
			t.Errorf("%s is good for a relay with a secret of its own", name)
		}
	}
}

func TestQuotas(t *testing.T) {
	for _, c := range []struct{ all, each int }{{2, 10}, {10, 2}} {
		o := options()
		o.MaxAllocations, o.MaxPerAddress = c.all, c.each
		w := listen(t, o)
		first := w.allocate("udp")
		w.allocate("tcp")
		if _, err := w.client("udp", w.Credentials()).Allocate(); err == nil || !strings.Contains(err.Error(), "486") {
			t.Errorf("%+v: the third: %v", c, err)
		}
		if n := w.Stats().Refused.Quota; n != 1 {
			t.Errorf("%+v: %d refused", c, n)
		}
		_ = first.Close()
		w.until("room", func(s relay.Stats) bool { return s.Allocations == 1 })
		w.allocate("udp")
	}
}

// One client may not have as many peers as it likes.
func TestPeersOfOneAllocation(t *testing.T) {
	client, _ := listen(t, options()).allocated("udp")
	for i := range 70 {
		err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(8, 8, 8, byte(i)), Port: 1})
		if (err == nil) != (i < 64) {
			t.Fatalf("peer %d: %v", i, err)
		}
	}
	if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(8, 8, 8, 1), Port: 1}); err != nil {
		t.Errorf("one that is known already: %v", err)
	}
}

func TestForbiddenPeers(t *testing.T) {
	w := listen(t, options())
	client, conn := w.allocated("udp")
	for _, ip := range []string{"10.0.0.1", "127.0.0.2", "169.254.169.254", "0.0.0.0", "224.0.0.1"} {
		if err := client.CreatePermission(&net.UDPAddr{IP: net.ParseIP(ip), Port: 53}); err == nil {
			t.Errorf("%s is permitted", ip)
		}
	}
	if n := w.Stats().Refused.Peer; n != 5 {
		t.Errorf("%d refused", n)
	}

	// The relay's own address is permitted, but nothing else that listens there is reached.
	service, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Close() }()
	if _, err := conn.WriteTo([]byte("hello"), service.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	w.until("refused", func(s relay.Stats) bool { return s.Refused.Peer > 5 })
	if s := w.Stats(); s.ToPeers != 0 {
		t.Errorf("%d bytes reached it", s.ToPeers)
	}
}

func TestPrivate(t *testing.T) {
	o := options()
	o.Private = true
	w := listen(t, o)
	conn := w.allocate("udp")
	service, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Close() }()
	carry(t, conn, service, "there")
	carry(t, service, conn, "back")
}

// Beyond its rate an allocation loses datagrams.
func TestRate(t *testing.T) {
	for _, c := range []struct{ each, all int }{{1, 0}, {0, 1}} {
		o := options()
		o.Rate, o.TotalRate = c.each, c.all
		w := listen(t, o)
		a, b := w.allocate("udp"), w.allocate("udp")
		_, _ = b.WriteTo(make([]byte, 1000), a.LocalAddr())
		for w.Stats().Refused.Rate == 0 {
			if _, err := a.WriteTo(make([]byte, 1000), b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
		// What was saved up, for each of two, and a little for the time that passes.
		if s := w.Stats(); s.ToPeers > 3*(1<<16) {
			t.Errorf("%+v: %d bytes passed", c, s.ToPeers)
		}
	}

	o := options()
	o.Rate, o.TotalRate = 0, 0
	w := listen(t, o)
	a, b := w.allocate("udp"), w.allocate("udp")
	w.until("without a rate, more than one saves up", func(s relay.Stats) bool {
		for range 10 {
			_, _ = a.WriteTo(make([]byte, 1000), b.LocalAddr())
		}
		return s.ToPeers > 4<<16
	})
	if n := w.Stats().Refused.Rate; n != 0 {
		t.Errorf("without a rate %d datagrams are beyond it", n)
	}
}

// RFC 5769: what others have computed.
func TestRFC5769(t *testing.T) {
	decode := func(s string) *stun.Message {
		raw, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
		if err != nil {
			t.Fatal(err)
		}
		m := &stun.Message{Raw: raw}
		if err := m.Decode(); err != nil {
			t.Fatal(err)
		}
		return m
	}
	// 2.1: a request, answered whatever else it says.
	request := decode(`000100582112a442b7e7a701bc34d686fa87dfae 802200105354554e207465737420636c69656e74
		002400046e0001ff 80290008932ff9b151263b36 000600096576746a3a68367659202020
		000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004e57a3bcf`)
	w := listen(t, options())
	answer := &stun.Message{Raw: w.raw(nil, request.Raw)}
	if err := answer.Decode(); err != nil || answer.Type != stun.BindingSuccess || answer.TransactionID != request.TransactionID {
		t.Errorf("%v: %v", answer, err)
	}
	if err := stun.Fingerprint.Check(answer); err != nil {
		t.Error(err)
	}
	// 2.4: the key of long-term credentials.
	long := decode(`000100602112a44278ad3433c6ad72c029da412e 00060012e3839ee38388e383aae38383e382afe382b90000
		0015001c662f2f3439396b39353464364f4c33346f4c394653547679363473 41 0014000b6578616d706c652e6f726700
		00080014f67024656dd64a3e02b8e0712e85c9a28ca89666`)
	key := turn.GenerateAuthKey("\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9", "example.org", "TheMatrIX")
	if err := stun.MessageIntegrity(key).Check(long); err != nil {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	busy, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	o := options()
	o.Addr = busy.LocalAddr().(*net.UDPAddr).AddrPort()
	if _, err := relay.Listen(o); !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
}

// Others' datagrams on the same port.
type echo struct{}

func (echo) Match(p []byte) bool                             { return string(p) == "knock" }
func (echo) Answer(to, p []byte, from netip.AddrPort) []byte { return append(to, "who is there?"...) }

// slowly answers from elsewhere.
type slowly struct{ echo }

func (slowly) AnswerLater(_ []byte, from netip.AddrPort, to interface {
	WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
}) bool {
	go func() { _, _ = to.WriteToUDPAddrPort([]byte("later"), from) }()
	return true
}

func TestAlso(t *testing.T) {
	w := listen(t, options())
	for want, h := range map[string]relay.Handler{"who is there?": echo{}, "later": slowly{}} {
		w.Also(h)
		if got := string(w.raw([][]byte{[]byte("knack")}, []byte("knock"))); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
		if answer := w.raw(nil, binding.Raw); !stun.IsMessage(answer) {
			t.Errorf("STUN beside it: %q", answer)
		}
	}
}
