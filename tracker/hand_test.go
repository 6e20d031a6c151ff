package tracker_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/tracker"
)

// Two stores, of which one has a swarm of every kind of peer.
func handing(t *testing.T, test func(from, to *tracker.Store[int], h tracker.InfoHash)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := tracker.Options{Expiry: 4 * time.Minute, AddrExpiry: 30 * time.Minute, MaxPerNetwork: 4}
		from, to := tracker.New[int](o), tracker.New[int](o)
		h := tracker.InfoHash{1}
		for i, left := range []tracker.Left{tracker.Nothing, tracker.Some, tracker.Some} {
			a := tracker.Announce[int]{InfoHash: h, PeerID: tracker.PeerID{byte(i)}, Contact: i, Left: left}
			if _, _, err := from.Announce(&a, nil); err != nil {
				t.Fatal(err)
			}
			for _, ip := range []string{"192.0.2.1", "2001:db8::1"} {
				a := tracker.AddrAnnounce{InfoHash: h, PeerID: tracker.PeerID{byte(i), 1, ip[0]}, Left: left, Addr: netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(1000+i))}
				if _, _, err := from.AnnounceAddr(&a, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		test(from, to, h)
	})
}

func TestHandedSwarmIsTheSame(t *testing.T) {
	handing(t, func(from, to *tracker.Store[int], h tracker.InfoHash) {
		done := tracker.Announce[int]{InfoHash: h, PeerID: tracker.PeerID{2}, Contact: 2, Event: tracker.Completed}
		if _, _, err := from.Announce(&done, nil); err != nil {
			t.Fatal(err)
		}
		want, stats := from.Counts(h), from.Stats()
		given, ok := from.Take(h)
		if !ok || from.Stats() != (tracker.Stats{}) {
			t.Fatalf("%v, and left behind: %+v", ok, from.Stats())
		}
		if _, ok := from.Take(h); ok {
			t.Error("a swarm was taken twice")
		}
		to.Give(&given)
		to.Give(&given) // as a message may come twice
		if got := to.Counts(h); got != want || to.Stats() != stats {
			t.Errorf("%+v, want %+v", got, want)
		}
		// Each is where it was, and counts once among those of its network.
		for i, ip := range []string{"192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::1"} {
			a := tracker.AddrAnnounce{InfoHash: h, PeerID: tracker.PeerID{9, byte(i)}, Addr: netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(2000+i)), Want: 9}
			_, picks, err := to.AnnounceAddr(&a, nil)
			if i%2 == 1 {
				if !errors.Is(err, tracker.ErrTooMany) {
					t.Errorf("a fifth peer of %s: %v", ip, err)
				}
				continue
			}
			ports := 0
			for _, p := range picks {
				if p.Contact.Addr() == a.Addr.Addr() {
					ports += int(p.Contact.Port())
				}
			}
			if err != nil || len(picks) != 3 || ports != 1000+1001+1002 {
				t.Errorf("%s is told of %v: %v", ip, picks, err)
			}
		}
	})
}

func TestHandedPeersAreNoYounger(t *testing.T) {
	handing(t, func(from, to *tracker.Store[int], h tracker.InfoHash) {
		time.Sleep(3 * time.Minute)
		given, _ := from.Take(h)
		to.Give(&given)
		for _, c := range []struct {
			then      time.Duration
			web, addr int
		}{{30 * time.Second, 3, 3}, {90 * time.Second, 0, 3}, {26 * time.Minute, 0, 0}} {
			time.Sleep(c.then)
			to.Sweep()
			if n := to.Stats(); n.WebRTC != c.web || n.IPv4 != c.addr || n.IPv6 != c.addr {
				t.Errorf("%s later are left %+v", c.then, n)
			}
		}
	})
}

func TestHandedPeerDoesNotReplaceAnother(t *testing.T) {
	handing(t, func(from, to *tracker.Store[int], h tracker.InfoHash) {
		a := tracker.Announce[int]{InfoHash: h, PeerID: tracker.PeerID{1}, Contact: 99, Left: tracker.Nothing}
		if _, _, err := to.Announce(&a, nil); err != nil {
			t.Fatal(err)
		}
		given, _ := from.Take(h)
		to.Give(&given)
		if to.Remove(h, a.PeerID, 99); to.Counts(h).WebRTC != (tracker.Part{Seeders: 1, Leechers: 1}) {
			t.Errorf("%+v", to.Counts(h))
		}
	})
}

func TestRemoveWhere(t *testing.T) {
	handing(t, func(from, _ *tracker.Store[int], h tracker.InfoHash) {
		if n := from.RemoveWhere(func(c int) bool { return c != 1 }); n != 2 {
			t.Errorf("%d went", n)
		}
		if n := from.Stats(); n.WebRTC != 1 || n.IPv4 != 3 || from.Counts(h).WebRTC.Leechers != 1 {
			t.Errorf("left: %+v", n)
		}
	})
}

func TestEachSwarm(t *testing.T) {
	handing(t, func(from, _ *tracker.Store[int], h tracker.InfoHash) {
		n := 0
		from.Each(func(each tracker.InfoHash) {
			from.Take(each) // no lock is held
			n++
		})
		if n != 1 {
			t.Errorf("%d swarms, want 1", n)
		}
	})
}
