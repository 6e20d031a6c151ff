package link_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/starling-p2p/starling/link"
)

// remote is a peer made of pion alone, which answered an offer of ours. It keeps the data channels that come.
type remote struct {
	*webrtc.PeerConnection
	channels chan *webrtc.DataChannel
	// said is what comes on the control channel.
	said chan []byte
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	pc, err := webrtc.NewAPI().NewPeerConnection(webrtc.Configuration{})
	must(t, err)
	r := &remote{pc, make(chan *webrtc.DataChannel, 16), make(chan []byte, 16)}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		if dc.Protocol() == controlProtocol {
			r.hear(dc)
		}
		dc.OnOpen(func() { r.channels <- dc })
	})
	return r
}

func (r *remote) hear(control *webrtc.DataChannel) {
	control.OnMessage(func(m webrtc.DataChannelMessage) { r.said <- m.Data })
}

// describe returns what createOffer or createAnswer made, with all addresses.
func (r *remote) describe(t *testing.T, d webrtc.SessionDescription, err error) string {
	t.Helper()
	must(t, err)
	gathered := webrtc.GatheringCompletePromise(r.PeerConnection)
	must(t, r.SetLocalDescription(d))
	<-gathered
	return r.LocalDescription().SDP
}

// meetRemote links a node with one, for torrent 1. Ours is the node's end of the first channel.
func meetRemote(t *testing.T, n *node) (r *remote, ours *link.Channel) {
	t.Helper()
	return meetRemoteAs(t, n, remoteID, hash(1))
}

func meetRemoteAs(t *testing.T, n *node, id link.PeerID, ih link.InfoHash) (r *remote, ours *link.Channel) {
	t.Helper()
	r = newRemote(t)
	o, err := n.Offer(t.Context(), ih)
	must(t, err)
	must(t, r.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.SDP}))
	answer, err := r.CreateAnswer(nil)
	must(t, o.Accept(t.Context(), id, r.describe(t, answer, err)))
	return r, <-n.raw
}

// metByRemote is a link that the remote offered.
func metByRemote(t *testing.T, n *node) (r *remote, ours *link.Channel) {
	t.Helper()
	r = newRemote(t)
	_, err := r.CreateDataChannel("first", nil)
	must(t, err)
	offer, err := r.CreateOffer(nil)
	answer, err := n.Answer(t.Context(), hash(1), remoteID, r.describe(t, offer, err))
	must(t, err)
	must(t, r.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	return r, <-n.raw
}

const controlProtocol = "starling.link.1"

var remoteID = link.PeerID([]byte("-SL0001-remoteremote"))

func newRawNode(t *testing.T, h habits) *node {
	n := newNode(t, '1', h)
	n.Want(hash(1), true)
	n.Want(hash(2), true)
	return n
}

func TestTheFirstChannelIsWebTorrents(t *testing.T) {
	n := newRawNode(t, habits{raw: true})
	r, ours := meetRemote(t, n)
	dc := <-r.channels
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(dc.Label()) || dc.Protocol() != "" || !dc.Ordered() {
		t.Errorf("label %q, protocol %q", dc.Label(), dc.Protocol())
	}
	came := make(chan []byte, 4)
	dc.OnMessage(func(m webrtc.DataChannelMessage) { came <- m.Data })
	_, err := ours.Write(make([]byte, 100_000))
	must(t, err)
	for left := 100_000; left > 0; {
		m := <-came
		if len(m) > 64<<10 {
			t.Errorf("a message of %d bytes", len(m))
		}
		left -= len(m)
	}
	// Messages of any size are one stream.
	data := make([]byte, 300_000)
	_, _ = rand.Read(data)
	for rest := data; len(rest) > 0; {
		k := min(len(rest), 1+len(rest)/2, 256<<10)
		must(t, dc.Send(rest[:k]))
		rest = rest[k:]
	}
	got := make([]byte, len(data))
	for at := 0; at < len(got); {
		k, err := ours.Read(got[at:min(len(got), at+7)])
		must(t, err)
		at += k
		if at > 1000 {
			_, err := io.ReadFull(ours, got[at:])
			must(t, err)
			break
		}
	}
	if !bytes.Equal(got, data) {
		t.Error("other bytes came")
	}
	must(t, dc.Close())
	if _, err := ours.Read(got); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	n.gone()
}

func TestTextEndsALink(t *testing.T) {
	n := newRawNode(t, habits{raw: true})
	r, ours := meetRemote(t, n)
	must(t, (<-r.channels).SendText("hello"))
	if _, err := ours.Read(make([]byte, 10)); err == nil || err == io.EOF {
		t.Errorf("got %v", err)
	}
	n.gone()
}

// extend names the extension, and returns the control channel that the node opens.
func extend(t *testing.T, r *remote, ours *link.Channel) *webrtc.DataChannel {
	t.Helper()
	<-r.channels
	ours.Extended()
	ours.Extended()
	dc := <-r.channels
	if dc.Label() != "starling" || dc.Protocol() != controlProtocol {
		t.Fatalf("label %q, protocol %q", dc.Label(), dc.Protocol())
	}
	return dc
}

func TestSilenceAboutTheExtension(t *testing.T) {
	n := newRawNode(t, habits{raw: true, hurried: true})
	r, ours := meetRemote(t, n)
	dc := extend(t, r, ours)
	closed := make(chan struct{})
	dc.OnClose(func() { close(closed) })
	<-closed // after hello was due
	ours.Extended()
	if s := n.Stats(); s.Links != 1 || s.Channels != 1 || s.Banned != 0 {
		t.Errorf("got %+v", s)
	}
	must(t, ours.Close())
	n.gone()
}

func TestLiarsAreBanned(t *testing.T) {
	hello := make([]byte, 17)
	message := func(kind byte, n int) []byte {
		m := make([]byte, 1+16*n)
		_, _ = rand.Read(m)
		m[0] = kind
		return m
	}
	for name, say := range map[string]func(send func([]byte), text func(string)){
		"garbage":         func(send func([]byte), _ func(string)) { send(make([]byte, 50)) },
		"nothing":         func(send func([]byte), _ func(string)) { send(nil) },
		"text":            func(_ func([]byte), text func(string)) { text("hello, hello, hel") },
		"no hello first":  func(send func([]byte), _ func(string)) { send(message(1, 1)) },
		"hello twice":     func(send func([]byte), _ func(string)) { send(hello); send(hello) },
		"a long hello":    func(send func([]byte), _ func(string)) { send(message(0, 2)) },
		"unknown message": func(send func([]byte), _ func(string)) { send(hello); send(message(9, 1)) },
		"oversize":        func(send func([]byte), _ func(string)) { send(hello); send(message(1, 4096)) },
		"too many wants": func(send func([]byte), _ func(string)) {
			send(hello)
			for range 5 {
				send(message(1, 3400))
			}
		},
		"a flood": func(send func([]byte), _ func(string)) {
			send(hello)
			for range 12_000 {
				send([]byte{3})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newRawNode(t, habits{raw: true})
			r, ours := meetRemote(t, n)
			dc := extend(t, r, ours)
			say(func(m []byte) { _ = dc.Send(m) }, func(m string) { _ = dc.SendText(m) })
			poll(func() bool { return n.Stats() == link.Stats{Made: 1, Banned: 1} })
			if _, err := ours.Read(make([]byte, 1)); err == nil {
				t.Error("its channel stands")
			}
			if _, err := n.Answer(t.Context(), hash(1), remoteID, r.LocalDescription().SDP); err == nil {
				t.Error("it came back")
			}
		})
	}
}

// Hello comes over another channel than the handshake that names the extension, and may come before it.
func TestAnEarlyHello(t *testing.T) {
	early := func() (*node, *remote, *link.Channel, *webrtc.DataChannel) {
		n := newRawNode(t, habits{raw: true})
		r, ours := metByRemote(t, n)
		control := r.open(t, "starling", controlProtocol)
		r.hear(control)
		must(t, control.Send(make([]byte, 17)))
		poll(func() bool { return control.BufferedAmount() == 0 })
		return n, r, ours, control
	}
	_, r, ours, _ := early()
	ours.Extended()
	<-r.said // hello
	if wants := <-r.said; wants[0] != 1 || len(wants) != 1+2*16 {
		t.Errorf("it says %x", wants)
	}
	// Nothing may follow it before it is answered.
	n, _, _, control := early()
	must(t, control.Send(make([]byte, 17)))
	poll(func() bool { return n.Stats() == link.Stats{Made: 1, Banned: 1} })
}

// Who has seen the tokens of one link learns nothing from those of another.
func TestEachLinkHasANonceOfItsOwn(t *testing.T) {
	n := newRawNode(t, habits{raw: true})
	nonces := map[string]bool{}
	for _, id := range []string{"-SL0001-remoteremote", "-SL0001-anotherother"} {
		r, ours := meetRemoteAs(t, n, link.PeerID([]byte(id)), hash(1))
		extend(t, r, ours)
		nonces[string(<-r.said)] = true
	}
	if len(nonces) != 2 {
		t.Error("two links have the same one")
	}
}

func TestALinkEndsWithItsControlChannel(t *testing.T) {
	n := newRawNode(t, habits{raw: true})
	r, ours := meetRemote(t, n)
	control := extend(t, r, ours)
	r.has(t, control)
	must(t, control.Close())
	n.gone()
}

// What the peer may not open is closed again, and the link stands.
func TestUnwelcomeChannels(t *testing.T) {
	n := newRawNode(t, habits{raw: true})
	r, ours := meetRemote(t, n)
	control := extend(t, r, ours)
	<-r.said // hello
	must(t, control.Send(make([]byte, 17)))
	<-r.said // what it wants
	yes, no := true, false
	wire, second := "starling.wire.1", controlProtocol
	for name, c := range map[string]struct {
		o    webrtc.DataChannelInit
		sent []byte
	}{
		"another protocol":     {webrtc.DataChannelInit{}, nil},
		"a second control":     {webrtc.DataChannelInit{Protocol: &second}, nil},
		"unordered":            {webrtc.DataChannelInit{Protocol: &wire, Ordered: &no}, nil},
		"unreliable":           {webrtc.DataChannelInit{Protocol: &wire, MaxRetransmits: new(uint16)}, nil},
		"a torrent unheard of": {webrtc.DataChannelInit{Protocol: &wire, Ordered: &yes}, make([]byte, 68)},
	} {
		dc, err := r.CreateDataChannel("x", &c.o)
		must(t, err)
		closed := make(chan struct{})
		dc.OnClose(func() { close(closed) })
		if c.sent != nil {
			must(t, dc.Send(c.sent))
		}
		<-closed
		poll(func() bool { return n.Stats().Channels == 1 })
		if n.Stats().Links != 1 {
			t.Errorf("%s ended the link", name)
		}
	}
}

func TestChannelsWithoutAHandshakeAreClosed(t *testing.T) {
	n := newRawNode(t, habits{raw: true, hurried: true})
	r, ours := meetRemote(t, n)
	control := extend(t, r, ours)
	<-r.said // hello
	must(t, control.Send(make([]byte, 17)))
	wire := "starling.wire.1"
	poll(func() bool { // until its hello was heard
		dc, err := r.CreateDataChannel("wire", &webrtc.DataChannelInit{Protocol: &wire})
		must(t, err)
		return dc != nil && n.Stats().Channels > 1
	})
	poll(func() bool { return n.Stats().Channels == 1 })
}

// A browser that cannot use a channel closes it: the next one comes soon.
func TestAChannelClosedUnheardIsOpenedAgainSoon(t *testing.T) {
	n := newRawNode(t, habits{raw: true})
	r, ours := meetRemote(t, n)
	control := extend(t, r, ours)
	r.has(t, control)
	for range 2 {
		select {
		case dc := <-r.channels:
			must(t, dc.Close())
		case <-time.After(link.RetryAfter / 2):
			t.Fatal("it waits")
		}
	}
}

// When both sides open a channel for one torrent, that of the side that made the link's offer stays.
func TestGlare(t *testing.T) {
	for name, meet := range map[string]func(*testing.T, *node) (*remote, *link.Channel){"offered here": meetRemote, "offered there": metByRemote} {
		t.Run(name, func(t *testing.T) {
			n := newRawNode(t, habits{raw: true})
			r, ours := meet(t, n)
			var control *webrtc.DataChannel
			if ours.Initiator() {
				control = extend(t, r, ours)
			} else {
				control = r.open(t, "starling", controlProtocol)
				r.hear(control)
				ours.Extended()
			}
			r.has(t, control)
			here := <-n.raw // the node's channel for torrent 2
			<-r.channels
			there := r.open(t, "wire", "starling.wire.1")
			closed := make(chan struct{})
			there.OnClose(func() { close(closed) })
			must(t, there.Send(n.handshake(hash(2))))
			if ours.Initiator() {
				<-closed
				_, err := here.Write([]byte("stays"))
				must(t, err)
				return
			}
			if _, err := here.Read(make([]byte, 1)); err == nil {
				t.Error("the wrong one stays")
			}
			c := <-n.raw
			if c.Initiator() || c.InfoHash() != hash(2) {
				t.Error("another channel came")
			}
			_, err := io.ReadFull(c, make([]byte, 68))
			must(t, err)
		})
	}
}

// has answers hello, and says that the remote has all that the node wants.
func (r *remote) has(t *testing.T, control *webrtc.DataChannel) {
	t.Helper()
	<-r.said // hello
	must(t, control.Send(make([]byte, 17)))
	have := <-r.said // what it wants
	have[0] = 2
	must(t, control.Send(have))
}

// open opens a data channel.
func (r *remote) open(t *testing.T, label, protocol string) *webrtc.DataChannel {
	t.Helper()
	dc, err := r.CreateDataChannel(label, &webrtc.DataChannelInit{Protocol: &protocol})
	must(t, err)
	open := make(chan struct{})
	dc.OnOpen(func() { close(open) })
	<-open
	return dc
}

// Peers that do not look like ours are known by the extension only. Then the side with the smaller peer_id closes the
// younger of two links.
func TestTheYoungerOfTwoLinksEnds(t *testing.T) {
	for _, id := range []string{"-WW0001-zzzzzzzzzzzz", "-AA0001-zzzzzzzzzzzz"} {
		n := newRawNode(t, habits{raw: true})
		elder, first := meetRemoteAs(t, n, link.PeerID([]byte(id)), hash(1))
		younger, second := meetRemoteAs(t, n, link.PeerID([]byte(id)), hash(2))
		control := extend(t, elder, first)
		<-elder.said // hello
		must(t, control.Send(make([]byte, 17)))
		<-elder.said // it is ready
		smaller := string(n.id[:]) < id
		if smaller {
			second.Extended()
			if _, err := second.Read(make([]byte, 1)); err == nil {
				t.Error("the younger one stands")
			}
			poll(func() bool { return n.Stats().Links == 1 })
		} else {
			control = extend(t, younger, second)
			<-younger.said
			must(t, control.Send(make([]byte, 17)))
			<-younger.said
		}
		if s := n.Stats(); s.Links != map[bool]int{true: 1, false: 2}[smaller] {
			t.Errorf("%s: %+v", id, s)
		}
		_, err := first.Write([]byte("stands"))
		must(t, err)
	}
}

// What is kept for a slow reader takes about as much memory as it has bytes, whatever the messages that it came in.
func TestUnreadMessagesTakeLittleRoom(t *testing.T) {
	n := newRawNode(t, habits{raw: true})
	r, ours := meetRemote(t, n)
	dc := <-r.channels
	const size, many = 2100, 350 // less than SCTP's window
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // what is pooled is gone
	runtime.ReadMemStats(&before)
	for range many {
		must(t, dc.Send(make([]byte, size)))
	}
	poll(func() bool { return dc.BufferedAmount() == 0 })
	_, err := io.ReadFull(ours, make([]byte, size*many))
	must(t, err)
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 30 {
		t.Errorf("%d kB took %d MB", size*many>>10, took)
	}
}

// Who is banned does not come back with another certificate, nor by hiding its address until it connects.
func TestABannedPeerWithAnotherCertificate(t *testing.T) {
	n := newRawNode(t, habits{raw: true})
	_, ours := meetRemote(t, n)
	ours.Ban()
	n.gone()
	r := newRemote(t)
	o, err := n.Offer(t.Context(), hash(1))
	must(t, err)
	must(t, r.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.SDP}))
	answer, err := r.CreateAnswer(nil)
	sdp := r.describe(t, answer, err)
	if err := o.Accept(t.Context(), remoteID, sdp); !errors.Is(err, link.ErrDeclined) {
		t.Errorf("with its address: %v", err)
	}
	if o, err = n.Offer(t.Context(), hash(1)); err != nil {
		t.Fatal(err)
	}
	closed := make(chan bool, 1)
	r.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateClosed {
			closed <- true
		}
	})
	must(t, o.Accept(t.Context(), remoteID, unreachable(sdp)))
	select {
	case <-closed:
	case <-n.raw:
		t.Error("it is back")
	}
}
