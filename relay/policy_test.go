package relay

import (
	"bufio"
	"bytes"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

func TestPeers(t *testing.T) {
	public := netip.MustParseAddr("203.0.113.5")
	own := func() (own netip.Addr) {
		all, err := net.InterfaceAddrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			if a, _ := netip.AddrFromSlice(a.(*net.IPNet).IP); !a.IsLoopback() && !a.IsLinkLocalUnicast() {
				return a.Unmap()
			}
		}
		return netip.MustParseAddr("127.0.0.1")
	}().String()
	for _, c := range []struct {
		addr                     string
		strangers, private, here bool // allowed by default, with Private, and with Private where the relay is on loopback
	}{
		{"8.8.8.8", true, true, true},
		{"2600::1", true, true, true},
		{"203.0.113.5", true, true, true}, // the relay's own
		{"::ffff:203.0.113.5", true, true, true},
		{own, false, own != "127.0.0.1", true},
		{"10.1.2.3", false, true, true},
		{"172.16.0.1", false, true, true},
		{"172.32.0.1", true, true, true},
		{"192.168.1.1", false, true, true},
		{"100.64.0.1", false, true, true},
		{"100.128.0.1", true, true, true},
		{"198.18.0.1", false, true, true},
		{"fd00::1234", false, true, true},
		{"fec0::1", false, true, true},
		{"127.0.0.1", false, false, true},
		{"127.8.8.8", false, false, true},
		{"::1", false, false, true},
		{"0.0.0.0", false, false, false},
		{"0.1.2.3", false, false, false},
		{"::", false, false, false},
		{"169.254.169.254", false, false, false},
		{"168.63.129.16", false, false, false},
		{"168.63.129.17", true, true, true},
		{"fe80::1", false, false, false},
		{"224.0.0.251", false, false, false},
		{"239.255.255.250", false, false, false},
		{"ff02::1", false, false, false},
		{"255.255.255.255", false, false, false},
		{"240.0.0.1", false, false, false},
		// IPv4 in disguise.
		{"::ffff:127.0.0.1", false, false, true},
		{"::ffff:10.0.0.1", false, true, true},
		{"::ffff:8.8.8.8", true, true, true},
		{"64:ff9b::10.0.0.1", false, true, true},
		{"64:ff9b::127.0.0.1", false, false, true},
		{"64:ff9b::8.8.8.8", true, true, true},
		{"64:ff9b:1::8.8.8.8", false, false, false},
		{"2002:a00:1::1", false, true, true},
		{"2002:7f00:1::1", false, false, true},
		{"2002:808:808::1", true, true, true},
		{"::8.8.8.8", false, false, false},
		{"2001:0:1:2::3", false, false, false},
	} {
		addr := netip.MustParseAddr(c.addr)
		for _, p := range []struct {
			*peers
			want bool
		}{
			{&peers{}, c.strangers},
			{&peers{private: true}, c.private},
			{&peers{private: true, loopback: true}, c.here},
		} {
			if got := p.allows(addr, public); got != p.want {
				t.Errorf("%s: %v, private %v, on loopback %v", c.addr, got, p.private, p.loopback)
			}
		}
	}
	if new(peers).allows(netip.Addr{}, netip.Addr{}) {
		t.Error("no address is allowed")
	}
}

func TestReachable(t *testing.T) {
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "2600::1": true, "10.0.0.1": false, "127.0.0.1": false, "fe80::1": false,
		"fe80::1%eth0": false, "::ffff:10.0.0.1": false, "2002:a00:1::1": false, "64:ff9b::127.0.0.1": false, "64:ff9b::8.8.8.8": true,
	} {
		if Reachable(netip.MustParseAddr(addr)) != want {
			t.Errorf("%s: %v", addr, !want)
		}
	}
}

// What was allocated with credentials stays when they have ended.
func TestLongCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Relay{secret: secret("a secret of the tests"), book: newBook(10, 10, 0)}
		from := &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 1234}
		c := r.Credentials()
		try := func(user string, m stun.Method) bool {
			_, _, ok := r.authenticate(&turn.RequestAttributes{Username: user, SrcAddr: from, Method: m})
			return ok
		}
		time.Sleep(Lifetime - time.Second)
		if !try(c.User, stun.MethodAllocate) {
			t.Error("ended before its time")
		}
		at := netip.MustParseAddrPort("203.0.113.5:5000")
		a := r.book.enter(clientAt(from), c.User, at)
		time.Sleep(24 * time.Hour)
		if try(c.User, stun.MethodAllocate) {
			t.Error("credentials that have ended can allocate")
		}
		if !try(c.User, stun.MethodRefresh) || !try(c.User, stun.MethodChannelBind) {
			t.Error("an allocation is lost with its credentials")
		}
		if try(sign(r, -1), stun.MethodRefresh) {
			t.Error("others that have ended are good for it")
		}
		r.book.leave(a, at)
		if try(c.User, stun.MethodRefresh) {
			t.Error("good for what is gone")
		}
	})
}

func sign(r *Relay, hours int) string {
	return r.secret.issue(time.Now().Add(time.Duration(hours)*time.Hour - Lifetime)).User
}

// A subscriber has a /64.
func TestAddresses(t *testing.T) {
	b := newBook(100, 1, 0)
	at := func(s string) client { return client{"udp", netip.MustParseAddrPort(s)} }
	port := uint16(1000)
	for _, c := range []struct {
		from string
		ok   bool
	}{
		{"1.2.3.4:1", true}, {"1.2.3.4:2", false}, {"1.2.3.5:1", true},
		{"[2600::1]:1", true}, {"[2600::2]:1", false}, {"[2600:0:0:1::1]:1", true},
	} {
		port++
		if got := b.enter(at(c.from), "", netip.AddrPortFrom(netip.MustParseAddr("203.0.113.5"), port)); (got != nil) != c.ok {
			t.Errorf("%s: %v", c.from, got)
		}
	}
	b.close()
	if b.room(at("9.9.9.9:1")) {
		t.Error("there is room where it is closed")
	}
}

// What has left leaves nothing behind: not its port for others of this machine to be reached at, nor a place that counts.
func TestBook(t *testing.T) {
	b := newBook(10, 2, 0)
	c := client{"udp", netip.MustParseAddrPort("8.8.8.8:1")}
	four, six := netip.MustParseAddrPort("203.0.113.5:5000"), netip.MustParseAddrPort("[2001:db8::5]:5000")
	next := netip.MustParseAddrPort("203.0.113.5:5001")

	a := b.enter(c, "user", four)
	if !b.relays(four) || b.relays(six) || b.relays(next) {
		t.Error("another port is relayed than the one that is")
	}
	other := b.enter(client{"udp", netip.MustParseAddrPort("8.8.8.8:2")}, "user", six)
	if !b.relays(six) {
		t.Error("of IPv6 none is relayed")
	}
	b.leave(other, six)
	if !b.relays(four) || b.relays(six) {
		t.Error("the one that left is relayed, or the other one is not")
	}

	// A client that begins anew is not forgotten with what it had before.
	again := b.enter(c, "user", next)
	if b.enter(client{"udp", netip.MustParseAddrPort("8.8.8.8:3")}, "user", six) != nil {
		t.Error("a third at one address, as one has left")
	}
	b.leave(a, four)
	if b.relays(four) || b.of(c) == nil {
		t.Error("the one that left is relayed, or its client's next one is not known")
	}
	called := false
	b.change(net.UDPAddrFromAddrPort(four), func(*allocation) { called = true })
	b.leave(again, next)
	if called || b.of(c) != nil || len(b.clients)+len(b.relayed)+len(b.addresses)+b.size() != 0 {
		t.Errorf("left behind: %v %v %v, %d", b.clients, b.relayed, b.addresses, b.size())
	}
	b.wait()
}

func TestChannels(t *testing.T) {
	b := newBook(2, 2, 0)
	a := b.enter(client{"udp", netip.MustParseAddrPort("8.8.8.8:1")}, "user", netip.MustParseAddrPort("203.0.113.5:5000"))
	first, second := netip.MustParseAddrPort("1.1.1.1:1"), netip.MustParseAddrPort("2.2.2.2:2")
	a.bind(0x4000, first)
	a.bind(0x4001, second)
	if got := a.bound.Load(); got.peers[0x4000] != first || got.peers[0x4001] != second || got.numbers[first] != 0x4000 || got.numbers[second] != 0x4001 {
		t.Errorf("bound are %v", got)
	}
	a.unbind(0x4000)
	if got := a.bound.Load(); len(got.peers) != 1 || len(got.numbers) != 1 || got.peers[0x4001] != second || got.numbers[second] != 0x4001 {
		t.Errorf("after one was unbound there are %v", got)
	}

	// Each of a peer's ports is a channel: they have a bound of their own.
	may := func(number uint16) bool {
		a.asked.Store(uint32(number))
		return b.permits(a.client, first.Addr())
	}
	for number := uint16(0x4002); may(number); number++ {
		if number == 0x4002+2*maxChannels {
			t.Fatal("channels have no bound")
		}
		a.bind(number, netip.AddrPortFrom(first.Addr(), number))
	}
	if !may(0x4002) {
		t.Error("one that is there may not be refreshed")
	}
	if n := len(a.bound.Load().peers); n != maxChannels {
		t.Errorf("%d channels", n)
	}
	if b.permits(client{}, first.Addr()) {
		t.Error("who has no allocation may have a peer")
	}
}

// Permissions and channels that end make room for others.
func TestWhatHasEndedMakesRoom(t *testing.T) {
	r := &Relay{book: newBook(1, 1, 0), peers: new(peers)}
	from, at := &net.UDPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 1}, &net.UDPAddr{IP: net.IPv4(203, 0, 113, 5).To4(), Port: 5000}
	a := r.book.enter(clientAt(from), "user", at.AddrPort())
	peer := func(i int) *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(8, 8, 8, byte(i)), Port: 1} }
	pion := r.events()
	for i := range maxPeers {
		pion.OnPermissionCreated(from, nil, "", "", "", at, peer(i).IP)
	}
	if r.permit(from, peer(maxPeers).IP) {
		t.Error("one peer too many")
	}
	pion.OnPermissionDeleted(from, nil, "", "", "", at, peer(0).IP)
	if !r.permit(from, peer(maxPeers).IP) || r.book.hasPermitted(a, peer(0).AddrPort().Addr().Unmap()) {
		t.Error("a permission that has ended still counts")
	}
	for i := range maxChannels {
		pion.OnChannelCreated(from, nil, "", "", "", at, peer(1), 0x4000+uint16(i))
	}
	a.asked.Store(0x5000)
	if r.permit(from, peer(1).IP) {
		t.Error("one channel too many")
	}
	pion.OnChannelDeleted(from, nil, "", "", "", at, peer(1), 0x4000)
	if !r.permit(from, peer(1).IP) {
		t.Error("a channel that has ended still counts")
	}
}

// A connection may be silent for so long, and leaves nothing behind.
func TestSilentStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Relay{book: newBook(1, 1, 0), flood: newFlood()}
		s := newStreams(nil, 1, 1, r)
		for _, want := range []time.Duration{strangerPatience, patience} {
			here, there := net.Pipe()
			c := &stream{Conn: here, of: s, client: client{"tcp", netip.MustParseAddrPort("8.8.8.8:1")}, in: bufio.NewReader(here)}
			if !s.enter(c) {
				t.Fatal("there is no room")
			}
			at := netip.MustParseAddrPort("203.0.113.5:5000")
			if want == patience {
				a := r.book.enter(c.client, "user", at)
				defer r.book.leave(a, at)
			}
			began := time.Now()
			if _, err := c.Read(make([]byte, maxMessage)); err == nil || time.Since(began) != want {
				t.Errorf("%v after %s, want %s", err, time.Since(began), want)
			}
			if _, _ = c.Close(), there.Close(); len(s.conns)+len(s.addresses) != 0 {
				t.Errorf("left behind: %v %v", s.conns, s.addresses)
			}
		}
	})
}

func TestOwners(t *testing.T) {
	c := client{"tcp", netip.MustParseAddrPort("[2600::1]:1")}
	if got, user, err := parseUserID(userID(c, "17:a b")); err != nil || got != c || user != "17:a b" {
		t.Errorf("%v, %q, %v", got, user, err)
	}
	for _, id := range []string{"", "udp", "udp 8.8.8.8:1", "udp 8.8.8.8 user", "udp  user"} {
		if _, _, err := parseUserID(id); err == nil {
			t.Errorf("%q is taken", id)
		}
	}
}

// Whoever sends from ever other addresses is not remembered for ever.
func TestAddrs(t *testing.T) {
	var a addrs
	for i := range 10 * maxAddrs {
		of := netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, byte(i >> 8), byte(i)}), 1)
		if got := a.get(of); got.AddrPort() != of || a.get(of) != got {
			t.Fatalf("%v is %v", of, got)
		}
		if len(a.all) > maxAddrs {
			t.Fatalf("%d are remembered", len(a.all))
		}
	}
	one, other := netip.MustParseAddrPort("1.1.1.1:1"), netip.MustParseAddrPort("2.2.2.2:2")
	was := a.get(one)
	if a.get(other); a.get(one) != was {
		t.Error("the same address is made anew")
	}
}

func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlood()
		loud, other := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("8.8.4.4")
		for range 2 {
			passed := 0
			for range 1000 {
				if f.pass(loud) {
					passed++
				}
			}
			if passed != strangerRate {
				t.Errorf("%d passed", passed)
			}
			time.Sleep(time.Second)
		}
		// Two may share a slot, though not for long.
		for range strangerRate {
			f.pass(loud)
		}
		for i := 0; !f.pass(other); i++ {
			if i == 10 {
				t.Fatal("one address takes from another")
			}
			time.Sleep(time.Second)
		}
	})
}

func FuzzNext(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x40, 0, 0xff, 0xff})
	f.Add([]byte{0, 1, 0xff, 0xec, 0x21, 0x12, 0xA4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := next(bufio.NewReaderSize(bytes.NewReader(data), maxMessage))
		if err == nil && (n < 4 || n%4 != 0 || n > 1<<16+4+headerSize) {
			t.Errorf("%d bytes", n)
		}
		plausible(data)
	})
}
