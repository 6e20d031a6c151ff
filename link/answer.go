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
func (ls *Links) Answer(ctx context.Context, ih InfoHash, from PeerID, sdp string) (answer string, err error) {
	if !plausible(sdp) {
		return "", ErrSDP
	}
	if err := ls.settled(ctx, from); err != nil {
		return "", err
	}
	servers := ls.servers.get(ctx)
	l, err := ls.answering(ih, from, sdp, servers)
	if err != nil {
		return "", err
	}
	answer, err = ls.negotiate(ctx, l, sdp, servers)
	if err != nil {
		l.do(l.dismiss)
		return "", err
	}
	return answer, nil
}

// settled waits while a link with a peer of ours is under way: most likely it names the extension.
func (ls *Links) settled(ctx context.Context, peer PeerID) error {
	if string(peer[:len(ours)]) != ours {
		return nil
	}
	for {
		ls.mu.Lock()
		all := ls.to(peer)
		at := slices.IndexFunc(all, func(l *link) bool { return l.unsettled })
		ls.mu.Unlock()
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
func (ls *Links) answering(ih InfoHash, from PeerID, sdp string, servers []webrtc.ICEServer) (*link, error) {
	if err := ls.welcomes(ih, from, sdp); err != nil {
		return nil, err
	}
	pc, err := ls.connect(servers)
	if err != nil {
		return nil, err
	}
	ls.mu.Lock()
	defer ls.unlock()
	if err := ls.accepts(ih, from, sdp); err != nil { // things may have changed
		ls.shut(pc)
		return nil, err
	}
	l := newLink(ls, pc, from, ih, false)
	ls.add(l)
	return l, nil
}

func (ls *Links) welcomes(ih InfoHash, from PeerID, sdp string) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.accepts(ih, from, sdp)
}

func (ls *Links) accepts(ih InfoHash, from PeerID, sdp string) error {
	switch {
	case ls.closed:
		return net.ErrClosed
	case ls.refuses(from, sdp):
		return ErrDeclined
	case slices.ContainsFunc(ls.to(from), func(l *link) bool { return l.named || l.ih == ih && !l.late() }):
		return ErrDeclined
	case !ls.makeRoom():
		return ErrBusy
	}
	return nil
}

// makeRoom tells whether there may be another link: one that carries nothing gives way to it. The links are locked.
func (ls *Links) makeRoom() bool {
	if len(ls.all) >= ls.o.MaxLinks {
		for l := range ls.all {
			if l.spare() {
				l.end()
				break
			}
		}
	}
	return len(ls.all) < ls.o.MaxLinks
}

func (ls *Links) negotiate(ctx context.Context, l *link, sdp string, servers []webrtc.ICEServer) (string, error) {
	l.listen()
	if err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}); err != nil {
		return "", fmt.Errorf("%w: %w", ErrSDP, err)
	}
	answer, err := l.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("making an answer: %w", err)
	}
	text, err := ls.describe(ctx, l.pc, answer, servers)
	if err != nil {
		return "", err
	}
	return text, nil
}

func (ls *Links) refuses(peer PeerID, sdp string) bool {
	return ls.closed || peer == ls.o.PeerID || ls.isBanned(marksIn(peer, sdp))
}

// redundant says whether an answer to an offer of ours brings nothing that a link to the peer does not bring. Where both
// sides answered each other's offers and neither link is open, the one offered by the smaller peer_id stays.
func (ls *Links) redundant(ih InfoHash, peer PeerID) bool {
	for _, l := range ls.to(peer) {
		switch {
		case l.named:
			return true
		case l.ih == ih && l.late():
			l.dismiss()
		case l.ih != ih && (!l.unsettled || string(peer[:len(ours)]) != ours):
		case l.open || l.initiator || string(peer[:]) < string(ls.o.PeerID[:]):
			return true
		default:
			l.dismiss()
		}
	}
	return false
}
