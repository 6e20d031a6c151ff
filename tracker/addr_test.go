package tracker

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// says announces by address and returns the whole counts and where the chosen peers are, in order.
func says(t testing.TB, s *Store[int], a AddrAnnounce) (Counts, []string) {
	t.Helper()
	counts, picks, err := s.AnnounceAddr(&a, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range picks {
		all = append(all, p.Contact.String())
	}
	slices.Sort(all)
	return counts, all
}

func TestEachIsToldOfThoseItCanReach(t *testing.T) {
	s := newStore()
	join(t, s, 1, Nothing)
	join(t, s, 2, Some)
	says(t, s, AddrAnnounce{PeerID: peer(3), Addr: at("192.0.2.3:3"), Left: Nothing})
	says(t, s, AddrAnnounce{PeerID: peer(4), Addr: at("[::ffff:192.0.2.4]:4"), Left: Some})
	says(t, s, AddrAnnounce{PeerID: peer(5), Addr: at("[2001:db8::5]:5"), Left: Some})
	says(t, s, AddrAnnounce{PeerID: peer(6), Addr: at("[2001:db8::6]:6"), Left: Some})
	counts, picks := says(t, s, AddrAnnounce{PeerID: peer(7), Addr: at("192.0.2.7:7"), Left: Some, Want: 9})
	if want := []string{"192.0.2.3:3", "192.0.2.4:4"}; !slices.Equal(picks, want) {
		t.Errorf("one with IPv4 is told of %v, want %v", picks, want)
	}
	want := Counts{Seeders: 2, Leechers: 5, WebRTC: Part{1, 1}, IPv4: Part{1, 2}, IPv6: Part{0, 2}}
	if counts != want || !counts.Mixed() {
		t.Errorf("counts %+v, want %+v", counts, want)
	}
	if _, picks = says(t, s, AddrAnnounce{PeerID: peer(8), Addr: at("[2001:db8::8]:8"), Want: 9}); len(picks) != 2 {
		t.Errorf("one with IPv6 is told of %v", picks)
	}
	if _, picks := ask(t, s, Announce[int]{PeerID: peer(9), Contact: 9, Want: 9}); len(picks) != 2 {
		t.Errorf("one on a socket is told of %v", picks)
	}
	if _, picks = says(t, s, AddrAnnounce{PeerID: peer(10), Addr: at("192.0.2.10:1"), Left: Nothing, Want: 9}); slices.Contains(picks, "192.0.2.3:3") {
		t.Error("a seeder is told of a seeder")
	}
	if got := s.Stats(); got != (Stats{Peers: 10, WebRTC: 3, IPv4: 4, IPv6: 3, Swarms: 1}) {
		t.Errorf("stats %+v", got)
	}
}

// aria2 calls itself a seeder while it has but a magnet.
func TestSeedersAmongThemselves(t *testing.T) {
	s := newStore()
	for i := range 20 {
		says(t, s, AddrAnnounce{PeerID: peer(i + 1), Addr: at(fmt.Sprintf("192.0.2.1:%d", i+1)), Left: Nothing})
	}
	_, picks := says(t, s, AddrAnnounce{PeerID: peer(1), Addr: at("192.0.2.1:1"), Left: Nothing, Want: 50})
	if len(picks) != maybeLeecher || slices.Contains(picks, "192.0.2.1:1") {
		t.Errorf("a seeder among seeders is told of %v", picks)
	}
	says(t, s, AddrAnnounce{PeerID: peer(30), Addr: at("192.0.2.3:3"), Left: Some})
	if _, picks = says(t, s, AddrAnnounce{PeerID: peer(1), Addr: at("192.0.2.1:1"), Left: Nothing, Want: 50}); !slices.Equal(picks, []string{"192.0.2.3:3"}) {
		t.Errorf("where somebody lacks data it is told of %v", picks)
	}
}

func TestNothingStaysOfASwarmThatAllHaveLeft(t *testing.T) {
	s := New[int](Options{Expiry: time.Minute})
	for _, addr := range []string{"192.0.2.1:1", "[2001:db8::1]:1"} {
		says(t, s, AddrAnnounce{PeerID: peer(1), InfoHash: InfoHash{1}, Addr: at(addr)})
		says(t, s, AddrAnnounce{PeerID: peer(1), InfoHash: InfoHash{1}, Addr: at(addr), Event: Stopped})
		if n := s.Stats(); n != (Stats{}) {
			t.Errorf("%s: %+v", addr, n)
		}
	}
	for _, event := range []Event{None, Stopped, None} {
		if _, _, err := s.Announce(&Announce[int]{PeerID: peer(1), InfoHash: InfoHash{1}, Contact: 5, Event: event}, nil); err != nil {
			t.Fatal(err)
		}
		if n := s.Stats(); (n == Stats{}) != (event == Stopped) {
			t.Errorf("event %d: %+v", event, n)
		}
	}
	if n := s.RemoveWhere(func(c int) bool { return c == 5 }); n != 1 || s.Stats() != (Stats{}) {
		t.Errorf("%d went, left is %+v", n, s.Stats())
	}
}

func TestNoPort(t *testing.T) {
	s := newStore()
	if counts, picks := says(t, s, AddrAnnounce{PeerID: peer(1), Addr: at("192.0.2.1:0"), Want: 5}); counts != (Counts{}) || picks != nil {
		t.Errorf("an empty swarm: %+v %v", counts, picks)
	}
	says(t, s, AddrAnnounce{PeerID: peer(2), Addr: at("192.0.2.2:2"), Left: Nothing})
	for left, want := range map[Left]int{Some: 1, Nothing: 1} {
		counts, picks := says(t, s, AddrAnnounce{PeerID: peer(1), Addr: at("192.0.2.1:0"), Left: left, Want: 5})
		if whole(counts) != (Counts{Seeders: 1}) || len(picks) != want {
			t.Errorf("left %d: %+v %v", left, counts, picks)
		}
	}
	says(t, s, AddrAnnounce{PeerID: peer(3), Addr: at("192.0.2.3:3"), Left: Some})
	for left, want := range map[Left]int{Some: 2, Nothing: 1} {
		if _, picks := says(t, s, AddrAnnounce{PeerID: peer(1), Addr: at("192.0.2.1:0"), Left: left, Want: 5}); len(picks) != want {
			t.Errorf("left %d, of a seeder and a leecher: %v", left, picks)
		}
	}
	if got := s.Stats(); got != (Stats{Peers: 2, IPv4: 2, Swarms: 1}) {
		t.Errorf("who cannot be reached is kept: %+v", got)
	}
}

// A seeder without a port, in a swarm that has nobody of its kind.
func TestNoPortAmongOthers(t *testing.T) {
	s := newStore()
	join(t, s, 1, Some)
	counts, picks := says(t, s, AddrAnnounce{PeerID: peer(2), Addr: at("192.0.2.2:0"), Left: Nothing, Want: 9})
	if counts.Leechers != 1 || len(picks) != 0 {
		t.Errorf("%+v, told of %v", counts, picks)
	}
}

func TestAddressesWithin(t *testing.T) {
	s := newStore()
	all := []string{"127.0.0.1:1", "10.0.0.1:1", "192.0.2.1:1", "169.254.0.1:1"}
	for i, a := range all {
		says(t, s, AddrAnnounce{PeerID: peer(i), Addr: at(a)})
	}
	for from, want := range map[string][]string{
		"192.0.2.9:9":   {"192.0.2.1:1"},
		"192.168.1.9:9": {"10.0.0.1:1", "169.254.0.1:1", "192.0.2.1:1"},
		"127.0.0.9:9":   {"10.0.0.1:1", "127.0.0.1:1", "169.254.0.1:1", "192.0.2.1:1"},
	} {
		a := AddrAnnounce{PeerID: peer(9), Addr: at(from), Want: 9}
		if _, got := says(t, s, a); !slices.Equal(got, want) {
			t.Errorf("%s is told of %v, want %v", from, got, want)
		}
		a.Event = Stopped
		says(t, s, a)
	}
}

// Whoever knows a peer_id, as the whole swarm does, can neither take its owner's place nor stop it.
func TestPeerIDTheft(t *testing.T) {
	theft(t, "192.0.2.1", "192.0.2.2", "198.51.100.1", "203.0.113.1", "203.0.113.7")
	theft(t, "[2001:db8::1]", "[2001:db8::2]", "[2001:db8:1::1]", "[2001:db8:2::1]", "[2001:db8:2::7]")
}

func theft(t *testing.T, home, neighbour, far, witness, away string) {
	t.Helper()
	s := newStore()
	owner := AddrAnnounce{PeerID: peer(1), Addr: at(home + ":1"), Key: 7, Left: Nothing}
	thief := AddrAnnounce{PeerID: peer(1), Addr: at(far + ":1"), Key: 8, Left: Some}
	seen := func(want ...string) {
		t.Helper()
		if _, got := says(t, s, AddrAnnounce{PeerID: peer(9), Addr: at(witness + ":0"), Want: 9}); !slices.Equal(got, want) {
			t.Errorf("told of %v, want %v", got, want)
		}
	}
	says(t, s, owner)
	stop := thief
	stop.Event = Stopped
	says(t, s, stop)
	seen(home + ":1")
	says(t, s, thief)
	seen(ordered(home+":1", far+":1")...)
	if c := s.Counts(InfoHash{}); c.Seeders != 1 || c.Leechers != 1 {
		t.Errorf("counts %+v", c)
	}
	says(t, s, stop)
	seen(home + ":1")

	owner.Addr = at(home + ":2")
	owner.Key = 0
	says(t, s, owner)
	seen(home + ":2") // another port of the same machine
	owner.Key = 7
	says(t, s, owner)
	owner.Addr = at(away + ":7")
	says(t, s, owner)
	seen(away + ":7") // another network, with the same key
	// One who was first does not keep the owner out.
	says(t, s, AddrAnnounce{PeerID: peer(2), Addr: thief.Addr})
	says(t, s, AddrAnnounce{PeerID: peer(2), Addr: at(neighbour + ":2")})
	seen(ordered(neighbour+":2", far+":1", away+":7")...)
}

func ordered(s ...string) []string {
	slices.Sort(s)
	return s
}

func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[int](Options{Expiry: time.Minute, MaxPerNetwork: 3})
		say := func(n int, addr string, event Event) error {
			_, _, err := s.AnnounceAddr(&AddrAnnounce{PeerID: peer(n), InfoHash: InfoHash{1: byte(n)}, Addr: at(addr), Key: 1, Event: event}, nil)
			return err
		}
		for n := range 3 {
			if err := say(n, "192.0.2.1:1", None); err != nil {
				t.Fatal(err)
			}
		}
		if err := say(4, "192.0.2.1:1", None); err != ErrTooMany {
			t.Errorf("got %v, want ErrTooMany", err)
		}
		if err := say(2, "192.0.2.1:2", None); err != nil {
			t.Errorf("one that is there announces again: %v", err)
		}
		for n, a := range []string{"192.0.2.2:1", "[2001:db8::1]:1", "127.0.0.1:1"} {
			if err := say(10+n, a, None); err != nil {
				t.Errorf("%s: %v", a, err)
			}
		}
		_ = say(0, "192.0.2.1:1", Stopped)
		_ = say(1, "192.0.2.3:1", None) // moves
		if err := say(5, "192.0.2.1:1", None); err != nil {
			t.Errorf("one has stopped: %v", err)
		}
		if err := say(6, "192.0.2.1:1", None); err != nil {
			t.Errorf("one has moved: %v", err)
		}
		if err := say(7, "192.0.2.1:1", None); err != ErrTooMany {
			t.Errorf("got %v, want ErrTooMany", err)
		}
		// A swarm that is handed to another machine takes its peers with it.
		for n := range 10 {
			if given, ok := s.Take(InfoHash{1: byte(n)}); ok && len(given.Addr) != 1 {
				t.Errorf("swarm %d had %d peers", n, len(given.Addr))
			}
		}
		for n := range 4 {
			if err := say(n, "192.0.2.1:1", None); (err == ErrTooMany) != (n == 3) {
				t.Errorf("peer %d after all were handed over: %v", n, err)
			}
		}
		// All of a /64 are one.
		for n := range 4 {
			if err := say(20+n, fmt.Sprintf("[2001:db8:1:1:%d::1]:1", n), None); (err == ErrTooMany) != (n == 3) {
				t.Errorf("peer %d of a /64: %v", n, err)
			}
		}
		// Networks share counters, and yet those that have all they may have are in few others' way.
		for n := range 30_000 {
			_ = say(100+n, fmt.Sprintf("198.18.%d.%d:1", n/3>>8, n/3&255), None)
		}
		refused := 0
		for n := range 2_000 {
			if say(40_000+n, fmt.Sprintf("203.0.%d.%d:1", n>>8, n&255), None) != nil {
				refused++
			}
		}
		if refused > 150 { // some forty; were one counter enough, five hundred
			t.Errorf("%d of 2000 were refused for what others have", refused)
		}
		time.Sleep(2 * time.Minute)
		s.Sweep()
		for i := range s.quota.counts {
			for j := range s.quota.counts[i] {
				if n := s.quota.counts[i][j].Load(); n != 0 {
					t.Fatalf("%d are still counted", n)
				}
			}
		}
	})
}

// A long random history of peers that announce in all three ways, and in several at once, against the plainest possible
// model.
func TestMixedAgainstModel(t *testing.T) {
	s := newStore()
	type contact struct{ peer, kind int }
	model := map[contact]bool{} // whether it says it is a seeder
	r := rand.New(rand.NewPCG(3, 4))
	for step := range 60_000 {
		c := contact{r.IntN(25), r.IntN(3)}
		left, event := Left(1+r.IntN(2)), None
		if step/5_000%2 == 1 && r.IntN(3) == 0 {
			event = Stopped
		}
		var counts Counts
		switch c.kind {
		case 0:
			counts, _, _ = s.Announce(&Announce[int]{PeerID: peer(c.peer), Contact: c.peer, Left: left, Event: event}, nil)
		case 1:
			counts, _ = says(t, s, AddrAnnounce{PeerID: peer(c.peer), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(c.peer)}), 1), Left: left, Event: event})
		case 2:
			counts, _ = says(t, s, AddrAnnounce{PeerID: peer(c.peer), Addr: netip.AddrPortFrom(netip.AddrFrom16([16]byte{0: 0x20, 15: byte(c.peer)}), 1), Left: left, Event: event})
		}
		if event == Stopped {
			delete(model, c)
		} else {
			model[c] = left == Nothing
		}
		var want Counts
		for n := range 25 {
			best := absent
			for k, part := range []*Part{&want.WebRTC, &want.IPv4, &want.IPv6} {
				seeds, there := model[contact{n, k}]
				switch {
				case seeds:
					part.Seeders++
					best = seeder
				case there:
					part.Leechers++
					best = max(best, leecher)
				}
			}
			switch best {
			case seeder:
				want.Seeders++
			case leecher:
				want.Leechers++
			}
		}
		if counts != want {
			t.Fatalf("step %d: got %+v, want %+v", step, counts, want)
		}
		if n := s.Stats(); n.Peers != len(model) || n.Swarms != min(1, len(model)) {
			t.Fatalf("step %d: %+v, want %d peers", step, n, len(model))
		}
	}
}

func TestCompletedInTwoWaysCountsOnce(t *testing.T) {
	s := newStore()
	join(t, s, 1, Some)
	a := AddrAnnounce{PeerID: peer(1), Addr: at("192.0.2.1:1"), Left: Some}
	says(t, s, a)
	ask(t, s, Announce[int]{PeerID: peer(1), Contact: 1, Left: Nothing, Event: Completed})
	a.Left, a.Event = Nothing, Completed
	if counts, _ := says(t, s, a); whole(counts) != (Counts{Seeders: 1, Downloaded: 1}) {
		t.Errorf("counts %+v", counts)
	}
}

func TestExpiryOfAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[int](Options{Expiry: time.Minute, AddrExpiry: time.Hour})
		join(t, s, 1, Some)
		says(t, s, AddrAnnounce{PeerID: peer(2), Addr: at("192.0.2.1:1")})
		says(t, s, AddrAnnounce{PeerID: peer(3), Addr: at("[2001:db8::1]:1")})
		time.Sleep(2 * time.Minute)
		s.Sweep()
		if got := s.Stats(); got != (Stats{Peers: 2, IPv4: 1, IPv6: 1, Swarms: 1}) {
			t.Errorf("after two minutes: %+v", got)
		}
		time.Sleep(time.Hour)
		s.Sweep()
		if got := s.Stats(); got != (Stats{}) {
			t.Errorf("after an hour: %+v", got)
		}
	})
}

func TestAllow(t *testing.T) {
	denied := InfoHash{}
	s := New[int](Options{Expiry: time.Hour, Allow: func(h InfoHash) bool { return h != denied }})
	good, bad := InfoHash{1}, InfoHash{2}
	for n, h := range []InfoHash{good, bad} {
		ask(t, s, Announce[int]{InfoHash: h, PeerID: peer(n), Contact: n})
		says(t, s, AddrAnnounce{InfoHash: h, PeerID: peer(n), Addr: at("192.0.2.1:1")})
		says(t, s, AddrAnnounce{InfoHash: h, PeerID: peer(n), Addr: at("[2001:db8::1]:1")})
	}
	denied = bad
	if _, _, err := s.Announce(&Announce[int]{InfoHash: bad}, nil); err != ErrDenied {
		t.Errorf("got %v, want ErrDenied", err)
	}
	if _, _, err := s.AnnounceAddr(&AddrAnnounce{InfoHash: bad, Addr: at("192.0.2.1:1")}, nil); err != ErrDenied {
		t.Errorf("got %v, want ErrDenied", err)
	}
	s.Sweep()
	if got := s.Stats(); got != (Stats{Peers: 3, WebRTC: 1, IPv4: 1, IPv6: 1, Swarms: 1}) {
		t.Errorf("left: %+v", got)
	}
	if c := s.Counts(bad); c != (Counts{}) {
		t.Errorf("counts of what is denied: %+v", c)
	}
}

// When most swarms of a shard have gone, the others are all still there.
func TestSwarmsOutliveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[int](Options{Expiry: time.Minute, AddrExpiry: time.Hour})
		for n := range 1000 { // one shard's: the last byte is the same
			h := InfoHash{byte(n), byte(n >> 8)}
			ask(t, s, Announce[int]{InfoHash: h, PeerID: peer(n), Contact: n, Left: Some})
			if n < 10 {
				says(t, s, AddrAnnounce{InfoHash: h, PeerID: peer(n), Addr: at("192.0.2.1:1"), Left: Nothing})
			}
		}
		time.Sleep(2 * time.Minute)
		s.Sweep()
		for n := range 10 {
			if c := whole(s.Counts(InfoHash{byte(n)})); c != (Counts{Seeders: 1}) {
				t.Errorf("swarm %d: %+v", n, c)
			}
		}
		if got := s.Stats(); got != (Stats{Peers: 10, IPv4: 10, Swarms: 10}) {
			t.Errorf("left: %+v", got)
		}
	})
}

// What a busy hour needed is given back.
func TestMemoryComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[int](Options{Expiry: time.Minute, MaxPerNetwork: 1 << 30})
		before := heap()
		fill := func() {
			for n := range 200_000 {
				var h InfoHash
				if n%2 == 0 { // half of the peers have a swarm of their own, half are in one
					binary.BigEndian.PutUint32(h[16:], uint32(n))
				}
				ip := netip.AddrFrom4([4]byte{198, byte(n >> 16), byte(n >> 8), byte(n)})
				if _, _, err := s.AnnounceAddr(&AddrAnnounce{InfoHash: h, PeerID: peer(n), Addr: netip.AddrPortFrom(ip, 1)}, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		fill()
		full := heap()
		time.Sleep(45 * time.Second)
		says(t, s, AddrAnnounce{PeerID: peer(1), Addr: at("198.0.0.1:1")}) // one of the crowd stays
		time.Sleep(45 * time.Second)
		s.Sweep()
		after := heap()
		runtime.KeepAlive(s)
		t.Logf("%d bytes per peer; %d of %d kB are left", (full-before)/200_000, (after-before)>>10, (full-before)>>10)
		if got := s.Stats(); got != (Stats{Peers: 1, IPv4: 1, Swarms: 1}) {
			t.Errorf("left: %+v", got)
		}
		if after-before > (full-before)/20 {
			t.Errorf("%d of %d bytes are still in use", after-before, full-before)
		}
		fill()
		if again := heap(); again-before > (full-before)*11/10 {
			t.Errorf("%d bytes the second time, %d the first", again-before, full-before)
		}
	})
}

// The same with peers on connections, and with offers that nobody answers.
func TestMemoryOfOffersComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[int](Options{Expiry: time.Minute})
		before := heap()
		const peers = 50_000
		for n := range peers {
			a := Announce[int]{InfoHash: hashOf(n / 100 % 300), PeerID: peer(n), Contact: n, Want: 2, Offers: []OfferID{OfferID(n), OfferID(n + peers)}, Place: 1}
			if _, _, err := s.Announce(&a, nil); err != nil {
				t.Fatal(err)
			}
		}
		full := heap()
		if got := s.Stats(); got.Peers != peers || got.Swarms != 300 || got.Offers < peers {
			t.Fatalf("%+v", got)
		}
		for range 5 { // offers are forgotten by generations
			time.Sleep(time.Minute)
			s.Sweep()
		}
		after := heap()
		runtime.KeepAlive(s)
		t.Logf("%d bytes per peer; %d of %d kB are left", (full-before)/peers, (after-before)>>10, (full-before)>>10)
		if got := s.Stats(); got != (Stats{}) {
			t.Errorf("left: %+v", got)
		}
		if after-before > (full-before)/20 {
			t.Errorf("%d of %d bytes are still in use", after-before, full-before)
		}
	})
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func BenchmarkAnnounceAddr(b *testing.B) {
	for _, size := range []int{1, 100, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := New[int](Options{Expiry: time.Hour, MaxPerNetwork: 1 << 30})
			var picks []AddrPeer
			n := 0
			say := func() {
				ip := netip.AddrFrom4([4]byte{198, byte(n >> 16), byte(n >> 8), byte(n)})
				a := AddrAnnounce{PeerID: peer(n), Addr: netip.AddrPortFrom(ip, 1), Left: Some, Want: 50}
				_, picks, _ = s.AnnounceAddr(&a, picks[:0])
				n = (n + 1) % size
			}
			for range size {
				say()
			}
			b.ReportAllocs()
			for b.Loop() {
				say()
			}
		})
	}
}
