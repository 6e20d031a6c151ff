package link_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/starling-p2p/starling/link"
)

// node are the links of a peer that shakes hands as a wire would, and remembers what happened.
type node struct {
	testing.TB
	*link.Links
	id     link.PeerID
	habits habits
	raw    chan *link.Channel

	mu      sync.Mutex
	changed *sync.Cond
	met     map[link.InfoHash][]*link.Channel
	closed  []link.InfoHash
	failed  []link.InfoHash
}

type habits struct {
	// stranger: it knows no extension, and its peer_id is another client's.
	stranger  bool
	hurried   bool
	sparing   bool
	impatient bool
	maxLinks  int
	// number makes peer_ids differ where the digit does not.
	number  int
	servers func(context.Context) ([]webrtc.ICEServer, error)
	// proxy is by which TURN servers are reached over TCP; trust is for their certificates.
	proxy string
	trust *x509.CertPool
	// listen is an address of this machine where it is not the loopback one.
	listen string
	// raw: channels go to the node's raw, without a handshake.
	raw bool
	// onMet is called when both ends have shaken hands.
	onMet func(*link.Channel)
}

func newNode(t testing.TB, digit byte, h habits) *node {
	t.Helper()
	n := &node{TB: t, habits: h, raw: make(chan *link.Channel, 64), met: map[link.InfoHash][]*link.Channel{}}
	n.changed = sync.NewCond(&n.mu)
	begin := "-SL0001-"
	if h.stranger {
		begin = "-WW0001-"
	}
	copy(n.id[:], begin+"aaaaaaaaaaaa")
	n.id[17], n.id[18], n.id[19] = byte(h.number>>8), byte(h.number), digit
	o := link.Options{PeerID: n.id, Listen: cmp.Or(h.listen, "127.0.0.1:0"), Channel: n.channel, Failed: n.fail, MaxLinks: h.maxLinks, ICEServers: h.servers}
	o.Proxy = func(*http.Request) (*url.URL, error) {
		if h.proxy == "" {
			return nil, nil
		}
		return url.Parse(h.proxy)
	}
	o.TLS = &tls.Config{RootCAs: h.trust}
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	open := link.New
	switch {
	case h.hurried:
		open = link.Hurried
	case h.sparing:
		open = link.Sparing
	case h.impatient:
		open = link.Impatient
	}
	links, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	n.Links = links
	t.Cleanup(func() {
		if err := links.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) fail(ih link.InfoHash) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed = append(n.failed, ih)
	n.changed.Broadcast()
}

// failures counts attempts for a torrent that came to nothing.
func (n *node) failures(ih link.InfoHash) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.failed {
		if f == ih {
			count++
		}
	}
	return count
}

func (n *node) channel(c *link.Channel) {
	if n.habits.raw {
		n.raw <- c
		return
	}
	go n.shake(c)
}

// handshake is as long as BEP 3's; its last reserved byte stands for what BEP 10 would tell.
func (n *node) handshake(ih link.InfoHash) []byte {
	b := make([]byte, 68)
	copy(b, "\x13BitTorrent protocol")
	if !n.habits.stranger {
		b[27] = 1
	}
	copy(b[28:], ih[:])
	copy(b[48:], n.id[:])
	return b
}

func (n *node) shake(c *link.Channel) {
	defer func() {
		_ = c.Close()
		n.mu.Lock()
		defer n.mu.Unlock()
		n.closed = append(n.closed, c.InfoHash())
		n.changed.Broadcast()
	}()
	if c.Initiator() {
		if _, err := c.Write(n.handshake(c.InfoHash())); err != nil {
			return
		}
	}
	theirs := make([]byte, 68)
	if _, err := io.ReadFull(c, theirs); err != nil {
		return
	}
	if !c.Initiator() {
		if _, err := c.Write(n.handshake(c.InfoHash())); err != nil {
			return
		}
	}
	if theirs[27] == 1 && !n.habits.stranger {
		c.Extended()
	}
	n.mu.Lock()
	n.met[c.InfoHash()] = append(n.met[c.InfoHash()], c)
	n.changed.Broadcast()
	n.mu.Unlock()
	if n.habits.onMet != nil {
		n.habits.onMet(c)
		return
	}
	_, _ = io.Copy(io.Discard, c)
}

// until waits until something is so, for as long as the test may run.
func (n *node) until(so func() bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for !so() {
		n.changed.Wait()
	}
}

func (n *node) untilMet(all ...link.InfoHash) {
	n.until(func() bool {
		return !slices.ContainsFunc(all, func(ih link.InfoHash) bool { return len(n.met[ih]) == 0 })
	})
}

// gone waits until no link is left.
func (n *node) gone() { poll(func() bool { return n.Stats().Links == 0 }) }

// poll is for what nobody tells of.
func poll(so func() bool) {
	for !so() {
		time.Sleep(time.Millisecond)
	}
}

func hash(n int) (ih link.InfoHash) {
	ih[0], ih[1], ih[19] = byte(n>>8), byte(n), 1
	return ih
}

// introduce does what a tracker does: an offer of one for the other, and the answer back.
func introduce(t testing.TB, from, to *node, ih link.InfoHash) error {
	t.Helper()
	ctx := context.Background()
	o, err := from.Offer(ctx, ih)
	if err != nil {
		return err
	}
	answer, err := to.Answer(ctx, ih, from.id, o.SDP)
	if err != nil {
		o.Close()
		return err
	}
	return o.Accept(ctx, to.id, answer)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
