package link

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"
)

const maxBanned = 4096

// mark is what a peer is known by that was banned. Anybody may claim a peer_id, and the tracker tells everybody those of
// others: so it is taken together with what cannot be claimed, the address at which the peer was reached, unless that is
// a relay's, or the certificate that it used (a=fingerprint, RFC 8122), which those of browsers change.
type mark struct {
	peer PeerID
	by   string
}

// marks are those of the link's other end, as it proved to be; the first is what it is told apart by.
func (l *link) marks() (all []mark) {
	transport := l.pc.SCTP().Transport()
	if pair, err := transport.ICETransport().GetSelectedCandidatePair(); err == nil && pair != nil && pair.Remote.Typ != webrtc.ICECandidateTypeRelay {
		all = append(all, mark{l.peer, bare(pair.Remote.Address)})
	}
	if certificate := transport.GetRemoteCertificate(); len(certificate) > 0 {
		sum := sha256.Sum256(certificate)
		all = append(all, mark{l.peer, strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")})
	}
	return all
}

// marksIn are those that a description tells of.
func marksIn(peer PeerID, sdp string) (all []mark) {
	for line := range strings.Lines(sdp) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "a=fingerprint:") && len(fields) == 2:
			all = append(all, mark{peer, strings.ToUpper(fields[1])})
		case strings.HasPrefix(line, "a=candidate:") && len(fields) > 7 && fields[7] != "relay":
			all = append(all, mark{peer, bare(fields[4])})
		}
	}
	return all
}

// bare is an address as there is but one way to write it.
func bare(address string) string {
	if a, err := netip.ParseAddr(address); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return address
}

func (ls *Links) isBanned(all []mark) bool {
	return slices.ContainsFunc(all, func(m mark) bool {
		_, banned := ls.banned[m]
		return banned
	})
}

// bannedPeers is how many peer_ids are among the marks.
func (ls *Links) bannedPeers() int {
	peers := map[PeerID]struct{}{}
	for m := range ls.banned {
		peers[m.peer] = struct{}{}
	}
	return len(peers)
}

// Ban closes the links with a peer and takes no more from whoever is at their other ends.
func (ls *Links) Ban(peer PeerID) {
	ls.mu.Lock()
	defer ls.unlock()
	for _, l := range ls.to(peer) {
		l.ban()
	}
}

// ban ends the link, and all others with the same peer.
func (l *link) ban() {
	ls := l.links
	for _, m := range l.proven {
		if _, already := ls.banned[m]; already {
			continue
		}
		ls.banned[m] = struct{}{}
		if ls.bans = append(ls.bans, m); len(ls.bans) > maxBanned {
			delete(ls.banned, ls.bans[0])
			ls.bans = ls.bans[1:]
		}
	}
	ls.log.Debug("banned a peer", "peer", fmt.Sprintf("%x", l.peer))
	l.end()
	for _, other := range ls.to(l.peer) {
		if ls.isBanned(other.proven) {
			other.end()
		}
	}
}
