package cluster_test

import (
	"context"
	encoding "encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/cluster"
	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

const seeder = `"left":0`

func TestOffersAndAnswersBetweenMachines(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		a, b := w.connect(w.machines[0]), w.connect(w.machines[1])
		owned := map[*machine]bool{}
		for _, hash := range hashes(many) {
			w.wantCounts(b, testnet.Announce(hash, 'b', seeder), 1, 0)
			w.wantCounts(a, testnet.Announce(hash, 'a', testnet.Offers(2)), 1, 1)
			if owner := w.owner(hash); owner == nil {
				t.Errorf("%s is on no machine, or on several", hash)
			} else {
				owned[owner] = true
			}
			o := w.one(b)
			if o["peer_id"] != testnet.ID('a') || o["offer_id"] != testnet.ID('A') || o["info_hash"] != hash || fmt.Sprint(o["offer"]) != "map[sdp:sdp 0 type:offer]" {
				t.Fatalf("b got %v", o)
			}
			b.Send(testnet.Answer(hash, 'b', 'a', 'A'))
			got := w.one(a)
			if got["peer_id"] != testnet.ID('b') || got["offer_id"] != testnet.ID('A') || fmt.Sprint(got["answer"]) != "map[sdp:yes type:answer]" {
				t.Fatalf("a got %v", got)
			}
			b.Send(testnet.Answer(hash, 'b', 'a', 'A'))
			if got := w.got(a); len(got) > 0 {
				t.Fatalf("an offer was answered twice: %v", got)
			}
		}
		if len(owned) != 3 {
			t.Errorf("%d machines own swarms, want all 3", len(owned))
		}
		if from, to := w.machines[0].node.Stats(), w.machines[1].node.Stats(); from.Offers != many || to.Answers != many || from.Outstanding+to.Outstanding != 0 {
			t.Errorf("%d offers and %d answers are counted: %+v, %+v", from.Offers, to.Answers, from, to)
		}
	})
}

// However much goes from one machine to another in the course of time, nothing is lost.
func TestMuchInTheCourseOfTime(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b := w.connect(w.machines[0]), w.connect(w.machines[1])
		hash, sdp := hashes(1)[0], strings.Repeat("x", 100_000)
		w.wantCounts(b, testnet.Announce(hash, 'b', seeder), 1, 0)
		const n = 100 // 10 MB, more than may wait at once
		for range n {
			w.wantCounts(a, testnet.Announce(hash, 'a', `"offers":[{"offer":{"sdp":"`+sdp+`"},"offer_id":"i"}]`), 1, 1)
			if got := w.got(b); len(got) != 1 {
				t.Fatalf("b got %d offers", len(got))
			}
		}
		if s := w.machines[0].node.Stats(); s.Offers != n || s.Lost != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Of an answer each message goes from the node of its sender to that of its receiver, and the owner sees none of it.
func TestAnAnswerIsOneHop(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		a, b := w.connect(w.machines[0]), w.connect(w.machines[1])
		for _, hash := range hashes(12) {
			w.wantCounts(b, testnet.Announce(hash, 'b', seeder), 1, 0)
			w.wantCounts(a, testnet.Announce(hash, 'a', testnet.Offers(1)), 1, 1)
			w.one(b)
			var hops []string
			w.air.mu.Lock()
			w.air.seen = func(from, subject string, _ []byte) {
				if !strings.HasSuffix(subject, ".hello") {
					hops = append(hops, from+" to "+subject)
				}
			}
			w.air.mu.Unlock()
			b.Send(testnet.Answer(hash, 'b', 'a', 'A'))
			w.one(a)
			w.air.mu.Lock()
			if want := fmt.Sprintf("[machine 2 to starling.node.%08x]", w.machines[0].node.Node()); fmt.Sprint(hops) != want {
				t.Errorf("went %v, want %s", hops, want)
			}
			w.air.seen = nil
			w.air.mu.Unlock()
		}
	})
}

// Who makes offers without end keeps nobody else from meeting.
func TestElderOffersMakeWay(t *testing.T) {
	inWorld(t, 0, func(w *world) {
		m := w.addWith(cluster.Options{MaxOffers: 10})
		w.pass(2 * time.Second)
		a, b := w.connect(m), w.connect(m)
		hash := hashes(1)[0]
		w.wantCounts(b, testnet.Announce(hash, 'b', seeder), 1, 0)
		for i := range 30 {
			w.wantCounts(a, testnet.Announce(hash, 'a', fmt.Sprintf(`"offers":[{"offer":{},"offer_id":"%d"}]`, i)), 1, 1)
		}
		w.got(b)
		w.wantCounts(a, testnet.Announce(hash, 'a', testnet.Offers(1)), 1, 1)
		w.one(b)
		b.Send(testnet.Answer(hash, 'b', 'a', 'A'))
		w.one(a)
	})
}

// Nobody answers an offer that somebody else got.
func TestOnlyTheReceiverAnswers(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b, c := w.connect(w.machines[0]), w.connect(w.machines[1]), w.connect(w.machines[1])
		for _, hash := range hashes(4) {
			w.wantCounts(b, testnet.Announce(hash, 'b', seeder), 1, 0)
			w.wantCounts(a, testnet.Announce(hash, 'a', testnet.Offers(1)), 1, 1)
			w.one(b)
			c.Send(testnet.Announce(hash, 'b'))
			if got := w.one(c); !strings.Contains(fmt.Sprint(got["failure reason"]), "in use") {
				t.Fatalf("c took b's peer_id: %v", got)
			}
			c.Send(testnet.Answer(hash, 'b', 'a', 'A'))
			if got := w.got(a); len(got) > 0 {
				t.Fatalf("a got %v", got)
			}
		}
	})
}

func TestPeersComeAndGo(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		for _, hash := range hashes(6) {
			a, b, c := w.connect(w.machines[0]), w.connect(w.machines[1]), w.connect(w.machines[2])
			w.wantCounts(a, testnet.Announce(hash, 'a', seeder), 1, 0)
			w.wantCounts(b, testnet.Announce(hash, 'b'), 1, 1)
			w.wantCounts(c, testnet.Announce(hash, 'c'), 1, 2)
			w.wantCounts(b, testnet.Announce(hash, 'b', `"event":"completed"`), 2, 1)
			w.wantCounts(b, testnet.Announce(hash, 'b', `"event":"stopped"`), 1, 1)
			a.Close()
			w.pass(100 * time.Millisecond)
			w.wantCounts(c, testnet.Announce(hash, 'c'), 0, 1)
			c.Send(fmt.Sprintf(`{"action":"scrape","info_hash":[%q,%q]}`, hash, testnet.ID('x')))
			if got := w.one(c); fmt.Sprint(got["files"]) != fmt.Sprintf("map[%s:map[complete:0 downloaded:1 incomplete:1] %s:map[complete:0 downloaded:0 incomplete:0]]", hash, testnet.ID('x')) {
				t.Fatalf("%v", got)
			}
		}
	})
}

// A peer that comes back by another machine is let in once its old socket is known to be dead, or at once from the
// same address or with its key; a stranger with its peer_id is not.
func TestPeerIDMovesToAnotherMachine(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		for i, hash := range hashes(6) {
			address := fmt.Sprintf("198.51.100.%d", i)
			old := testnet.Connect(w, w.machines[0].pipes.Dial(w, address))
			w.wantCounts(old, testnet.Announce(hash, 'a', seeder), 1, 0)
			stranger := w.connect(w.machines[1])
			stranger.Send(testnet.Announce(hash, 'a'))
			if got := w.one(stranger); got["failure reason"] == nil {
				t.Fatalf("a stranger is in: %v", got)
			}
			again := testnet.Connect(w, w.machines[2].pipes.Dial(w, address))
			w.wantCounts(again, testnet.Announce(hash, 'a', seeder), 1, 0)
			old.Close()
			w.wantCounts(again, testnet.Announce(hash, 'a', seeder), 1, 0)

			// Who has its key need not come from the same address.
			key := func(letter string) string { return `"key":"` + strings.Repeat(letter, 16) + `"` }
			w.wantCounts(again, testnet.Announce(hash, 'a', seeder, key("k")), 1, 0)
			stranger.Send(testnet.Announce(hash, 'a', key("l")))
			if got := w.one(stranger); got["failure reason"] == nil {
				t.Fatalf("a stranger with another key is in: %v", got)
			}
			for _, m := range w.machines {
				w.wantCounts(w.connect(m), testnet.Announce(hash, 'a', seeder, key("k")), 1, 0)
			}
		}
	})
}

func TestAddressesAreFoundAtTheOwner(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		for _, hash := range hashes(9) {
			h := tracker.InfoHash([]byte(hash))
			for i, m := range w.machines {
				a := tracker.AddrAnnounce{InfoHash: h, PeerID: tracker.PeerID{byte(i)}, Left: tracker.Nothing, Want: 10, Key: 7<<16 | 5, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 6881)}
				a.Left = tracker.Some
				counts, picks, err := m.node.AnnounceAddr(&a, nil)
				if err != nil || counts.Leechers != i+1 || len(picks) != i {
					t.Fatalf("%d: %+v, %v, %v", i, counts, picks, err)
				}
			}
			for _, m := range w.machines {
				if all := m.node.CountsOf([]tracker.InfoHash{{9}, h}, nil); len(all) != 2 || all[1].IPv4.Leechers != 3 || all[0] != (tracker.Counts{}) {
					t.Errorf("%+v", all)
				}
				if m.node.Here(h) != (w.owner(hash) == m) {
					t.Errorf("%s takes another machine's swarm for its own, or the other way round", m.name)
				}
			}
			// Half of a key makes another peer, all of it the same one at another address.
			for i, key := range []uint32{8<<16 | 5, 7<<16 | 5} {
				a := tracker.AddrAnnounce{InfoHash: h, Left: tracker.Some, Key: key, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 6881)}
				if counts, _, err := w.machines[0].node.AnnounceAddr(&a, nil); err != nil || counts.Leechers != 4 {
					t.Errorf("with the key %x: %+v, %v", key, counts, err)
				}
			}
		}
	})
}

// Who is cut off at once, as by kill -9, is gone from all counts before the next announce is due.
func TestAMachineDies(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		staying, dying := w.connect(w.machines[0]), w.connect(w.machines[1])
		all := hashes(many)
		for _, hash := range all {
			w.wantCounts(dying, testnet.Announce(hash, 'd', seeder), 1, 0)
			w.wantCounts(staying, testnet.Announce(hash, 's'), 1, 1)
		}
		w.machines[1].radio.turn(false)
		// In mid-announce: the reply comes all the same, whoever owns the swarm.
		for _, hash := range all {
			staying.Send(testnet.Announce(hash, 's', testnet.Offers(3)))
		}
		w.pass(2 * time.Second)
		if got := staying.Messages(); len(got) != len(all) {
			t.Fatalf("%d replies, want %d", len(got), len(all))
		}
		w.pass(interval)
		for _, hash := range all {
			w.wantCounts(staying, testnet.Announce(hash, 's'), 0, 1)
		}
		if n := w.machines[0].node.Stats(); n.Nodes != 2 || n.Late == 0 || n.Open != 0 {
			t.Errorf("%+v", n)
		}
	})
}

// Machines that come and go take swarms with them, so nobody's counts are wrong at any time.
func TestMachinesJoinAndLeave(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a := w.connect(w.machines[0])
		all := hashes(many)
		right := func(what string, peers int) {
			w.pass(2 * time.Second)
			for _, hash := range all {
				a.Send(fmt.Sprintf(`{"action":"scrape","info_hash":%q}`, hash))
				want := fmt.Sprintf("map[%s:map[complete:%d downloaded:0 incomplete:0]]", hash, peers)
				if got := w.one(a); fmt.Sprint(got["files"]) != want {
					t.Fatalf("%s: %v, want %s", what, got["files"], want)
				}
				if w.owner(hash) == nil {
					t.Fatalf("%s: %s is on no machine, or on several", what, hash)
				}
			}
		}
		for _, hash := range all {
			w.wantCounts(a, testnet.Announce(hash, 'a', seeder), 1, 0)
		}
		second := w.add()
		right("one has joined", 1)
		b := w.connect(second)
		for _, hash := range all {
			w.wantCounts(b, testnet.Announce(hash, 'b', seeder), 2, 0)
		}
		w.add()
		right("another one has", 2)
		owned := map[*machine]bool{}
		for _, hash := range all {
			owned[w.owner(hash)] = true
		}
		if len(owned) != 3 {
			t.Errorf("%d of 3 machines own swarms", len(owned))
		}
		stuck := w.connect(second) // takes nothing any more
		stuck.Hold()
		stuck.Frame(true, testnet.Ping, nil)
		w.pass(time.Second)
		second.close()
		right("one has left, with its peers", 1)
		if n := w.machines[0].node.Stats(); n.Nodes != 2 || n.Late != 0 || n.Handed == 0 {
			t.Errorf("%+v", n)
		}
	})
}

// A new owner of swarms knows where their peers are, and by which keys they may move, before those announce again.
func TestPlacesAreHandedOver(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		const place, key = tracker.Place(0x01020304), 0x05060708
		first := w.machines[0]
		for _, hash := range hashes(many) {
			var contact [ws.HandleSize]byte
			encoding.BigEndian.PutUint32(contact[:], first.node.Node())
			a := tracker.Announce[ws.Handle]{InfoHash: tracker.InfoHash([]byte(hash)), Contact: ws.HandleOf(contact), Place: place}
			if _, _, err := first.store.Announce(&a, nil); err != nil {
				t.Fatal(err)
			}
			moving := tracker.AddrAnnounce{InfoHash: a.InfoHash, Addr: netip.MustParseAddrPort("192.0.2.1:1"), Key: key}
			if _, _, err := first.store.AnnounceAddr(&moving, nil); err != nil {
				t.Fatal(err)
			}
		}
		second := w.add()
		w.pass(2 * time.Second)
		handed := 0
		second.store.Each(func(h tracker.InfoHash) {
			given, _ := second.store.Take(h)
			for _, p := range given.Web {
				if handed++; p.Place != place {
					t.Errorf("a peer is at %x", p.Place)
				}
			}
			for _, p := range given.Addr {
				if p.Contact.Key != key {
					t.Errorf("a peer has the key %x", p.Contact.Key)
				}
			}
		})
		if handed == 0 {
			t.Error("nobody was handed over")
		}
	})
}

// A swarm of more peers than go into one message is handed over whole.
func TestALargeSwarmIsHandedOver(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		const peers = 1234
		first, second := w.machines[0], w.machines[1]
		hash := ownedBy(second, first)
		var contact [ws.HandleSize]byte
		encoding.BigEndian.PutUint32(contact[:], first.node.Node())
		for i := range peers {
			id := tracker.PeerID{byte(i >> 8), byte(i)}
			web := tracker.Announce[ws.Handle]{InfoHash: hash, PeerID: id, Contact: ws.HandleOf(contact), Left: tracker.Some}
			if _, _, err := first.store.Announce(&web, nil); err != nil {
				t.Fatal(err)
			}
			addr := tracker.AddrAnnounce{InfoHash: hash, PeerID: id, Left: tracker.Nothing, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 1)}
			if _, _, err := first.store.AnnounceAddr(&addr, nil); err != nil {
				t.Fatal(err)
			}
		}
		w.pass(31 * time.Second) // until it looks for swarms that are others'
		if c := second.store.Counts(hash); c.WebRTC.Leechers != peers || c.IPv4.Seeders != peers {
			t.Errorf("the new owner has %+v", c)
		}
		if c := first.store.Counts(hash); c != (tracker.Counts{}) {
			t.Errorf("the other one still has %+v", c)
		}
		if n := first.node.Stats().Handed; n != 2*peers {
			t.Errorf("%d peers were handed over", n)
		}
	})
}

// ownedBy is a swarm that one of two machines owns.
func ownedBy(one, other *machine) (h tracker.InfoHash) {
	owners := cluster.NewOwners([]uint32{one.node.Node(), other.node.Node()})
	for owners.Of(h) != 0 {
		h[0]++
	}
	return h
}

// Two halves that lose each other go on by themselves, and are one again afterwards.
func TestPartition(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		a, b := w.connect(w.machines[0]), w.connect(w.machines[2])
		all := hashes(12)
		both := func(complete, incomplete int) {
			for _, hash := range all {
				w.wantCounts(a, testnet.Announce(hash, 'a', seeder), complete, incomplete)
				w.wantCounts(b, testnet.Announce(hash, 'b', seeder), complete, incomplete)
			}
		}
		for _, hash := range all {
			w.wantCounts(a, testnet.Announce(hash, 'a', seeder), 1, 0)
		}
		for _, hash := range all {
			w.wantCounts(b, testnet.Announce(hash, 'b', seeder), 2, 0)
		}
		third := w.machines[2].name
		w.cut(func(from, to string) bool { return (from == third) != (to == third) })
		w.pass(interval)
		both(1, 0)
		w.cut(nil)
		w.pass(5 * time.Second)
		for _, hash := range all {
			if w.owner(hash) == nil {
				t.Errorf("%s is on several machines after all", hash)
			}
		}
		both(2, 0)
	})
}

func (w *world) cut(f func(from, to string) bool) {
	w.air.mu.Lock()
	defer w.air.mu.Unlock()
	w.air.cut = f
}

// One that is too slow for a while is done without, and is back afterwards.
func TestSlowMachine(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a := w.connect(w.machines[0])
		all := hashes(12)
		slow := w.machines[1].name
		w.cut(func(from, to string) bool { return from == slow && to != slow })
		for _, hash := range all {
			a.Send(testnet.Announce(hash, 'a', seeder))
		}
		w.pass(1500 * time.Millisecond)
		if got := a.Messages(); len(got) != len(all) {
			t.Fatalf("%d replies, want %d", len(got), len(all))
		} else {
			for _, m := range got {
				if m["failure reason"] != nil || m["interval"] == nil {
					t.Errorf("got %v", m)
				}
			}
		}
		h := ownedBy(w.machines[1], w.machines[0])
		addr := tracker.AddrAnnounce{InfoHash: h, Left: tracker.Some, Addr: netip.MustParseAddrPort("192.0.2.1:6881")}
		if counts, _, err := w.machines[0].node.AnnounceAddr(&addr, nil); err != nil || counts.Leechers != 1 {
			t.Errorf("by an address: %+v, %v", counts, err)
		}
		a.Send(`{"action":"scrape","info_hash":["` + strings.Join(all, `","`) + `"]}`)
		if all := w.machines[0].node.CountsOf([]tracker.InfoHash{h}, nil); len(all) != 1 {
			t.Errorf("a scrape by an address: %+v", all)
		}
		if files, _ := w.one(a)["files"].(map[string]any); len(files) != len(all) {
			t.Errorf("a scrape: %v", files)
		}
		w.cut(nil)
		w.pass(interval)
		for _, hash := range all {
			w.wantCounts(a, testnet.Announce(hash, 'a', seeder), 1, 0)
			if w.owner(hash) == nil {
				t.Errorf("%s is on both machines", hash)
			}
		}
	})
}

// What was answered for owners who did not, they are given as soon as they do.
func TestOwnersLearnWhatTheyMissed(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		w.meanwhile(2*time.Second, "", 1)
	})
}

// Who has left meanwhile is not given to them.
func TestOwnersDoNotHearOfThoseWhoLeft(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		w.meanwhile(1500*time.Millisecond, `"event":"stopped"`, 0)
	})
}

// meanwhile has a seeder announce to the first of two machines that do not hear of each other for that long, and say that
// besides once they do. The second one counts so many seeders then.
func (w *world) meanwhile(apart time.Duration, then string, seeders int) {
	w.Helper()
	a, b := w.connect(w.machines[0]), w.connect(w.machines[1])
	all := hashes(many)
	w.cut(func(from, to string) bool { return from != to })
	for _, hash := range all {
		a.Send(testnet.Announce(hash, 'a', seeder))
	}
	w.pass(apart)
	w.cut(nil)
	if then != "" {
		for _, hash := range all {
			a.Send(testnet.Announce(hash, 'a', then))
		}
	}
	w.pass(5 * time.Second)
	for _, hash := range all {
		w.wantCounts(b, testnet.Announce(hash, 'b'), seeders, 1)
	}
}

// More questions than may be open are not asked.
func TestQuestionsAreBounded(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		asking := w.addWith(cluster.Options{MaxAsks: 3})
		w.pass(2 * time.Second)
		a := w.connect(asking)
		w.cut(func(string, string) bool { return true })
		all := hashes(30)
		for _, hash := range all {
			a.Send(testnet.Announce(hash, 'a', seeder))
		}
		w.pass(1500 * time.Millisecond)
		if got := a.Messages(); len(got) != len(all) {
			t.Fatalf("%d replies, want %d", len(got), len(all))
		}
		if n := asking.node.Stats(); n.Asks != 3 || n.Late != 3 || n.Overflow == 0 {
			t.Errorf("%+v", n)
		}
	})
}

// Someone of another version is counted, named once, and does no harm.
func TestAnotherVersion(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		m := w.machines[0]
		other := &radio{air: w.air, name: "other"}
		for range 3 {
			for _, subject := range []string{"starling.hello", fmt.Sprintf("starling.node.%08x", m.node.Node())} {
				if err := other.Publish(subject, []byte("\x02 whatever version two has to say, which is long enough")); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.pass(time.Second)
		if n := m.node.Stats(); n.Unknown != 6 || n.Nodes != 2 || n.Malformed != 0 {
			t.Errorf("%+v", n)
		}
		if n := strings.Count(m.log.String(), "another version"); n != 1 {
			t.Errorf("said %d times:\n%s", n, m.log)
		}
		a, b := w.connect(w.machines[0]), w.connect(w.machines[1])
		w.wantCounts(a, testnet.Announce(testnet.ID('h'), 'a', seeder), 1, 0)
		w.wantCounts(b, testnet.Announce(testnet.ID('h'), 'b', seeder), 2, 0)
	})
}

// A later minor version says more, in items that are known and in others.
func TestLaterMinorVersion(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		m := w.machines[0]
		other := &radio{air: w.air, name: "other"}
		var got [][]byte
		cancel, _ := other.Subscribe("starling.node.00000007", func(b []byte) { got = append(got, b) })
		defer cancel()
		hello := "\x01\x00\x00\x00\x00\x07nonce678\x00\x00\x03\xe8later"
		count := "\x00\x00\x00\x09\x00\x01" + testnet.ID('h') + "and more"
		batch := "\x01\x00\x00\x00\x07" + "\xc8\x00\x00\x04what" + "\x05\x00\x00\x22" + count
		if err := other.Publish("starling.hello", []byte(hello)); err != nil {
			t.Fatal(err)
		}
		w.pass(50 * time.Millisecond)
		if err := other.Publish(fmt.Sprintf("starling.node.%08x", m.node.Node()), []byte(batch)); err != nil {
			t.Fatal(err)
		}
		w.pass(50 * time.Millisecond)
		if n := m.node.Stats(); n.Malformed != 0 || n.Unknown != 0 || n.Nodes != 2 {
			t.Errorf("%+v", n)
		}
		last := string(got[len(got)-1])
		if !strings.Contains(last, "\x06\x00\x00\x2a\x00\x00\x00\x09\x00\x01\x00\x00") {
			t.Errorf("got %q", got)
		}
	})
}

// Of two nodes that have drawn the same number one gives way.
func TestSameNumber(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		m := w.machines[0]
		other := &radio{air: w.air, name: "other"}
		number := m.node.Node()
		for _, nonce := range []string{"\x00", "\xff"} {
			hello := append([]byte{1, 0, byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)}, strings.Repeat(nonce, 8)+"\x00\x00\x03\xe8twin"...)
			if err := other.Publish("starling.hello", hello); err != nil {
				t.Fatal(err)
			}
			w.pass(time.Second)
			select {
			case err := <-m.node.Failed():
				if nonce == "\x00" || !strings.Contains(err.Error(), "start this one again") {
					t.Errorf("to a nonce of %x: %v", nonce, err)
				}
			default:
				if nonce == "\xff" {
					t.Error("it goes on")
				}
			}
		}
	})
}

func TestClosingTwice(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.machines[0].node.Close(context.Background())
		w.machines[0].node.Close(context.Background())
	})
}
