package tracker

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const interval = 120 * time.Second

func newStore() *Store[int] { return New[int](Options{Expiry: 2 * interval}) }

func peer(n int) (id PeerID) {
	binary.BigEndian.PutUint64(id[12:], uint64(n))
	return id
}

// join announces the peer n, which is reachable by n.
func join(t testing.TB, s *Store[int], n int, left Left) {
	t.Helper()
	if _, _, err := s.Announce(&Announce[int]{PeerID: peer(n), Contact: n, Left: left}, nil); err != nil {
		t.Fatal(err)
	}
}

func ask(t testing.TB, s *Store[int], a Announce[int]) (Counts, []Peer[int]) {
	t.Helper()
	counts, picks, err := s.Announce(&a, nil)
	if err != nil {
		t.Fatal(err)
	}
	return whole(counts), picks
}

// whole leaves out the counts of those that are reached in one way.
func whole(c Counts) Counts {
	return Counts{Seeders: c.Seeders, Leechers: c.Leechers, Downloaded: c.Downloaded}
}

func TestChoice(t *testing.T) {
	// Below and above the size at which a swarm gets an index.
	for _, size := range []int{2, 5, 9, 40} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := newStore()
			for n := range size {
				left := Some
				if n%2 == 0 {
					left = Nothing
				}
				join(t, s, n, left)
			}
			for self := range size {
				for want := range size + 2 {
					_, picks := ask(t, s, Announce[int]{PeerID: peer(self), Contact: self, Want: want})
					others := size - 1
					if self%2 == 0 {
						others = size / 2
					}
					if len(picks) != min(want, others) {
						t.Fatalf("peer %d wanted %d of %d others and got %d", self, want, others, len(picks))
					}
					seen := map[int]bool{}
					for _, p := range picks {
						switch {
						case p.ID != peer(p.Contact):
							t.Fatalf("peer %x has the contact of %d", p.ID, p.Contact)
						case p.Contact == self:
							t.Fatalf("peer %d got itself", self)
						case seen[p.Contact]:
							t.Fatalf("peer %d got %d twice", self, p.Contact)
						case self%2 == 0 && p.Contact%2 == 0:
							t.Fatalf("seeder %d got seeder %d", self, p.Contact)
						}
						seen[p.Contact] = true
					}
				}
			}
		})
	}
}

func TestChoiceIsUniform(t *testing.T) {
	const size, want, draws = 21, 5, 40_000
	s := newStore()
	for n := range size {
		join(t, s, n, Left(1+n%2))
	}
	var times [size]int
	for range draws {
		_, picks := ask(t, s, Announce[int]{PeerID: peer(1), Contact: 1, Want: want})
		for _, p := range picks {
			times[p.Contact]++
		}
	}
	p := float64(want) / (size - 1)
	mean, deviation := draws*p, math.Sqrt(draws*p*(1-p))
	for n, got := range times {
		if n != 1 && math.Abs(float64(got)-mean) > 7*deviation {
			t.Errorf("peer %d was chosen %d times, expected %.0f ± %.0f", n, got, mean, deviation)
		}
	}
}

// A long random history against the plainest possible model of a swarm.
func TestAgainstModel(t *testing.T) {
	s := newStore()
	model := map[int]bool{} // whether it is a seeder
	r := rand.New(rand.NewPCG(1, 2))
	downloaded := 0
	for step := range 50_000 {
		n := r.IntN(60)
		a := Announce[int]{PeerID: peer(n), Contact: n, Left: Left(r.IntN(3)), Event: Event(r.IntN(3)), Want: 3}
		if step/5_000%2 == 1 && r.IntN(3) == 0 {
			a.Event = Stopped // let the swarm shrink now and then
		}
		wasSeeder := model[n]
		switch {
		case a.Event == Stopped:
			delete(model, n)
		case a.Left == Unsaid && a.Event == Completed:
			model[n] = true
		default:
			model[n] = a.Left == Nothing || a.Left == Unsaid && wasSeeder
		}
		if len(model) == 0 {
			downloaded = 0
		} else if a.Event == Completed && !wasSeeder && model[n] {
			downloaded++
		}
		counts, picks := ask(t, s, a)
		want := Counts{Downloaded: downloaded}
		for _, seeder := range model {
			if seeder {
				want.Seeders++
			} else {
				want.Leechers++
			}
		}
		if counts != want || s.Stats().Peers != len(model) {
			t.Fatalf("step %d: %+v and %d peers, want %+v and %d", step, counts, s.Stats().Peers, want, len(model))
		}
		for _, p := range picks {
			if _, there := model[p.Contact]; !there {
				t.Fatalf("step %d: %d was chosen and is not there", step, p.Contact)
			}
		}
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct {
		name    string
		history []Announce[int]
		want    Counts
	}{
		{"a new peer that says nothing of left is a leecher", []Announce[int]{{}}, Counts{Leechers: 1}},
		{"left absent keeps a seeder", []Announce[int]{{Left: Nothing}, {}}, Counts{Seeders: 1}},
		{"a seeder that lacks data again reverts", []Announce[int]{{Left: Nothing}, {Left: Some}}, Counts{Leechers: 1}},
		{"completed without left", []Announce[int]{{Left: Some}, {Event: Completed}}, Counts{Seeders: 1, Downloaded: 1}},
		{"completed twice counts once", []Announce[int]{{Left: Some}, {Left: Nothing, Event: Completed}, {Left: Nothing, Event: Completed}}, Counts{Seeders: 1, Downloaded: 1}},
		{"completed although data lacks", []Announce[int]{{Left: Some, Event: Completed}}, Counts{Leechers: 1}},
		{"a seeder from the start downloaded nothing", []Announce[int]{{Left: Nothing}}, Counts{Seeders: 1}},
		{"stopped", []Announce[int]{{Left: Nothing}, {Event: Stopped}}, Counts{}},
		{"stopped, never there", []Announce[int]{{Event: Stopped}}, Counts{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore()
			var got Counts
			for _, a := range c.history {
				got, _ = ask(t, s, a)
			}
			if got != c.want || whole(s.Counts(InfoHash{})) != c.want {
				t.Errorf("got %+v, then %+v, want %+v", got, s.Counts(InfoHash{}), c.want)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		go s.Run(t.Context())
		for n := range 30 {
			join(t, s, n, Left(1+n%2))
		}
		time.Sleep(interval)
		join(t, s, 7, Some)
		time.Sleep(2*interval - time.Second)
		synctest.Wait()
		if got := whole(s.Counts(InfoHash{})); got != (Counts{Leechers: 1}) {
			t.Errorf("only the peer that announced again should be left, got %+v", got)
		}
		time.Sleep(interval)
		synctest.Wait()
		if got := s.Stats(); got != (Stats{}) {
			t.Errorf("the swarm should be gone, got %+v", got)
		}
	})
}

func TestRemove(t *testing.T) {
	s := newStore()
	join(t, s, 1, Some)
	s.Remove(InfoHash{}, peer(1), 2)
	if s.Stats().Peers != 1 {
		t.Fatal("removed for a contact it no longer has")
	}
	s.Remove(InfoHash{}, peer(1), 1)
	s.Remove(InfoHash{}, peer(1), 1) // it may have expired before its contact went
	if got := s.Stats(); got != (Stats{}) {
		t.Fatalf("left behind: %+v", got)
	}
}

func TestTakeover(t *testing.T) {
	s := newStore()
	join(t, s, 1, Nothing)
	a := Announce[int]{PeerID: peer(1), Contact: 2}
	if _, _, err := s.Announce(&a, nil); err != ErrTaken {
		t.Fatalf("got %v, want ErrTaken", err)
	}
	stop := a
	stop.Event = Stopped
	if _, _, err := s.Announce(&stop, nil); err != ErrTaken {
		t.Fatalf("a stranger stopped the peer: %v", err)
	}
	a.MayReplace = func(old int) bool { return old == 1 }
	if counts, _ := ask(t, s, a); counts != (Counts{Seeders: 1}) {
		t.Fatalf("a peer that moves keeps its state, got %+v", counts)
	}
	s.Remove(InfoHash{}, peer(1), 1)
	if s.Stats().Peers != 1 {
		t.Fatal("the old contact's end removed a peer that has moved")
	}
}

func TestOffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		one, two := s.OfferID([]byte("one")), s.OfferID([]byte("two"))
		join(t, s, 1, Some)
		join(t, s, 2, Some)
		offer := func(id OfferID) {
			if _, picks := ask(t, s, Announce[int]{PeerID: peer(1), Contact: 1, Want: 9, Offers: []OfferID{id}}); len(picks) != 1 {
				t.Fatalf("picked %v", picks)
			}
		}
		answer := func(from, to int, id OfferID) bool {
			contact, ok := s.Answer(InfoHash{}, peer(from), peer(to), id)
			if ok && contact != to {
				t.Errorf("an answer to %d goes to %d", to, contact)
			}
			return ok
		}
		offer(one)
		switch {
		case answer(2, 1, two):
			t.Error("an offer that nobody made")
		case answer(1, 2, one):
			t.Error("the wrong way round")
		case answer(3, 1, one):
			t.Error("by somebody to whom it was not made")
		case !answer(2, 1, one):
			t.Error("a good answer was refused")
		case answer(2, 1, one):
			t.Error("answered twice")
		}
		for range 5 { // whenever the generations turn
			offer(one)
			time.Sleep(OfferTTL - time.Second)
			if !answer(2, 1, one) {
				t.Error("refused before its time")
			}
			offer(two)
			time.Sleep(OfferTTL)
			if answer(2, 1, two) {
				t.Error("expired, and yet accepted")
			}
		}
		offer(one)
		s.Remove(InfoHash{}, peer(1), 1)
		if answer(2, 1, one) {
			t.Error("answered to somebody who has left")
		}
		if _, ok := s.Answer(InfoHash{9}, peer(2), peer(1), one); ok {
			t.Error("answered in a swarm that there is not")
		}
		join(t, s, 1, Some)
		offer(one)
		s.RemoveWhere(func(int) bool { return true })
		if answer(2, 1, one) {
			t.Error("answered in a swarm that has gone")
		}
		join(t, s, 1, Some)
		join(t, s, 2, Some)
		for range 3 { // one id for offer after offer
			offer(one)
			time.Sleep(OfferTTL + time.Second)
		}
		if offer(one); !answer(2, 1, one) {
			t.Error("an offer like one that has expired cannot be answered")
		}
		for id := range OfferID(100) { // a store that has run for long keeps as many as a young one
			offer(id)
		}
		for id := range OfferID(100) {
			if !answer(2, 1, id) {
				t.Errorf("offer %d of many was forgotten", id)
			}
		}
		other := InfoHash{9}
		ask(t, s, Announce[int]{InfoHash: other, PeerID: peer(1), Contact: 1, Left: Some})
		offer(one)
		if _, ok := s.Answer(other, peer(2), peer(1), one); ok {
			t.Error("answered in another swarm than that of the offer")
		}
		s.Remove(other, peer(1), 1)
		offer(one)
		if got := s.Stats().Offers; got < 1 {
			t.Errorf("%d offers are outstanding", got)
		}
		time.Sleep(OfferTTL)
		s.Sweep()
		time.Sleep(OfferTTL)
		s.Sweep()
		if got := s.Stats().Offers; got != 0 {
			t.Errorf("%d offers were never forgotten", got)
		}
	})
}

func TestLimits(t *testing.T) {
	s := New[int](Options{Expiry: time.Hour, MaxPeers: 3})
	for n := range 3 {
		join(t, s, n, Some)
	}
	if _, _, err := s.Announce(&Announce[int]{PeerID: peer(3), Contact: 3}, nil); err != ErrFull {
		t.Errorf("got %v, want ErrFull", err)
	}
	if _, _, err := s.AnnounceAddr(&AddrAnnounce{PeerID: peer(4), Addr: at("192.0.2.1:1")}, nil); err != ErrFull || s.Stats().Peers != 3 {
		t.Errorf("by address: got %v, want ErrFull; %+v", err, s.Stats())
	}
}

// Who makes offers without end keeps nobody else from meeting, and no more are kept than there may be.
func TestElderOffersMakeWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, each = 1000, 20
		s := New[int](Options{Expiry: time.Hour, MaxOffers: most})
		crowd, id := InfoHash{19: 1}, OfferID(0)
		flood := func(count int) {
			t.Helper()
			for range count / each {
				offers := make([]OfferID, each)
				for i := range offers {
					id++
					offers[i] = id
				}
				ask(t, s, Announce[int]{InfoHash: crowd, PeerID: peer(0), Want: each, Offers: offers})
				synctest.Wait()
				if n := s.Stats().Offers; n > most {
					t.Fatalf("%d offers are kept", n)
				}
			}
		}
		for n := range each + 1 {
			ask(t, s, Announce[int]{InfoHash: crowd, PeerID: peer(n), Contact: n, Left: Some})
		}
		flood(5 * most)
		join(t, s, 1, Some)
		join(t, s, 2, Some)
		if _, picks := ask(t, s, Announce[int]{PeerID: peer(1), Contact: 1, Want: 1, Offers: []OfferID{7}}); len(picks) != 1 {
			t.Error("another's offer was not passed on")
		}
		flood(most/2 - each)
		if contact, ok := s.Answer(InfoHash{}, peer(2), peer(1), 7); !ok || contact != 1 {
			t.Error("nor was the answer to it")
		}
	})
}

func TestConcurrent(t *testing.T) {
	s := newStore()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 0))
			for range 2_000 {
				h := InfoHash{19: byte(r.IntN(3))}
				n := r.IntN(50)
				a := Announce[int]{InfoHash: h, PeerID: peer(n), Contact: n, Want: 4, Offers: []OfferID{1, 2, 3, 4}, Event: Event(r.IntN(8))}
				_, picks, _ := s.Announce(&a, nil)
				for _, p := range picks {
					s.Answer(h, p.ID, peer(n), 1)
				}
				s.Remove(h, peer(r.IntN(50)), n)
				s.Sweep()
			}
		})
	}
	wg.Wait()
}

func BenchmarkAnnounce(b *testing.B) {
	for _, size := range []int{10, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newStore()
			for n := range size {
				join(b, s, n, Some)
			}
			offers := make([]OfferID, 5)
			var picks []Peer[int]
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				a := Announce[int]{PeerID: peer(n % size), Contact: n % size, Want: 5, Offers: offers}
				_, picks, _ = s.Announce(&a, picks[:0])
			}
		})
	}
}
