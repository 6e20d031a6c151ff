// Package rendezvous is how peers find one another by WebTorrent trackers.
//
//	Torrent ──Add, Lacking, Completed──▶ Client ──one per URL──▶ tracker ◀──WebSocket──▶ tracker
//	                                                               │ announce.go out, replies.go in: JSON, messages.go
//	               Links (package link) ◀──Offer, Accept, Answer───┘
//
// Who lacks data announces with offers; the tracker hands each to another peer, and the answer comes back. Who has all
// announces without, and answers. So a peer that finds nobody comes back often: a seeder that arrives later will not
// call.
package rendezvous

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/starling-p2p/starling/internal/tunnel"
	"github.com/starling-p2p/starling/link"
)

// Links make connections; *link.Links does.
type Links interface {
	// Offer makes an offer for a torrent; an error says that there will be none now.
	Offer(ctx context.Context, infoHash [20]byte) (*link.Offer, error)
	// Answer answers a peer's offer; an error says that there is no answer.
	Answer(ctx context.Context, infoHash, from [20]byte, sdp string) (string, error)
	// Carried is the number of peers that are connected for a torrent.
	Carried(infoHash [20]byte) int
}

// Options say how trackers are reached; zero values are replaced by those in brackets.
type Options struct {
	// PeerID is announced; Links make the connections that are offered and answered.
	PeerID [20]byte
	Links  Links
	// Dial makes connections to trackers and proxies [as net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy returns the proxy for a request, http, https or socks5, or nil [that of the environment].
	Proxy func(*http.Request) (*url.URL, error)
	// TLS is for wss trackers [the system's roots].
	TLS *tls.Config
	// Agent is who asks, as trackers are told ["Starling"].
	Agent string
	// Lost is called when a tracker that was connected is so no more; it must not block [nothing].
	Lost func()
	// Log gets what may need attention [none].
	Log *slog.Logger
}

const (
	// maxTrackers is how many are used of those that a torrent names.
	maxTrackers = 8
	// closeWithin is how long farewells may take.
	closeWithin = time.Second
)

// Client is one peer's presence at its trackers: one socket per tracker, whatever the number of torrents.
type Client struct {
	o   Options
	way tunnel.Dialer
	ctx context.Context
	// end cuts everything off.
	end context.CancelFunc

	mu       sync.Mutex
	closed   bool
	trackers map[string]*tracker
	running  sync.WaitGroup
}

// New returns a client that is connected to nothing yet. Close it.
func New(o Options) *Client {
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	if o.Agent == "" {
		o.Agent = "Starling"
	}
	if o.Lost == nil {
		o.Lost = func() {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	trust := o.TLS.Clone()
	if trust == nil {
		trust = &tls.Config{}
	}
	trust.NextProtos = []string{"http/1.1"} // in others there is no Upgrade
	ctx, end := context.WithCancel(context.Background())
	return &Client{
		o: o, way: tunnel.Dialer{Dial: o.Dial, Proxy: o.Proxy, TLS: trust}, ctx: ctx, end: end, trackers: map[string]*tracker{},
	}
}

// Torrent is one torrent's presence at its trackers. Its methods may be called at any time by anyone.
type Torrent struct {
	client   *Client
	trackers []*tracker
	infoHash [20]byte
	state    func() (left, uploaded, downloaded int64)

	mu      sync.Mutex
	lacking bool
	closed  bool
}

// Add announces a torrent at its trackers until Close: "started" as soon as each is connected, then by their intervals.
// Trackers that are not ws or wss are left out, and so are those beyond the eighth. state tells bytes since the start,
// as BEP 3 wants them, and is asked at each announce; a left of -1 is one that is not known yet. At first the torrent
// counts as lacking data unless left is 0. Add an infohash once at a time.
func (c *Client) Add(infoHash [20]byte, trackers []string, state func() (left, uploaded, downloaded int64)) *Torrent {
	left, _, _ := state()
	t := &Torrent{client: c, infoHash: infoHash, state: state, lacking: left != 0}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return t
	}
	var addresses []string
	for _, text := range trackers {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
			continue
		}
		u.Fragment = ""
		if text = u.String(); !slices.Contains(addresses, text) && len(addresses) < maxTrackers {
			addresses = append(addresses, text)
		}
	}
	for _, address := range addresses {
		k := c.trackers[address]
		if k == nil {
			k = newTracker(c, address, rand.Text())
			c.trackers[address] = k
			c.running.Go(k.run)
		}
		k.users++
		t.trackers = append(t.trackers, k)
		k.add(t, len(addresses))
	}
	return t
}

// Lacking says whether data is still missing: then other peers are looked for.
func (t *Torrent) Lacking(lacking bool) {
	t.mu.Lock()
	changed := t.lacking != lacking
	t.lacking = lacking
	t.mu.Unlock()
	if changed {
		t.Wake()
	}
}

// Completed announces "completed", once.
func (t *Torrent) Completed() {
	t.mu.Lock()
	t.lacking = false
	t.mu.Unlock()
	for _, k := range t.trackers {
		k.completed(t)
	}
}

// Wake says that its need changed, such as that a peer left: it is announced soon.
func (t *Torrent) Wake() {
	for _, k := range t.trackers {
		k.wakeUp(t)
	}
}

// TrackerStatus is what is known of one tracker.
type TrackerStatus struct {
	URL string
	// Connected: it answered the last announce, and the socket stands.
	Connected bool
	// Err is what went wrong last, nil once it works.
	Err error
	// Seeders and Leechers count this peer too; -1 is unknown.
	Seeders, Leechers int
}

// Status returns one for each tracker in use.
func (t *Torrent) Status() []TrackerStatus {
	all := make([]TrackerStatus, 0, len(t.trackers))
	for _, k := range t.trackers {
		all = append(all, k.status(t))
	}
	return all
}

// Close announces "stopped" where a tracker is connected. It does not wait; safe to call again.
func (t *Torrent) Close() {
	t.mu.Lock()
	closed := t.closed
	t.closed = true
	t.mu.Unlock()
	if closed {
		return
	}
	c := t.client
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range t.trackers {
		k.remove(t)
		if k.users--; k.users == 0 && !c.closed {
			delete(c.trackers, k.url)
			k.leave()
		}
	}
}

// Moved says that this machine's addresses have changed, and which of them are gone: sockets that began there are
// replaced, as nobody tells them that they are dead, and what a tracker that is away is waited for begins anew.
func (c *Client) Moved(gone []netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.trackers {
		k.move(gone)
	}
}

func (t *Torrent) lacks() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lacking
}

// Close announces "stopped" for all, then closes the sockets. It takes a second at most.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	for _, k := range c.trackers {
		k.leave()
	}
	c.mu.Unlock()
	late := time.AfterFunc(closeWithin, c.end)
	c.running.Wait()
	late.Stop()
	c.end()
	return nil
}
