package tracker

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

// places are four countries of 256 networks, 500 peers in each country.
func placeOf(n int) Place { return Place(1+n%4)<<16 | 1<<24 | Place(n/4%256)<<8 }

func crowd(t *testing.T, n int) *Store[int] {
	t.Helper()
	s := newStore()
	for n := range n {
		if _, _, err := s.Announce(&Announce[int]{PeerID: peer(n), Contact: n, Left: Some, Place: placeOf(n)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Half of the chosen are near, all are distinct, and the others are anywhere.
func TestNearestFirst(t *testing.T) {
	const size, want = 2000, 10
	s := crowd(t, size)
	near, others := 0, map[int]int{}
	for n := range size {
		_, picks := ask(t, s, Announce[int]{PeerID: peer(n), Contact: n, Left: Some, Place: placeOf(n), Want: want})
		seen := map[int]bool{n: true}
		for _, p := range picks {
			if seen[p.Contact] {
				t.Fatalf("%d is told of %d twice, or of itself", n, p.Contact)
			}
			seen[p.Contact] = true
			if placeOf(p.Contact).shares(placeOf(n)) >= 2 {
				near++
			} else {
				others[p.Contact%4]++
			}
		}
		if len(picks) != want {
			t.Fatalf("%d is told of %d", n, len(picks))
		}
	}
	// Half, and a quarter of the other half by chance: 0.625. A sample has nobody of the own country once in 10^4 times.
	if share := float64(near) / size / want; share < 0.6 || share > 0.65 {
		t.Errorf("%.3f of those chosen are of the same country", share)
	}
	for country, n := range others {
		if n < size*want*3/32*8/10 || n > size*want*3/32*12/10 {
			t.Errorf("%d peers are told of one in country %d, that is another", n, country)
		}
	}
}

// Whoever knows nobody but whom the tracker told of reaches everybody, in every country.
func TestNoIslands(t *testing.T) {
	const size, want = 2000, 5
	s := crowd(t, size)
	links := make([][]int, size)
	for n := range size {
		_, picks := ask(t, s, Announce[int]{PeerID: peer(n), Contact: n, Left: Some, Place: placeOf(n), Want: want})
		for _, p := range picks {
			links[n], links[p.Contact] = append(links[n], p.Contact), append(links[p.Contact], n)
		}
	}
	reached, todo := map[int]bool{0: true}, []int{0}
	for len(todo) > 0 {
		n := todo[0]
		todo = todo[1:]
		for _, to := range links[n] {
			if !reached[to] {
				reached[to] = true
				todo = append(todo, to)
			}
		}
	}
	if len(reached) != size {
		t.Errorf("%d of %d are reached", len(reached), size)
	}
}

// Whose place nobody knows is chosen like any other, and chooses among all.
func TestPlaceUnknown(t *testing.T) {
	s := newStore()
	for n := range 300 {
		if _, _, err := s.Announce(&Announce[int]{PeerID: peer(n), Contact: n, Left: Some, Place: Place(n%2) * placeOf(0)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	known := 0
	for range 300 {
		_, picks := ask(t, s, Announce[int]{PeerID: peer(0), Contact: 0, Left: Some, Want: 10})
		for _, p := range picks {
			known += p.Contact % 2
		}
	}
	if known < 1300 || known > 1700 {
		t.Errorf("%d of 3000 chosen have a place, as half of all do", known)
	}
}

// Peers that come, go and change sides take their places with them.
func TestPlacesMove(t *testing.T) {
	place := func(a netip.Addr) Place { b := a.As4(); return Place(binary.BigEndian.Uint32(b[:])) }
	s := New[int](Options{Expiry: 2 * interval, Place: place})
	addr := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, byte(n % 3), byte(n >> 8), byte(n)}), 1)
	}
	for n := range 1000 {
		says(t, s, AddrAnnounce{PeerID: peer(n), Addr: addr(n), Left: Left(1 + n%2)})
		says(t, s, AddrAnnounce{PeerID: peer(n / 2), Addr: addr(n / 2), Left: Left(1 + n/3%2)})
	}
	for n := range 1000 {
		if n%10 != 0 {
			says(t, s, AddrAnnounce{PeerID: peer(n), Addr: addr(n), Event: Stopped})
		}
	}
	g := s.shard(InfoHash{}).swarms[InfoHash{}].four
	if len(g.where) != len(g.peers) || len(g.peers) != 100 {
		t.Fatalf("%d places of %d peers", len(g.where), len(g.peers))
	}
	for i := range g.peers {
		if g.where[i] != place(g.peers[i].contact.addr()) {
			t.Errorf("%s is at %x", g.peers[i].contact.addr(), g.where[i])
		}
	}
}

// A swarm that goes to another store is as near to its peers there, and so are addresses that come from a snapshot.
func TestPlacesAreHandedOver(t *testing.T) {
	from := crowd(t, 100)
	for n := range 100 {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(n % 4), 2, 3, byte(n)}), 1)
		says(t, from, AddrAnnounce{PeerID: peer(n), Addr: addr, Left: Some})
	}
	place := func(a netip.Addr) Place { b := a.As4(); return Place(binary.BigEndian.Uint32(b[:])) }
	into := func(give func(to *Store[int])) *swarm[int] {
		to := New[int](Options{Expiry: 2 * interval, Place: place})
		give(to)
		return to.shard(InfoHash{}).swarms[InfoHash{}]
	}
	addresses := func(w *swarm[int]) {
		t.Helper()
		for i, p := range w.four.peers {
			if w.four.located(i) != place(p.contact.addr()) {
				t.Errorf("%s is at %x", p.contact.addr(), w.four.located(i))
			}
		}
	}

	var saved bytes.Buffer
	if err := from.Save(&saved); err != nil {
		t.Fatal(err)
	}
	addresses(into(func(to *Store[int]) {
		if err := to.Load(bytes.NewReader(saved.Bytes())); err != nil {
			t.Fatal(err)
		}
	}))

	given, _ := from.Take(InfoHash{})
	w := into(func(to *Store[int]) { to.Give(&given) })
	addresses(w)
	for i, p := range w.web.peers {
		if w.web.located(i) != placeOf(p.contact) {
			t.Errorf("%d is at %x", p.contact, w.web.located(i))
		}
	}
}

func BenchmarkNearest(b *testing.B) {
	for _, near := range []bool{false, true} {
		b.Run(map[bool]string{false: "any", true: "near"}[near], func(b *testing.B) {
			s := newStore()
			announce := func(n int) Announce[int] {
				a := Announce[int]{PeerID: peer(n), Contact: n, Left: Some, Want: 5}
				if near {
					a.Place = placeOf(n)
				}
				return a
			}
			for n := range 9000 {
				a := announce(n)
				_, _, _ = s.Announce(&a, nil)
			}
			var picks [8]Peer[int]
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				a := announce(n % 9000)
				n++
				_, _, _ = s.Announce(&a, picks[:0])
			}
		})
	}
}
