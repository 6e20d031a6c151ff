package link

import (
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/pion/webrtc/v4"
)

// ours is how the peer_ids of Starling begin.
const ours = "-SL"

// Answer answers somebody's offer. It may take some seconds: it gathers addresses, and where a link with that peer is
// being made already, it waits whether that one will do. ErrDeclined says that there is no answer to send.
func (h *Host) Answer(ctx context.Context, ih InfoHash, from PeerID, sdp string) (answer string, err error) {
	if !plausible(sdp) {
		return "", ErrSDP
	}
	if err := h.settled(ctx, from); err != nil {
		return "", err
	}
	servers := h.servers.get(ctx)
	l, err := h.answering(ih, from, sdp, servers)
	if err != nil {
		return "", err
	}
	answer, err = h.negotiate(ctx, l, sdp, servers)
	if err != nil {
		l.do(l.dismiss)
		return "", err
	}
	return answer, nil
}

// settled waits while a link with a peer of ours is under way: most likely it names the extension.
func (h *Host) settled(ctx context.Context, peer PeerID) error {
	if string(peer[:len(ours)]) != ours {
		return nil
	}
	for {
		h.mu.Lock()
		all := h.to(peer)
		at := slices.IndexFunc(all, func(l *link) bool { return l.unsettled })
		h.mu.Unlock()
		if at < 0 {
			return nil
		}
		select {
		case <-all[at].settled:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// answering makes the link that the answer is for.
func (h *Host) answering(ih InfoHash, from PeerID, sdp string, servers []webrtc.ICEServer) (*link, error) {
	if err := h.welcomes(ih, from, sdp); err != nil {
		return nil, err
	}
	pc, err := h.connect(servers)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.unlock()
	if err := h.accepts(ih, from, sdp); err != nil { // things may have changed
		h.shut(pc)
		return nil, err
	}
	l := newLink(h, pc, from, ih, false)
	h.add(l)
	return l, nil
}

func (h *Host) welcomes(ih InfoHash, from PeerID, sdp string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.accepts(ih, from, sdp)
}

func (h *Host) accepts(ih InfoHash, from PeerID, sdp string) error {
	switch {
	case h.closed:
		return net.ErrClosed
	case h.refuses(from, sdp):
		return ErrDeclined
	case slices.ContainsFunc(h.to(from), func(l *link) bool { return l.named || l.ih == ih && !l.late() }):
		return ErrDeclined
	case !h.makeRoom():
		return ErrBusy
	}
	return nil
}

// makeRoom tells whether there may be another link: one that carries nothing gives way to it. The host is locked.
func (h *Host) makeRoom() bool {
	if len(h.links) >= h.o.MaxLinks {
		for l := range h.links {
			if l.spare() {
				l.end()
				break
			}
		}
	}
	return len(h.links) < h.o.MaxLinks
}

func (h *Host) negotiate(ctx context.Context, l *link, sdp string, servers []webrtc.ICEServer) (string, error) {
	l.listen()
	if err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
		return "", fmt.Errorf("%w: %w", ErrSDP, err)
	}
	answer, err := l.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("making an answer: %w", err)
	}
	text, err := h.describe(ctx, l.pc, answer, servers)
	if err != nil {
		return "", err
	}
	return text, nil
}

func (h *Host) refuses(peer PeerID, sdp string) bool {
	return h.closed || peer == h.o.PeerID || h.isBanned(marksIn(peer, sdp))
}

// redundant says whether an answer to an offer of ours brings nothing that a link to the peer does not bring. Where both
// sides answered each other's offers and neither link is open, the one offered by the smaller peer_id stays.
func (h *Host) redundant(ih InfoHash, peer PeerID) bool {
	for _, l := range h.to(peer) {
		switch {
		case l.named:
			return true
		case l.ih == ih && l.late():
			l.dismiss()
		case l.ih != ih && (!l.unsettled || string(peer[:len(ours)]) != ours):
		case l.open || l.initiator || string(peer[:]) < string(h.o.PeerID[:]):
			return true
		default:
			l.dismiss()
		}
	}
	return false
}
