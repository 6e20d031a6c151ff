package ws

import (
	"net/netip"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/starling-p2p/starling/tracker"
)

const (
	// maxMembers is the most peers that one socket stands for: torrents, times the peer_ids it uses.
	maxMembers = 16384
	// maxIDs is the most peer_ids on one socket. Browsers pool sockets by URL, so a page may use a few.
	maxIDs = 64
	// Offers are passed on from one socket at this rate per second, and this many at once: enough for a page that
	// comes with its whole library, too few to push out what others have outstanding.
	offerRate  = 100
	offerBurst = 16384
)

type membership struct {
	hash tracker.InfoHash
	id   uint8 // which of the socket's peer_ids
}

// socket is one client's connection. Fields without a lock or atomic are the reading goroutine's alone.
type socket struct {
	server  *Server
	address netip.Addr
	source  *source
	handle  Handle
	path    string // by which it came, where Options.Serves asks

	heard     atomic.Uint32 // when anything whole came last
	began     atomic.Uint32 // when a message began that has not ended, or 0
	pinged    atomic.Uint32 // when a ping was sent that is not answered yet, or 0
	closing   atomic.Uint32 // when our close frame was queued, or 0
	suspected atomic.Bool   // somebody else says that this peer is elsewhere now
	key       atomic.Uint64 // the hash of that which came with the last announce, or 0

	members map[membership]struct{}
	counted int // of members, in source
	ids     []tracker.PeerID
	bad     uint8 // bad messages in a row
	spent   int32 // offers, minus what time has given back
	paid    uint32

	in  input
	out queue
}

// panicked notes what should not be.
func (k *socket) panicked(p any) {
	k.server.options.Log.Warn("a socket was ended by a panic", "address", k.address, "panic", p, "stack", string(debug.Stack()))
}

// member finds or makes room for a peer on this socket; false when it has too many.
func (k *socket) member(hash tracker.InfoHash, id tracker.PeerID) (m membership, ok bool) {
	i := slices.Index(k.ids, id)
	if i < 0 {
		if len(k.ids) == maxIDs {
			return m, false
		}
		k.ids = append(k.ids, id)
		i = len(k.ids) - 1
	}
	m = membership{hash, uint8(i)}
	if _, known := k.members[m]; !known && (len(k.members) >= maxMembers || k.source.full()) {
		return m, false
	}
	return m, true
}

// is says whether the socket stands for this peer.
func (k *socket) is(hash tracker.InfoHash, id tracker.PeerID) bool {
	i := slices.Index(k.ids, id)
	_, known := k.members[membership{hash, uint8(max(0, i))}]
	return i >= 0 && known
}

func (k *socket) join(m membership) {
	if k.members == nil {
		k.members = make(map[membership]struct{}, 1)
	}
	k.members[m] = struct{}{}
}

// spend returns how many of n offers the socket may make now.
func (k *socket) spend(n int) int {
	now := k.server.now()
	k.spent = int32(max(0, int64(k.spent)-offerRate*int64(now-k.paid)))
	k.paid = now
	n = min(n, offerBurst-int(k.spent))
	k.spent += int32(n)
	return n
}
