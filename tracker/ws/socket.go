package ws

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/lxzan/gws"

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

// socket is one client's connection. Fields without a lock or atomic are its reading goroutine's alone.
type socket struct {
	server  *Server
	conn    *gws.Conn
	net     net.Conn
	address netip.Addr
	handle  Handle

	heard      atomic.Uint32 // when anything whole came last
	spoke      atomic.Uint32 // when a message came last
	pinged     atomic.Uint32 // when a ping was sent that is not answered yet, or 0
	closing    atomic.Uint32 // when close was called, or 0
	suspected  atomic.Bool   // somebody else says that this peer is elsewhere now
	unfinished atomic.Int32  // bytes of a message that has not ended

	members map[membership]struct{}
	ids     []tracker.PeerID
	bad     uint8 // bad messages in a row
	spent   int32 // offers, minus what time has given back
	paid    uint32

	out queue
}

// Read is how gws reads, so that bytes can be counted.
func (k *socket) Read(p []byte) (int, error) {
	n, err := k.net.Read(p)
	k.unfinished.Add(int32(n))
	return n, err
}

// finished takes a control frame out of the count: it may lie between the parts of a message, and ends none.
func (k *socket) finished(n int) { k.unfinished.Add(-int32(n)) }

func (k *socket) touch() {
	k.heard.Store(k.server.now())
	k.pinged.Store(0)
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
	if _, known := k.members[m]; !known && len(k.members) >= maxMembers {
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
