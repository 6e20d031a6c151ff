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

// Desk keeps offers: a Host does, and what stands in for one in tests. Its methods do what those of an Offer do by the
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

// desk is a host's.
type desk struct{ *Host }

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
func (h *Host) Offer(ctx context.Context, ih InfoHash) (*Offer, error) {
	h.mu.Lock()
	o, err := h.reuse(ih)
	if o != nil || err != nil {
		h.unlock()
		return o, err
	}
	h.making++
	h.unlock()

	p, err := h.make(ctx)

	h.mu.Lock()
	defer h.unlock()
	h.making--
	switch {
	case err != nil:
		return nil, err
	case h.closed:
		h.shut(p.pc)
		return nil, net.ErrClosed
	}
	p.ih = ih
	return h.keep(p, h.limits.answerWithin), nil
}

// reuse returns an offer that is there already, or an error where there is to be none. Both are nil where one may be
// made.
func (h *Host) reuse(ih InfoHash) (*Offer, error) {
	if h.closed {
		return nil, net.ErrClosed
	}
	now := time.Now()
	busy := len(h.offers) + h.making
	free := h.o.MaxLinks - len(h.links) - busy
	for l := range h.links {
		if l.spare() {
			free++
		}
		if !l.healthy() {
			continue
		}
		if l.promises(ih) {
			return nil, ErrNeedless
		}
		if l.initiator && now.Sub(l.since) < h.limits.bringsWithin {
			busy++
		}
	}
	take := func(fits func(p *pending) bool) *Offer {
		for id, p := range h.offers {
			if fits(p) && now.Before(p.stale) {
				delete(h.offers, id)
				p.ih, p.idle = ih, false
				return h.keep(p, h.limits.answerWithin)
			}
		}
		return nil
	}
	if o := take(func(p *pending) bool { return p.idle }); o != nil {
		return o, nil
	}
	if busy < h.limits.pending && free > 0 {
		return nil, nil
	}
	if o := take(func(p *pending) bool { return p.ih != ih && now.Sub(p.at) > h.limits.overdue }); o != nil {
		return o, nil
	}
	return nil, ErrBusy
}

func (h *Host) make(ctx context.Context) (*pending, error) {
	servers := h.servers.get(ctx)
	pc, err := h.connect(servers)
	if err != nil {
		return nil, err
	}
	label := randomID()
	first, err := pc.CreateDataChannel(hex.EncodeToString(label[:]), nil)
	if err != nil {
		h.shut(pc)
		return nil, fmt.Errorf("making a channel: %w", err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		h.shut(pc)
		return nil, fmt.Errorf("making an offer: %w", err)
	}
	sdp, err := h.describe(ctx, pc, offer, servers)
	if err != nil {
		h.shut(pc)
		return nil, err
	}
	return &pending{pc: pc, first: first, sdp: sdp, stale: time.Now().Add(h.limits.freshFor)}, nil
}

// keep keeps an offer under a new id, so that no answer is taken for that of another torrent.
func (h *Host) keep(p *pending, wait time.Duration) *Offer {
	id := randomID()
	stop(p.timer)
	p.at = time.Now()
	p.timer = time.AfterFunc(wait, func() {
		h.mu.Lock()
		defer h.unlock()
		h.discard(id)
	})
	h.offers[id] = p
	return &Offer{ID: id, SDP: p.sdp, Desk: desk{h}}
}

func randomID() (id [20]byte) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// pool keeps an offer that nobody will answer for another torrent.
func (h *Host) pool(id [20]byte) {
	p := h.offers[id]
	if p == nil || h.closed {
		return
	}
	fresh := time.Until(p.stale)
	if fresh <= 0 {
		h.discard(id)
		return
	}
	delete(h.offers, id)
	p.ih, p.idle = InfoHash{}, true
	h.keep(p, fresh)
}

func (h *Host) discard(id [20]byte) {
	if p := h.offers[id]; p != nil {
		stop(p.timer)
		delete(h.offers, id)
		h.shut(p.pc)
	}
}

// Moved says which addresses of this machine are gone: offers that name one are closed, so that no other peer is told
// of it. The next offers name the addresses of then.
func (h *Host) Moved(gone []netip.Addr) {
	h.mux.look()
	h.mu.Lock()
	defer h.unlock()
	for id, p := range h.offers {
		if slices.ContainsFunc(gone, func(ip netip.Addr) bool { return strings.Contains(p.sdp, " "+ip.String()+" ") }) {
			h.discard(id)
		}
	}
}

// Renew says that a server was away. It may have been started anew, and then what it relayed is gone, and what it gave for
// that is of no use: ICEServers is asked again, and offers that wait for a torrent are closed.
func (h *Host) Renew() {
	h.servers.stale.Store(true)
	h.mu.Lock()
	defer h.unlock()
	for id, p := range h.offers {
		if p.idle {
			h.discard(id)
		}
	}
}

// accept makes a link of an offer that was answered.
func (h *Host) accept(id [20]byte, from PeerID, sdp string) error {
	h.mu.Lock()
	p := h.offers[id]
	var err error
	switch {
	case p == nil:
		err = net.ErrClosed
	case h.refuses(from, sdp):
		err = ErrDeclined
	case !plausible(sdp):
		err = ErrSDP
	case h.redundant(p.ih, from):
		err = ErrDeclined
	case !h.makeRoom():
		err = ErrBusy
	}
	if err != nil {
		// As good as new, though somebody calls on it: unlike browsers, pion heeds nobody before it has the answer.
		h.pool(id)
		h.unlock()
		return err
	}
	stop(p.timer)
	delete(h.offers, id)
	l := newLink(h, p.pc, from, p.ih, true)
	h.add(l)
	h.unlock()

	l.listen()
	p.first.OnOpen(func() { l.first(p.first) })
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		l.do(l.dismiss)
		return fmt.Errorf("%w: %w", ErrSDP, err)
	}
	return nil
}
