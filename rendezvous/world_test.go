package rendezvous_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lxzan/gws"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/link"
	"github.com/starling-p2p/starling/rendezvous"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

const interval = 120 * time.Second

// world is our tracker on a network of pipes, inside a bubble with a clock of its own.
type world struct {
	*testing.T
	pipes *testnet.Pipes
	store *tracker.Store[ws.Handle]
	ws    *ws.Server
	http  *http.Server
	ran   chan struct{}
	stop  context.CancelFunc
	dials atomic.Int64
	mu    sync.Mutex
}

func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t}
		w.open()
		test(w)
		w.shut()
	})
}

// open starts a tracker that knows nobody.
func (w *world) open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pipes = testnet.NewPipes()
	w.store = tracker.New[ws.Handle](tracker.Options{Expiry: 2 * interval})
	w.ws = ws.New(w.store, ws.Options{Interval: interval})
	w.http = &http.Server{Handler: w.ws}
	ctx, stop := context.WithCancel(w.Context())
	w.stop = stop
	go w.store.Run(ctx)
	pipes, server := w.pipes, w.http
	go server.Serve(pipes)
}

func (w *world) shut() {
	w.stop()
	_ = w.ws.Close(context.Background())
	_ = w.http.Close()
}

// script has the tracker answer each message with what answers returns. It counts what is asked.
func (w *world) script(answers func() []string) *atomic.Int64 { return &w.scripted(answers).asked }

func (w *world) scripted(answers func() []string) *scripted {
	k := &scripted{answers: answers}
	up := gws.NewUpgrader(k, nil)
	w.http.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if socket, err := up.Upgrade(rw, r); err == nil {
			k.socket.Store(socket)
			go socket.ReadLoop()
		}
	})
	return k
}

type scripted struct {
	gws.BuiltinEventHandler
	answers func() []string
	asked   atomic.Int64
	pongs   atomic.Int64
	socket  atomic.Pointer[gws.Conn] // the last one
}

func (k *scripted) OnPong(*gws.Conn, []byte) { k.pongs.Add(1) }

func (k *scripted) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	k.asked.Add(1)
	for _, text := range k.answers() {
		_ = c.WriteString(text)
	}
}

// says is a tracker's message about a torrent, with these fields.
func says(infoHash [20]byte, fields string) []string {
	text := make([]rune, len(infoHash))
	for i, b := range infoHash {
		text[i] = rune(b)
	}
	name, _ := json.Marshal(string(text))
	return []string{fmt.Sprintf(`{"action":"announce","info_hash":%s,%s}`, name, fields)}
}

func (w *world) dial(ctx context.Context, _, address string) (net.Conn, error) {
	w.mu.Lock()
	pipes := w.pipes
	w.dials.Add(1)
	w.mu.Unlock()
	if address != "tracker:80" {
		return nil, fmt.Errorf("nobody is at %s", address)
	}
	return pipes.DialContext(ctx, "tcp", "192.0.2.1")
}

const at = "ws://tracker/announce"

// peer is a client whose links exist only on paper.
type peer struct {
	client *rendezvous.Client
	id     [20]byte

	mu       sync.Mutex
	made     int
	offers   map[*link.Offer]string // what became of them
	accepted map[[20]byte][]string  // answers by who sent them
	offered  map[[20]byte]int
	carried  int
	lost     int // trackers
	busy     bool
	left     int64
	// hold keeps offers from being made until it is closed, where there is one.
	hold chan struct{}
}

func (w *world) peer(digit byte, left int64) *peer {
	p := &peer{offers: map[*link.Offer]string{}, accepted: map[[20]byte][]string{}, offered: map[[20]byte]int{}, left: left}
	copy(p.id[:], bytes.Repeat([]byte{digit}, 20))
	p.client = rendezvous.New(rendezvous.Options{
		PeerID: p.id, Links: p, Dial: w.dial, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
		Lost: func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.lost++
		},
	})
	w.Cleanup(func() { _ = p.client.Close() })
	return p
}

func (p *peer) Offer(_ context.Context, infoHash [20]byte) (*link.Offer, error) {
	if p.hold != nil {
		<-p.hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy {
		return nil, link.ErrBusy
	}
	p.made++
	o := &link.Offer{ID: sha1.Sum(fmt.Append(nil, p.id, p.made)), SDP: fmt.Sprintf("offer %d of %s for %x", p.made, p.id[:1], infoHash[:1]), Desk: desk{p}}
	p.offers[o] = "out"
	return o, nil
}

func (p *peer) Answer(_ context.Context, infoHash, from [20]byte, sdp string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy {
		return "", link.ErrBusy
	}
	p.offered[from]++
	return "answer to " + sdp, nil
}

func (p *peer) Carried([20]byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.carried
}

// desk is where its offers were made.
type desk struct{ *peer }

func (p desk) Accept(_ context.Context, o *link.Offer, from link.PeerID, sdp string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sdp != "answer to "+o.SDP {
		return errors.New("an answer to something else")
	}
	p.accepted[from] = append(p.accepted[from], sdp)
	p.offers[o] = "accepted"
	p.carried++
	return nil
}

func (p desk) Release(o *link.Offer) { p.became(o, "released") }
func (p desk) Close(o *link.Offer)   { p.became(o, "closed") }

func (p *peer) became(o *link.Offer, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offers[o] = what
}

// count is how many offers became something.
func (p *peer) count(what string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, became := range p.offers {
		if became == what {
			n++
		}
	}
	return n
}

func (p *peer) add(infoHash [20]byte, trackers ...string) *rendezvous.Torrent {
	if len(trackers) == 0 {
		trackers = []string{at}
	}
	return p.client.Add(infoHash, trackers, func() (left, up, down int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.left, 1, 2
	})
}

func hash(n byte) (h [20]byte) {
	for i := range h {
		h[i] = n + byte(i)*13 // bytes from all over, for they travel as code points
	}
	return h
}
