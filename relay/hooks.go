package relay

import (
	"net"
	"net/netip"

	"github.com/pion/turn/v5"
)

// What pion asks and tells while it serves. Who may be reached peers.go says, and how much one may have book.go.

func (r *Relay) room(_, _ string, from net.Addr) bool {
	ok := r.book.room(clientAt(from))
	if !ok {
		r.counts.quota.Add(1)
	}
	return ok
}

// permit is asked for each permission and each channel, new or refreshed.
func (r *Relay) permit(from net.Addr, ip net.IP) bool {
	peer, _ := netip.AddrFromSlice(ip)
	peer = peer.Unmap()
	client := clientAt(from)
	if !r.peers.allows(peer, r.book.at(client)) {
		r.counts.peer.Add(1)
		return false
	}
	if !r.book.permits(client, peer) {
		r.counts.quota.Add(1)
		return false
	}
	return true
}

func (r *Relay) events() turn.EventHandler {
	return turn.EventHandler{
		OnAuth: func(_, _ net.Addr, _, _, _ string, _ string, verdict bool) {
			if !verdict {
				r.counts.credentials.Add(1)
			}
		},
		OnPermissionCreated: func(_, _ net.Addr, _, _, _ string, relayed net.Addr, peer net.IP) {
			a, _ := netip.AddrFromSlice(peer)
			r.book.change(relayed, func(of *allocation) { of.peers[a.Unmap()] = struct{}{} })
		},
		OnPermissionDeleted: func(_, _ net.Addr, _, _, _ string, relayed net.Addr, peer net.IP) {
			a, _ := netip.AddrFromSlice(peer)
			r.book.change(relayed, func(of *allocation) { delete(of.peers, a.Unmap()) })
		},
		OnChannelCreated: func(_, _ net.Addr, _, _, _ string, relayed, peer net.Addr, number uint16) {
			r.book.change(relayed, func(of *allocation) { of.bind(number, clientAt(peer).at) })
		},
		OnChannelDeleted: func(_, _ net.Addr, _, _, _ string, relayed, _ net.Addr, number uint16) {
			r.book.change(relayed, func(of *allocation) { of.unbind(number) })
		},
	}
}
