package udp_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/udp"
)

// faraway is a store whose swarms are on another machine, which answers when it is let.
type faraway struct {
	*tracker.Store[int]
	let chan struct{}
}

func (faraway) Here(...tracker.InfoHash) bool { return false }

func (f faraway) AnnounceAddr(a *tracker.AddrAnnounce, picks []tracker.AddrPeer) (tracker.Counts, []tracker.AddrPeer, error) {
	<-f.let
	return f.Store.AnnounceAddr(a, picks)
}

type sent chan []byte

func (s sent) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	s <- append([]byte(nil), b...)
	return len(b), nil
}

// What another machine takes long to answer is bounded, and makes room when it is answered.
func TestManyWaitForAnotherMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, udp.Options{})
		store := faraway{w.store, make(chan struct{})}
		w.handler = udp.New(store, udp.Options{})
		from, answers := netip.MustParseAddrPort("192.0.2.1:1"), make(sent, 1024)
		packet := request{hash: 'h', id: 'a', port: 9}.packet(w.connect("192.0.2.1"))
		for round := range uint64(2) {
			for range 1024 {
				if !w.handler.AnswerLater(packet, from, answers) {
					t.Fatal("it waits")
				}
			}
			if n := w.handler.Stats().Refused; n != round {
				t.Errorf("%d were refused", n)
			}
			if !w.handler.AnswerLater(packet, from, answers) || w.handler.Stats().Refused != round+1 {
				t.Error("one more waits too")
			}
			for range 1024 {
				store.let <- struct{}{}
			}
			synctest.Wait()
			for range 1024 {
				if a := <-answers; len(a) != 20 {
					t.Fatalf("answered %x", a)
				}
			}
		}
	})
}

// What is too short to name a swarm is nobody's, and peers that a store does not pack are packed.
func TestStoreThatDoesNotPack(t *testing.T) {
	w := newWorld(t, udp.Options{})
	w.handler = udp.New(faraway{w.store, closed()}, udp.Options{})
	for n := range 36 {
		for action := range byte(5) {
			p := make([]byte, 36)
			p[11] = action
			if w.handler.AnswerLater(p[:n], netip.MustParseAddrPort("192.0.2.1:1"), make(sent)) {
				t.Errorf("%d bytes with action %d take time", n, action)
			}
		}
	}
	w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1}, 1, 0)
	w.wants("2001:db8::1", request{hash: 'h', id: 'b', port: 2}, 2, 0)
	w.wants("192.0.2.2", request{hash: 'h', id: 'c', port: 3, left: 1, want: -1}, 2, 1, "192.0.2.1:1")
	w.wants("2001:db8::2", request{hash: 'h', id: 'd', port: 4, left: 1, want: -1}, 2, 2, "[2001:db8::1]:2")
	w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, left: 1}, 1, 3) // it lacks data again
	denied := request{hash: 'X', id: 'a', port: 1}.packet(w.connect("192.0.2.1"))
	if why := string(w.body(w.ask("192.0.2.1", denied), failure)); why != tracker.ErrDenied.Error() {
		t.Errorf("a torrent that is not served: %q", why)
	}
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// Who reads does not wait for another machine; the answer comes from elsewhere.
func TestSwarmOnAnotherMachine(t *testing.T) {
	store := faraway{tracker.New[int](tracker.Options{Expiry: time.Minute}), make(chan struct{})}
	h, from, answers := udp.New(store, udp.Options{}), netip.MustParseAddrPort("192.0.2.1:1"), make(sent, 1)
	connect := binary.BigEndian.AppendUint64(nil, 0x41727101980)
	connect = append(connect, "\x00\x00\x00\x00txid"...)
	if h.AnswerLater(connect, from, answers) {
		t.Fatal("to connect takes time")
	}
	packet := make([]byte, 98)
	copy(packet, h.Answer(nil, connect, from)[8:16])
	packet[11] = 1
	copy(packet[12:], "txid")
	packet[97] = 9 // a port
	if !h.AnswerLater(packet, from, answers) {
		t.Fatal("it waits")
	}
	clear(packet) // it may be used again
	close(store.let)
	if a := <-answers; len(a) != 20 || string(a[4:8]) != "txid" || a[15] != 1 && a[19] != 1 {
		t.Errorf("answered %x", a)
	}
}
