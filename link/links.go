// Package link keeps WebRTC connections: one link per pair of peers, whatever the number of torrents that they share,
// and on it one channel per torrent, each of which is a net.Conn that carries the peer wire protocol (BEP 3).
//
//	rendezvous ──Offer, Accept, Answer──▶ Links ─one per peer──▶ link ──▶ Channel ──Options.Channel──▶ peer
//	             (pending offers, bans,    │                      │ first channel: a WebTorrent connection
//	              one link per peer)       mux: one UDP port      └ control: which more torrents the two share
//
// An offer belongs to nobody until it is answered; then it becomes a link, as does an offer of others once it is
// answered here. A link whose peer names the extension carries all torrents the two share; without, it is its first
// channel and ends with it. docs/protocol.md, "One link, many torrents", has the rules; exchange.go draws the messages.
//
// Where to look:
//
//	to connect     offers.go: pending, reused ─ answer.go: to those of others ─ sdp.go: is it worth an answer? ─ ban.go
//	by pion        ice.go ─ proxied.go: to TURN through a proxy ─ mux.go: one UDP port ─ reflexive.go: as a STUN server sees it; servers.go: STUN, TURN
//	a link         link.go: its times, and its end ─ control.go: its control channel ─ wires.go: its other channels' ids
//	a channel      channel.go ─ deadline.go
//	what it costs  bucket.go
package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/starling-p2p/starling/internal/pionlog"
	"github.com/starling-p2p/starling/internal/tunnel"
)

// InfoHash names a torrent (BEP 3).
type InfoHash = [20]byte

// PeerID names a peer (BEP 3).
type PeerID = [20]byte

var (
	// ErrDeclined says that another link with that peer is not wanted: one stands, or it is banned.
	ErrDeclined = errors.New("link: declined")
	// ErrBusy says that as many links or unanswered offers are under way as there may be.
	ErrBusy = errors.New("link: too many links or offers")
	// ErrNeedless says that a link with a peer that has the torrent stands already, and a channel for it will follow.
	ErrNeedless = errors.New("link: a peer that has this torrent is linked already")
	// ErrSDP says that a session description is not one for data channels alone.
	ErrSDP = errors.New("link: not a session description for data channels")
)

const (
	defaultMaxLinks = 128
)

// Options says what Links are made of.
type Options struct {
	// PeerID is this side's, as announced. Ours begin with -SL.
	PeerID PeerID
	// Listen is the UDP address for all links, ":0" where it is empty. Without a host, it is that port on every address
	// of this machine, as they come and go; the loopback address is used where there is no other.
	Listen string
	// ICEServers returns STUN and TURN servers; nil means none. It is asked anew every ten minutes, before credentials end
	// that carry their time (a user name of the form "unix time:name"), and after Renew.
	ICEServers func(context.Context) ([]webrtc.ICEServer, error)
	// Dial makes connections to proxies, and by way of them to TURN servers [as net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy returns the proxy for a request to a TURN server over TCP, http, https or socks5, or nil [that of the
	// environment].
	Proxy func(*http.Request) (*url.URL, error)
	// TLS is for such TURN servers and proxies [the system's roots].
	TLS *tls.Config
	// Channel is called for each channel that opens, whoever opened it. It must not block. The channel is the
	// receiver's, who must read from it and close it.
	Channel func(*Channel)
	// Failed is called when an attempt to link with a peer for this torrent came to nothing, or when a link that carries
	// it is in doubt or has ended, and data is lacking; may be nil. It must not block.
	Failed func(InfoHash)
	// MaxLinks is the number of links open or under way at once, unanswered offers included; 128 where it is 0.
	MaxLinks int
	// Log may be nil.
	Log *slog.Logger
}

// Links are all links of a peer. Their methods may be called at any time by anyone.
type Links struct {
	o       Options
	log     *slog.Logger
	limits  limits
	mux     *mux
	api     *webrtc.API
	pion    logging.LoggerFactory
	way     tunnel.Dialer
	servers servers
	// closing waits for connections that are being closed.
	closing sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	torrents map[InfoHash]*torrent
	wants    int
	all      map[*link]struct{}
	numbered int
	offers   map[[20]byte]*pending
	making   int
	made     int
	banned   map[mark]struct{}
	bans     []mark
	// calls are made once the lock is open again.
	calls     []func()
	cert      *webrtc.Certificate
	certSince time.Time
}

// torrent is known here; number is its place among those lacking.
type torrent struct {
	lacking bool
	number  int
}

// New listens. The error tells of an address that cannot be listened on.
func New(o Options) (*Links, error) { return newLinks(o, usual) }

func newLinks(o Options, l limits) (*Links, error) {
	if o.MaxLinks == 0 {
		o.MaxLinks = defaultMaxLinks
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	pion := pionlog.To(o.Log)
	m, err := newMux(o.Listen, l, pion)
	if err != nil {
		return nil, fmt.Errorf("listening for links: %w", err)
	}
	return &Links{
		o: o, log: o.Log, limits: l, mux: m, api: newAPI(m, pion, nil), pion: pion,
		way: tunnel.Dialer{Dial: o.Dial, Proxy: o.Proxy, TLS: o.TLS}, servers: servers{ask: o.ICEServers, log: o.Log},
		torrents: map[InfoHash]*torrent{}, all: map[*link]struct{}{}, offers: map[[20]byte]*pending{},
		banned: map[mark]struct{}{},
	}, nil
}

// Port is the UDP port of all links.
func (ls *Links) Port() int { return ls.mux.port }

// Want says that this torrent is known here, and whether data of it is lacking still: then channels are opened for it.
// Those wanted first come first.
func (ls *Links) Want(ih InfoHash, lacking bool) {
	ls.mu.Lock()
	defer ls.unlock()
	t := ls.torrents[ih]
	if t != nil && t.lacking == lacking {
		return
	}
	ls.wants++
	ls.torrents[ih] = &torrent{lacking, ls.wants}
	ls.changed(ih)
}

// Drop takes Want back. Channels that are open stay so.
func (ls *Links) Drop(ih InfoHash) {
	ls.mu.Lock()
	defer ls.unlock()
	if ls.torrents[ih] == nil {
		return
	}
	delete(ls.torrents, ih)
	ls.changed(ih)
	for id, p := range ls.offers {
		if p.ih == ih {
			ls.pool(id)
		}
	}
}

func (ls *Links) changed(ih InfoHash) {
	t := ls.torrents[ih]
	for l := range ls.all {
		if l.control != nil {
			l.control.change(ih)
		}
		if t == nil || !t.lacking {
			l.forget(ih)
		}
	}
}

// lacking returns the torrents that lack data, in their order.
func (ls *Links) lacking() (all []InfoHash) {
	for ih, t := range ls.torrents {
		if t.lacking {
			all = append(all, ih)
		}
	}
	slices.SortFunc(all, func(a, b InfoHash) int { return ls.torrents[a].number - ls.torrents[b].number })
	return all
}

// Carried is the number of links that have a channel for this torrent.
func (ls *Links) Carried(ih InfoHash) (n int) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for l := range ls.all {
		if l.healthy() && l.carries[ih] != nil {
			n++
		}
	}
	return n
}

// Stats are of now, but for Made, which counts connections since the start.
type Stats struct {
	// Links are open; Offers wait for their answers, those kept for later included.
	Links, Channels, Offers, Made, Banned int
}

// Stats may be called at any time.
func (ls *Links) Stats() Stats {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	s := Stats{Offers: len(ls.offers), Made: ls.made, Banned: ls.bannedPeers()}
	for l := range ls.all {
		if l.open {
			s.Links++
			s.Channels += len(l.wires)
		}
	}
	return s
}

// farewell is how long connections get to end. pion waits for eight seconds where a relay does not answer any more.
const farewell = 2 * time.Second

// Close ends all links and returns when nothing is left of them, or after two seconds.
func (ls *Links) Close() error {
	ls.mu.Lock()
	ls.closed = true
	for l := range ls.all {
		l.dismiss()
	}
	for id := range ls.offers {
		ls.discard(id)
	}
	ls.unlock()
	ended := make(chan struct{})
	go func() {
		ls.closing.Wait()
		close(ended)
	}()
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
	}
	return ls.mux.Close()
}

// later makes a call once the lock is open again.
func (ls *Links) later(call func()) { ls.calls = append(ls.calls, call) }

func (ls *Links) unlock() {
	calls := ls.calls
	ls.calls = nil
	ls.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// shut closes a connection. That takes a while where the other end is gone.
func (ls *Links) shut(pc *webrtc.PeerConnection) {
	ls.closing.Go(func() {
		if err := pc.GracefulClose(); err != nil && !errors.Is(err, net.ErrClosed) {
			ls.log.Debug("closing a connection", "error", err)
		}
	})
}

// add takes a link among the others.
func (ls *Links) add(l *link) {
	ls.numbered++
	l.number = ls.numbered
	ls.all[l] = struct{}{}
}

// to returns the links with a peer that are not in doubt, eldest first.
func (ls *Links) to(peer PeerID) (some []*link) {
	for l := range ls.all {
		if l.peer == peer && l.healthy() {
			some = append(some, l)
		}
	}
	slices.SortFunc(some, func(a, b *link) int { return a.number - b.number })
	return some
}

// merge: one pair of peers has one link. The side with the smaller peer_id closes the younger ones.
func (ls *Links) merge(l *link) {
	if string(ls.o.PeerID[:]) > string(l.peer[:]) {
		return
	}
	all := slices.DeleteFunc(ls.to(l.peer), func(l *link) bool { return !l.open || !l.named })
	if len(all) < 2 || !all[0].ready {
		return
	}
	for _, younger := range all[1:] {
		younger.end()
	}
}

// carriedBeside says whether another link with the same peer has a channel for this torrent.
func (ls *Links) carriedBeside(l *link, ih InfoHash) bool {
	return slices.ContainsFunc(ls.to(l.peer), func(other *link) bool { return other != l && other.carries[ih] != nil })
}

// elsewhere: a link carries this torrent no more; another one with the same peer may.
func (ls *Links) elsewhere(l *link, ih InfoHash) {
	for _, other := range ls.to(l.peer) {
		if other != l {
			other.has(ih)
		}
	}
}

// missed: another way to what a link carries, or has carried just now, is looked for; also before it has ended.
func (ls *Links) missed(l *link) {
	all := map[InfoHash]bool{}
	for ih := range l.carries {
		all[ih] = true
	}
	for ih := range l.tried {
		all[ih] = true
	}
	for ih := range all {
		if t := ls.torrents[ih]; t != nil && t.lacking && ls.o.Failed != nil {
			ls.later(func() { ls.o.Failed(ih) })
		}
	}
}

func (ls *Links) ended(l *link) {
	delete(ls.all, l)
	for ih := range l.carries {
		ls.elsewhere(l, ih)
	}
	another := slices.ContainsFunc(ls.to(l.peer), func(other *link) bool { return other.open })
	switch {
	case l.dismissed || another || ls.o.Failed == nil:
	case !l.open:
		ls.later(func() { ls.o.Failed(l.ih) })
	case time.Since(l.since) >= ls.limits.lateAfter: // who hangs up at once is not called back at once
		ls.missed(l)
	}
}
