package udp_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
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
