package link_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starling-p2p/starling/link"
)

func TestStrangersGetOneChannel(t *testing.T) {
	ours, theirs := newNode(t, '1', habits{}), newNode(t, '2', habits{stranger: true})
	for n := range 3 {
		ours.Want(hash(n), true)
		theirs.Want(hash(n), false)
	}
	must(t, introduce(t, ours, theirs, hash(1)))
	ours.untilMet(hash(1))
	theirs.untilMet(hash(1))
	a, b := ours.met[hash(1)][0], theirs.met[hash(1)][0]
	if !a.Initiator() || b.Initiator() || a.Peer() != theirs.id || b.Peer() != ours.id {
		t.Errorf("the ends are %v and %v", a, b)
	}
	if at := a.LocalAddr(); a.Relayed() || !at.(link.Addr).IsValid() || at != b.RemoteAddr() || at.Network() != "webrtc" {
		t.Errorf("the ends are at %v and %v", a.LocalAddr(), b.RemoteAddr())
	}
	if s := ours.Stats(); s.Links != 1 || s.Channels != 1 {
		t.Errorf("got %+v", s)
	}
	must(t, b.Close())
	for _, n := range []*node{ours, theirs} {
		n.gone()
		if len(n.failed) > 0 {
			t.Error("failed:", n.failed)
		}
	}
}

func TestOneLinkCarriesWhatTwoShare(t *testing.T) {
	a, b := newNode(t, '1', habits{}), newNode(t, '2', habits{})
	for _, n := range []int{1, 2, 3, 9} {
		a.Want(hash(n), true)
	}
	for _, n := range []int{1, 2, 3, 8} {
		b.Want(hash(n), false)
	}
	b.Want(hash(4), true)
	a.Want(hash(4), false)
	must(t, introduce(t, a, b, hash(1)))
	a.untilMet(hash(1), hash(2), hash(3), hash(4))
	b.untilMet(hash(1), hash(2), hash(3), hash(4))
	b.Want(hash(9), false)
	a.untilMet(hash(9))
	for _, n := range []*node{a, b} {
		if s := n.Stats(); s != (link.Stats{Links: 1, Channels: 5, Made: 1}) {
			t.Errorf("got %+v", s)
		}
	}
	if a.Carried(hash(9)) != 1 || a.Carried(hash(8)) != 0 {
		t.Error("Carried is wrong")
	}
}

func TestATorrentThatComesAgainGetsItsChannelAtOnce(t *testing.T) {
	a, b := newNode(t, '1', habits{}), newNode(t, '2', habits{})
	for n := range 2 {
		a.Want(hash(n), true)
		b.Want(hash(n), false)
	}
	must(t, introduce(t, a, b, hash(0)))
	a.untilMet(hash(0), hash(1))
	a.Drop(hash(1))
	must(t, a.met[hash(1)][0].Close())
	a.until(func() bool { return len(a.closed) == 1 })
	a.Want(hash(1), true)
	a.until(func() bool { return len(a.met[hash(1)]) == 2 })
}

func TestMoreTorrentsThanChannels(t *testing.T) {
	many := 1200 // more than there are ids of data channels
	if testing.Short() {
		many = 100
	}
	var most, done atomic.Int64
	a, b := newNode(t, '1', habits{}), newNode(t, '2', habits{})
	a.habits.onMet = func(c *link.Channel) {
		most.Store(max(most.Load(), int64(a.Stats().Channels)))
		a.Want(c.InfoHash(), false)
		done.Add(1)
	}
	for n := range many {
		a.Want(hash(n), true)
		b.Want(hash(n), false)
	}
	must(t, introduce(t, a, b, hash(0)))
	poll(func() bool { return int(done.Load()) == many })
	if most.Load() > 32 {
		t.Errorf("%d channels at once", most.Load())
	}
	if s := a.Stats(); s.Made != 1 {
		t.Errorf("made %d connections", s.Made)
	}
}

func TestOneChannelForEachTorrentThatBothLack(t *testing.T) {
	a, b := newNode(t, '1', habits{}), newNode(t, '2', habits{})
	a.Want(hash(0), true)
	b.Want(hash(0), true)
	must(t, introduce(t, a, b, hash(0)))
	a.untilMet(hash(0))
	b.untilMet(hash(0))
	const many = 20
	for n := 1; n < many; n++ {
		a.Want(hash(n), true)
		b.Want(hash(many-n), true)
	}
	poll(func() bool { return a.Stats().Channels == many && b.Stats().Channels == many })
	a.until(func() bool { return len(a.met) == many })
}

func TestALinkThatDiesClosesItsChannels(t *testing.T) {
	a, b := newNode(t, '1', habits{}), newNode(t, '2', habits{})
	for n := range 10 {
		a.Want(hash(n), true)
		b.Want(hash(n), false)
	}
	must(t, introduce(t, a, b, hash(0)))
	a.until(func() bool { return len(a.met) == 10 })
	must(t, b.Close())
	a.until(func() bool { return len(a.closed) == 10 })
	a.gone()
}

// Who else has the data is asked for at once.
func TestALinkThatEndsIsToldWhereDataIsLacking(t *testing.T) {
	a, b := newNode(t, '1', habits{impatient: true}), newNode(t, '2', habits{})
	for i := range 2 {
		a.Want(hash(i), i == 0)
		b.Want(hash(i), i != 0)
	}
	must(t, introduce(t, b, a, hash(1)))
	a.untilMet(hash(0), hash(1))
	must(t, b.Close())
	a.until(func() bool { return slices.Equal(a.failed, []link.InfoHash{hash(0)}) })
}

func TestIdleLinksEnd(t *testing.T) {
	a, b := newNode(t, '1', habits{hurried: true}), newNode(t, '2', habits{hurried: true})
	a.Want(hash(1), true)
	b.Want(hash(1), false)
	must(t, introduce(t, a, b, hash(1)))
	a.untilMet(hash(1))
	b.untilMet(hash(1))
	poll(func() bool { return a.Stats().Channels == 1 })
	a.Want(hash(1), false)
	must(t, a.met[hash(1)][0].Close())
	a.gone()
	b.gone()
}

func TestChannelsThatThePeerClosesAreTriedAgainLater(t *testing.T) {
	var opened atomic.Int64
	a := newNode(t, '1', habits{hurried: true})
	b := newNode(t, '2', habits{})
	b.habits.onMet = func(c *link.Channel) {
		if c.InfoHash() == hash(2) {
			opened.Add(1)
			return
		}
		_, _ = c.Read(make([]byte, 1))
	}
	for n := 1; n < 3; n++ {
		a.Want(hash(n), true)
		b.Want(hash(n), false)
	}
	must(t, introduce(t, a, b, hash(1)))
	poll(func() bool { return opened.Load() == 4 })
	// Neither side has told the other anything for a while: what is new is told all the same.
	a.Want(hash(3), true)
	b.Want(hash(3), false)
	a.untilMet(hash(3))
	// Four times, then others are looked for.
	poll(func() bool {
		o, err := a.Offer(t.Context(), hash(2))
		if err == nil {
			o.Close()
		}
		return err == nil
	})
	if n := opened.Load(); n != 4 {
		t.Errorf("opened %d times, want 4", n)
	}
}

func TestTwoSidesThatOfferAtOnceHaveOneLink(t *testing.T) {
	for name, hashes := range map[string][2]link.InfoHash{"same": {hash(1), hash(1)}, "different": {hash(1), hash(2)}} {
		t.Run(name, func(t *testing.T) {
			a, b := newNode(t, '1', habits{}), newNode(t, '2', habits{})
			for n, ih := range hashes {
				x, y := a, b
				if n == 1 {
					x, y = b, a
				}
				x.Want(ih, true)
				y.Want(ih, hashes[0] == hashes[1])
			}
			ctx := t.Context()
			ours, err := a.Offer(ctx, hashes[0])
			must(t, err)
			theirs, err := b.Offer(ctx, hashes[1])
			must(t, err)
			var answers [2]string
			var both sync.WaitGroup
			both.Go(func() { answers[0], _ = b.Answer(ctx, hashes[0], a.id, ours.SDP) })
			both.Go(func() { answers[1], _ = a.Answer(ctx, hashes[1], b.id, theirs.SDP) })
			both.Wait()
			if answers[0] != "" {
				_ = ours.Accept(ctx, b.id, answers[0])
			}
			if answers[1] != "" {
				_ = theirs.Accept(ctx, a.id, answers[1])
			}
			a.untilMet(hashes[:]...)
			b.untilMet(hashes[:]...)
			poll(func() bool { return a.Stats().Links == 1 && b.Stats().Links == 1 })
			if len(a.failed)+len(b.failed) > 0 {
				t.Error("failed:", a.failed, b.failed)
			}
			if a.met[hash(1)][0].Peer() != b.id {
				t.Error("met somebody else")
			}
		})
	}
}

func TestNoSecondLinkToAPeerThatIsKnown(t *testing.T) {
	a, b := newNode(t, '1', habits{}), newNode(t, '2', habits{})
	a.Want(hash(1), true)
	a.Want(hash(2), true)
	b.Want(hash(1), false)
	must(t, introduce(t, a, b, hash(1)))
	b.untilMet(hash(1))
	if err := introduce(t, a, b, hash(2)); !errors.Is(err, link.ErrDeclined) {
		t.Errorf("got %v", err)
	}
	if b.Stats().Made != 1 {
		t.Errorf("%d connections", b.Stats().Made)
	}
}

func TestOffers(t *testing.T) {
	ctx := t.Context()
	a := newNode(t, '1', habits{})
	var all []*link.Offer
	for {
		o, err := a.Offer(ctx, hash(1))
		if err != nil {
			if !errors.Is(err, link.ErrBusy) || len(all) != 16 {
				t.Fatalf("after %d: %v", len(all), err)
			}
			break
		}
		if slices.ContainsFunc(all, func(p *link.Offer) bool { return p.ID == o.ID || p.SDP == o.SDP }) {
			t.Error("the same one twice")
		}
		all = append(all, o)
	}
	all[3].Release()
	o, err := a.Offer(ctx, hash(2))
	must(t, err)
	if o.SDP != all[3].SDP || o.ID == all[3].ID {
		t.Error("one that reached nobody is to be used again, under another id")
	}
	if err := all[3].Accept(ctx, newNode(t, '2', habits{}).id, o.SDP); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepted under its old id: %v", err)
	}
	all[4].Close()
	all[4].Close()
	if s := a.Stats(); s.Offers != 15 || s.Made != 16 {
		t.Errorf("got %+v", s)
	}
	must(t, a.Close())
	if _, err := a.Offer(ctx, hash(1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := a.Answer(ctx, hash(1), link.PeerID{1}, o.SDP); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if err := o.Accept(ctx, link.PeerID{1}, o.SDP); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// pion heeds nobody before it has the answer, so an offer that was taken up in vain is as good as new.
func TestAnOfferThatWasAnsweredInVainServesAnother(t *testing.T) {
	ctx := t.Context()
	a, b, c := newNode(t, '1', habits{}), newNode(t, '2', habits{}), newNode(t, '3', habits{})
	a.Want(hash(2), true)
	b.Want(hash(1), false)
	c.Want(hash(2), false)
	o, err := a.Offer(ctx, hash(1))
	must(t, err)
	if _, err := b.Answer(ctx, hash(1), a.id, o.SDP); err != nil { // and it calls from now on
		t.Fatal(err)
	}
	if err := o.Accept(ctx, b.id, "nonsense"); !errors.Is(err, link.ErrSDP) {
		t.Fatal(err)
	}
	must(t, introduce(t, a, c, hash(2)))
	c.untilMet(hash(2))
	if n := a.Stats().Made; n != 1 {
		t.Errorf("made %d", n)
	}
}

func TestOffersEnd(t *testing.T) {
	a := newNode(t, '1', habits{hurried: true})
	_, err := a.Offer(t.Context(), hash(1))
	must(t, err)
	kept, err := a.Offer(t.Context(), hash(1))
	must(t, err)
	kept.Release()
	poll(func() bool { return a.Stats().Offers == 0 })
	if len(a.failed) > 0 {
		t.Error("nothing failed, and it says", a.failed)
	}
}

func TestOverdueOffersServeOthers(t *testing.T) {
	a := newNode(t, '1', habits{hurried: true})
	for range 16 {
		_, err := a.Offer(t.Context(), hash(1))
		must(t, err)
	}
	poll(func() bool {
		_, err := a.Offer(t.Context(), hash(2))
		return err == nil
	})
	if n := a.Stats().Made; n > 17 {
		t.Errorf("made %d", n)
	}
}

func TestLinksAreCounted(t *testing.T) {
	a, b := newNode(t, '1', habits{maxLinks: 2}), newNode(t, '2', habits{maxLinks: 1})
	c := newNode(t, '3', habits{})
	for range 2 {
		o, err := a.Offer(t.Context(), hash(1))
		must(t, err)
		defer o.Close()
	}
	if _, err := a.Offer(t.Context(), hash(1)); !errors.Is(err, link.ErrBusy) {
		t.Errorf("got %v", err)
	}
	must(t, introduce(t, c, b, hash(1)))
	if err := introduce(t, newNode(t, '4', habits{}), b, hash(1)); !errors.Is(err, link.ErrBusy) {
		t.Errorf("got %v", err)
	}
}

// A link that carries nothing gives way to one that would, well before it would end by itself.
func TestSpareLinksMakeRoom(t *testing.T) {
	a, b, c := newNode(t, '1', habits{}), newNode(t, '2', habits{maxLinks: 1, sparing: true}), newNode(t, '3', habits{})
	must(t, introduce(t, a, b, hash(1)))
	a.untilMet(hash(1))
	b.untilMet(hash(1))
	if err := introduce(t, c, b, hash(2)); !errors.Is(err, link.ErrBusy) {
		t.Errorf("got %v", err)
	}
	begun := time.Now()
	must(t, b.met[hash(1)][0].Close())
	poll(func() bool { return introduce(t, c, b, hash(2)) == nil })
	b.untilMet(hash(2))
	a.gone()
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("after %s", took)
	}
}

func TestDescriptionsThatMakeNoSense(t *testing.T) {
	a := newNode(t, '1', habits{})
	o, err := a.Offer(t.Context(), hash(1))
	must(t, err)
	for name, sdp := range map[string]string{
		"empty": "", "no section": "v=0\r\n", "noise": "hello",
		"media":      o.SDP + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
		"video":      strings.Replace(o.SDP, "m=application", "m=video", 1),
		"long":       o.SDP + strings.Repeat("a=x\r\n", 20_000),
		"candidates": o.SDP + strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 65),
		"cut off":    strings.Split(o.SDP, "a=fingerprint")[0],
		"no ufrag":   strings.ReplaceAll(o.SDP, "a=ice-ufrag:", "a=x:"),
	} {
		for range 2 { // the first leaves nothing behind that the second would meet
			if _, err := a.Answer(t.Context(), hash(1), link.PeerID{1}, sdp); !errors.Is(err, link.ErrSDP) {
				t.Errorf("%s: got %v", name, err)
			}
			fresh, err := a.Offer(t.Context(), hash(1))
			must(t, err)
			if err := fresh.Accept(t.Context(), link.PeerID{1}, sdp); !errors.Is(err, link.ErrSDP) {
				t.Errorf("%s: got %v", name, err)
			}
			fresh.Close()
		}
	}
	if _, err := a.Answer(t.Context(), hash(1), a.id, o.SDP); !errors.Is(err, link.ErrDeclined) {
		t.Errorf("an offer of its own: %v", err)
	}
	poll(func() bool { return a.Stats().Links == 0 })
}

func TestAnAttemptThatFailsIsTold(t *testing.T) {
	a, b := newNode(t, '1', habits{hurried: true}), newNode(t, '2', habits{hurried: true})
	o, err := a.Offer(t.Context(), hash(1))
	must(t, err)
	answer, err := b.Answer(t.Context(), hash(1), a.id, unreachable(o.SDP))
	must(t, err)
	must(t, o.Accept(t.Context(), b.id, unreachable(answer)))
	for _, n := range []*node{a, b} {
		n.until(func() bool { return slices.Equal(n.failed, []link.InfoHash{hash(1)}) })
	}
}

// A link that has opened is not ended by what ends those that have not.
func TestAnOpenLinkStays(t *testing.T) {
	a, b, c := newNode(t, '1', habits{hurried: true}), newNode(t, '2', habits{hurried: true}), newNode(t, '3', habits{stranger: true})
	for len(a.met[hash(2)]) == 0 { // it may fail where a machine is slow
		failed := len(a.failed)
		must(t, introduce(t, a, c, hash(2)))
		a.until(func() bool { return len(a.met[hash(2)]) > 0 || len(a.failed) > failed })
	}
	o, err := a.Offer(t.Context(), hash(1))
	must(t, err)
	answer, err := b.Answer(t.Context(), hash(1), a.id, unreachable(o.SDP))
	must(t, err)
	must(t, o.Accept(t.Context(), b.id, unreachable(answer)))
	a.until(func() bool { return slices.Contains(a.failed, hash(1)) })
	if n := a.Stats().Links; n != 1 {
		t.Errorf("%d links", n)
	}
}

// What was offered or answered with addresses that are dead is not in the way of another try.
func TestALinkThatDoesNotOpenIsInNobodysWay(t *testing.T) {
	a, b := newNode(t, '1', habits{impatient: true}), newNode(t, '2', habits{impatient: true})
	o, err := a.Offer(t.Context(), hash(1))
	must(t, err)
	answer, err := b.Answer(t.Context(), hash(1), a.id, unreachable(o.SDP))
	must(t, err)
	must(t, o.Accept(t.Context(), b.id, unreachable(answer)))
	must(t, introduce(t, a, b, hash(1)))
	a.untilMet(hash(1))
	b.untilMet(hash(1))
}

// unreachable takes all addresses away.
func unreachable(sdp string) string {
	var kept []string
	for line := range strings.Lines(sdp) {
		if !strings.HasPrefix(line, "a=candidate") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestABannedPeerStaysAway(t *testing.T) {
	a, b := newNode(t, '1', habits{}), newNode(t, '2', habits{})
	a.Want(hash(1), true)
	b.Want(hash(1), false)
	must(t, introduce(t, a, b, hash(1)))
	a.untilMet(hash(1))
	a.met[hash(1)][0].Ban()
	a.gone()
	for _, x := range [][2]*node{{a, b}, {b, a}} {
		if err := introduce(t, x[0], x[1], hash(1)); !errors.Is(err, link.ErrDeclined) {
			t.Errorf("got %v", err)
		}
	}
	if a.Stats().Banned != 1 {
		t.Errorf("got %+v", a.Stats())
	}
}

// A peer that claims the peer_id of another one is banned without it.
func TestAClaimedPeerID(t *testing.T) {
	for _, stranger := range []bool{false, true} {
		a, liar := newNode(t, '1', habits{}), newNode(t, '2', habits{listen: "127.0.0.2:0", stranger: stranger})
		honest := newNode(t, '2', habits{listen: "127.0.0.3:0", stranger: stranger})
		if honest.id != liar.id {
			t.Fatal("they claim different ones")
		}
		a.Want(hash(1), true)
		liar.Want(hash(1), false)
		honest.Want(hash(1), false)
		must(t, introduce(t, a, liar, hash(1)))
		a.untilMet(hash(1))
		a.met[hash(1)][0].Ban()
		a.gone()
		if err := introduce(t, a, liar, hash(1)); !errors.Is(err, link.ErrDeclined) {
			t.Errorf("the liar: %v", err)
		}
		must(t, introduce(t, a, honest, hash(1)))
		honest.untilMet(hash(1))
	}
}

// A thousand links of one peer come and go, half of them failing in one of four ways. TestMain finds what they leave.
func TestAThousandLinks(t *testing.T) {
	many := 1000
	if testing.Short() {
		many = 100
	}
	a := newNode(t, '1', habits{maxLinks: 1 << 16})
	work := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range work {
				if err := come(t.Context(), a, newNode(t, '2', habits{number: n}), n); err != nil {
					t.Errorf("%d: %v", n, err)
				}
			}
		})
	}
	for n := range many {
		work <- n
	}
	close(work)
	workers.Wait()
	a.gone()
	if n := len(a.met); n != many/2 {
		t.Errorf("%d links opened, want %d", n, many/2)
	}
	if s := a.Stats(); s.Offers+s.Channels > 0 {
		t.Errorf("left: %+v", s)
	}
}

// come brings a link about, offered by either side, and ends it. Odd ones fail.
func come(ctx context.Context, a, b *node, n int) error {
	defer b.Close()
	ih := hash(n)
	if n%4 > 1 {
		a, b = b, a
	}
	var o *link.Offer
	poll(func() bool {
		var err error
		o, err = a.Offer(ctx, ih)
		return !errors.Is(err, link.ErrBusy)
	})
	sdp := o.SDP
	if n%8 == 7 { // nobody answers
		o.Close()
		return nil
	}
	if n%8 == 5 { // somebody else is at the other end
		at := strings.Index(sdp, "a=fingerprint:sha-256 ") + len("a=fingerprint:sha-256 ")
		sdp = sdp[:at] + "00:00:00:00" + sdp[at+11:]
	}
	answer, err := b.Answer(ctx, ih, a.id, sdp)
	if err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	if n%8 == 3 { // the answer gets lost, and the answerer leaves
		o.Close()
		b.Ban(a.id)
		return nil
	}
	if err := o.Accept(ctx, b.id, answer); err != nil {
		return fmt.Errorf("accepting: %w", err)
	}
	switch n % 8 {
	case 1: // it is given up while it is being made
		b.Ban(a.id)
		a.Ban(b.id)
	case 5:
		poll(func() bool { return b.Stats().Channels == 0 && a.failures(ih)+b.failures(ih) > 0 })
		a.Ban(b.id)
	default:
		a.untilMet(ih)
		b.untilMet(ih)
		a.mu.Lock()
		c := a.met[ih][0]
		a.mu.Unlock()
		return c.Close()
	}
	return nil
}
