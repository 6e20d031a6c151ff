package link

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

// Offer waits for its answer: fifty seconds, then it is closed.
type Offer struct {
	// ID is random.
	ID [20]byte
	// SDP has all addresses in it.
	SDP string
	// Desk is where it was made.
	Desk Desk
}

// Desk keeps offers: Links do, and what stands in for one in tests. Its methods do what those of an Offer do by the
// same names.
type Desk interface {
	Accept(ctx context.Context, o *Offer, from PeerID, sdp string) error
	Release(*Offer)
	Close(*Offer)
}

// Accept makes a link of it, with the answer of the peer that the tracker names. It returns before the link is open; a
// link that does not open is told to Options.Failed. net.ErrClosed says that the offer has expired.
func (o *Offer) Accept(ctx context.Context, from PeerID, sdp string) error {
	return o.Desk.Accept(ctx, o, from, sdp)
}

// Release says that it reached nobody: it may serve another torrent.
func (o *Offer) Release() { o.Desk.Release(o) }

// Close gives it up, unless it was accepted.
func (o *Offer) Close() { o.Desk.Close(o) }

// desk is that of Links.
type desk struct{ *Links }

func (d desk) Accept(_ context.Context, o *Offer, from PeerID, sdp string) error {
	return d.accept(o.ID, from, sdp)
}

func (d desk) Release(o *Offer) {
	d.mu.Lock()
	defer d.unlock()
	d.pool(o.ID)
}

func (d desk) Close(o *Offer) {
	d.mu.Lock()
	defer d.unlock()
	d.discard(o.ID)
}

// pending is an unanswered offer.
type pending struct {
	pc    *webrtc.PeerConnection
	first *webrtc.DataChannel
	sdp   string
	// stale is when its addresses are too old to be offered again.
	stale time.Time
	// ih is the torrent it is announced for, unless it is idle: kept for whatever comes.
	ih    InfoHash
	idle  bool
	at    time.Time
	timer *time.Timer
}

// Offer makes an offer for a torrent, or takes up one that nobody answered. ErrNeedless and ErrBusy say that there will
// be none now.
func (ls *Links) Offer(ctx context.Context, ih InfoHash) (*Offer, error) {
	ls.mu.Lock()
	o, err := ls.reuse(ih)
	if o != nil || err != nil {
		ls.unlock()
		return o, err
	}
	ls.making++
	ls.unlock()

	p, err := ls.make(ctx)

	ls.mu.Lock()
	defer ls.unlock()
	ls.making--
	switch {
	case err != nil:
		return nil, err
	case ls.closed:
		ls.shut(p.pc)
		return nil, net.ErrClosed
	}
	p.ih = ih
	return ls.keep(p, ls.limits.answerWithin), nil
}

// reuse returns an offer that is there already, or an error where there is to be none. Both are nil where one may be
// made.
func (ls *Links) reuse(ih InfoHash) (*Offer, error) {
	if ls.closed {
		return nil, net.ErrClosed
	}
	now := time.Now()
	busy := len(ls.offers) + ls.making
	free := ls.o.MaxLinks - len(ls.all) - busy
	for l := range ls.all {
		if l.spare() {
			free++
		}
		if !l.healthy() {
			continue
		}
		if l.promises(ih) {
			return nil, ErrNeedless
		}
		if l.initiator && now.Sub(l.since) < ls.limits.bringsWithin {
			busy++
		}
	}
	take := func(fits func(p *pending) bool) *Offer {
		for id, p := range ls.offers {
			if fits(p) && now.Before(p.stale) {
				delete(ls.offers, id)
				p.ih, p.idle = ih, false
				return ls.keep(p, ls.limits.answerWithin)
			}
		}
		return nil
	}
	if o := take(func(p *pending) bool { return p.idle }); o != nil {
		return o, nil
	}
	if busy < ls.limits.pending && free > 0 {
		return nil, nil
	}
	if o := take(func(p *pending) bool { return p.ih != ih && now.Sub(p.at) > ls.limits.overdue }); o != nil {
		return o, nil
	}
	return nil, ErrBusy
}

func (ls *Links) make(ctx context.Context) (*pending, error) {
	servers := ls.servers.get(ctx)
	pc, err := ls.connect(servers)
	if err != nil {
		return nil, err
	}
	label := randomID()
	first, err := pc.CreateDataChannel(hex.EncodeToString(label[:]), nil)
	if err != nil {
		ls.shut(pc)
		return nil, fmt.Errorf("making a channel: %w", err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		ls.shut(pc)
		return nil, fmt.Errorf("making an offer: %w", err)
	}
	sdp, err := ls.describe(ctx, pc, offer, servers)
	if err != nil {
		ls.shut(pc)
		return nil, err
	}
	return &pending{pc: pc, first: first, sdp: sdp, stale: time.Now().Add(ls.limits.freshFor)}, nil
}

// keep keeps an offer under a new id, so that no answer is taken for that of another torrent.
func (ls *Links) keep(p *pending, wait time.Duration) *Offer {
	id := randomID()
	stop(p.timer)
	p.at = time.Now()
	p.timer = time.AfterFunc(wait, func() {
		ls.mu.Lock()
		defer ls.unlock()
		ls.discard(id)
	})
	ls.offers[id] = p
	return &Offer{ID: id, SDP: p.sdp, Desk: desk{ls}}
}

func randomID() (id [20]byte) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// pool keeps an offer that nobody will answer for another torrent.
func (ls *Links) pool(id [20]byte) {
	p := ls.offers[id]
	if p == nil || ls.closed {
		return
	}
	fresh := time.Until(p.stale)
	if fresh <= 0 {
		ls.discard(id)
		return
	}
	delete(ls.offers, id)
	p.ih, p.idle = InfoHash{}, true
	ls.keep(p, fresh)
}

func (ls *Links) discard(id [20]byte) {
	if p := ls.offers[id]; p != nil {
		stop(p.timer)
		delete(ls.offers, id)
		ls.shut(p.pc)
	}
}

// Moved says which addresses of this machine are gone: offers that name one are closed, so that no other peer is told
// of it. The next offers name the addresses of then.
func (ls *Links) Moved(gone []netip.Addr) {
	ls.mux.look()
	ls.mu.Lock()
	defer ls.unlock()
	for id, p := range ls.offers {
		if slices.ContainsFunc(gone, func(ip netip.Addr) bool { return strings.Contains(p.sdp, " "+ip.String()+" ") }) {
			ls.discard(id)
		}
	}
}

// Renew says that a server was away. It may have been started anew, and then what it relayed is gone, and what it gave for
// that is of no use: ICEServers is asked again, and offers that wait for a torrent are closed.
func (ls *Links) Renew() {
	ls.servers.stale.Store(true)
	ls.mu.Lock()
	defer ls.unlock()
	for id, p := range ls.offers {
		if p.idle {
			ls.discard(id)
		}
	}
}

// accept makes a link of an offer that was answered.
func (ls *Links) accept(id [20]byte, from PeerID, sdp string) error {
	ls.mu.Lock()
	p := ls.offers[id]
	var err error
	switch {
	case p == nil:
		err = net.ErrClosed
	case ls.refuses(from, sdp):
		err = ErrDeclined
	case !plausible(sdp):
		err = ErrSDP
	case ls.redundant(p.ih, from):
		err = ErrDeclined
	case !ls.makeRoom():
		err = ErrBusy
	}
	if err != nil {
		// As good as new, though somebody calls on it: unlike browsers, pion heeds nobody before it has the answer.
		ls.pool(id)
		ls.unlock()
		return err
	}
	stop(p.timer)
	delete(ls.offers, id)
	l := newLink(ls, p.pc, from, p.ih, true)
	ls.add(l)
	ls.unlock()

	l.listen()
	p.first.OnOpen(func() { l.first(p.first) })
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		l.do(l.dismiss)
		return fmt.Errorf("%w: %w", ErrSDP, err)
	}
	return nil
}
