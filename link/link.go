package link

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

// limits are times, and the numbers that tests make smaller.
type limits struct {
	// answerWithin is how long an offer waits for its answer, and freshFor how long it may be offered to others: NATs
	// forget. After overdue, an unanswered one goes to a torrent that has none: it may have met a peer that is gone.
	answerWithin, freshFor, overdue time.Duration
	// bringsWithin is how long an offer just answered keeps its place among those pending: its link may bring what
	// another one would be for.
	bringsWithin time.Duration
	// openWithin is from the answer to the first channel, extendedWithin from then until the peer named the extension,
	// helloWithin from then to its hello, meetWithin from a further channel to its handshake. One that has not opened after
	// lateAfter is in nobody's way: the addresses it was made with may be dead.
	openWithin, lateAfter, extendedWithin, helloWithin, meetWithin time.Duration
	// A link over which nothing goes may make room for another one after spareAfter, and ends after idleFor.
	recoversWithin, spareAfter, idleFor time.Duration
	// A torrent whose channel closed is tried again on this link after retryAfter, then twice this time, and so on; the
	// first time after retrySoon where nothing came over the channel. At once it would meet what the peer opened meanwhile.
	retryAfter, retrySoon time.Duration
	// keepEvery is below the 30 s after which the most forgetful routers close a port; what a STUN server said lately is
	// believed.
	keepEvery time.Duration
	pending   int
}

var usual = limits{
	answerWithin: 50 * time.Second, freshFor: 120 * time.Second, overdue: 10 * time.Second, bringsWithin: 2 * time.Second,
	openWithin: 30 * time.Second, lateAfter: 5 * time.Second, extendedWithin: 10 * time.Second, helloWithin: 10 * time.Second, meetWithin: 10 * time.Second,
	recoversWithin: 10 * time.Second, spareAfter: 10 * time.Second, idleFor: 60 * time.Second, retryAfter: 10 * time.Second, retrySoon: time.Second, keepEvery: 15 * time.Second,
	pending: 16,
}

const (
	// Wire channels on one link: opened by this side, and in all. Those that the peer has not closed although this side
	// has count as well, up to maxHalf.
	maxOutgoing = 32
	maxWires    = 64
	maxHalf     = 256
	maxTries    = 4

	// What the other side may cost at once, and per second: bytes of control messages, a bit for each, and channels.
	allowance   = 2 << 20
	refill      = 512 << 10
	messageCost = 256
	channelCost = 256
)

// link is one RTCPeerConnection whose other end is known: from the answer on. The links' lock guards all of it but pc.
type link struct {
	links     *Links
	pc        *webrtc.PeerConnection
	peer      PeerID
	initiator bool
	// ih is the torrent it was made for.
	ih    InfoHash
	since time.Time
	// number is the order in which links came about.
	number int

	open, ended, dismissed, doubtful bool
	// named: the peer named the extension, and did not prove to lack it. ready: the extension is at work.
	named, ready, lied, begun bool
	// settled is closed when it is plain whether the peer names the extension: it did, it had its time to, or the link
	// ended.
	settled   chan struct{}
	unsettled bool
	gone      chan struct{}

	openTimer, settleTimer, helloTimer, recoverTimer, idleTimer *time.Timer
	// idleSince is when its last wire closed.
	idleSince time.Time

	// wires are open, those being opened included; half is how many more the peer has not closed yet.
	wires map[*Channel]struct{}
	half  int
	// outgoing are those opened here, until both sides have closed them.
	outgoing int
	// carries are wires by torrent, where it is known: of those opened here, and of those whose handshake came.
	carries map[InfoHash]*Channel
	tried   map[InfoHash]*try
	queue   []InfoHash
	ids     ids
	bucket  bucket
	control *control
	route   atomic.Pointer[way]
	// proven is whom it turned out to lead to, once it is open.
	proven []mark
}

// way is where the two ends are.
type way struct {
	local, remote Addr
	relayed       bool
}

var noWay way

func (l *link) way() *way {
	if w := l.route.Load(); w != nil {
		return w
	}
	return &noWay
}

func newLink(ls *Links, pc *webrtc.PeerConnection, peer PeerID, ih InfoHash, initiator bool) *link {
	l := &link{
		links: ls, pc: pc, peer: peer, ih: ih, initiator: initiator, since: time.Now(),
		settled: make(chan struct{}), unsettled: true, gone: make(chan struct{}),
		wires: map[*Channel]struct{}{}, carries: map[InfoHash]*Channel{}, tried: map[InfoHash]*try{},
		bucket: newBucket(allowance, refill),
	}
	l.openTimer = l.after(ls.limits.openWithin, l.end)
	l.settleTimer = l.after(ls.limits.extendedWithin, l.settle)
	return l
}

// after runs f under the links' lock, unless the link has ended by then.
func (l *link) after(wait time.Duration, f func()) *time.Timer {
	return time.AfterFunc(wait, func() { l.do(f) })
}

// do runs f under the links' lock, unless the link has ended.
func (l *link) do(f func()) {
	l.links.mu.Lock()
	defer l.links.unlock()
	if !l.ended {
		f()
	}
}

func stop(timers ...*time.Timer) {
	for _, t := range timers {
		if t != nil {
			t.Stop()
		}
	}
}

// listen hears what happens to the connection.
func (l *link) listen() {
	l.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { l.do(func() { l.watch(s) }) })
	l.pc.OnDataChannel(l.incoming)
	// Tells that the other end is gone well before ICE does.
	l.pc.SCTP().OnClose(func(error) { l.do(l.end) })
}

func (l *link) watch(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
		l.end()
	case webrtc.PeerConnectionStateDisconnected:
		if !l.doubtful {
			l.doubtful = true
			l.recoverTimer = l.after(l.links.limits.recoversWithin, l.end)
			l.links.missed(l)
		}
	default:
		l.doubtful = false
		stop(l.recoverTimer)
	}
}

// spare: it carries nothing, and may go where another one is needed.
func (l *link) spare() bool {
	return l.open && len(l.wires) == 0 && !l.idleSince.IsZero() && time.Since(l.idleSince) >= l.links.limits.spareAfter
}

// healthy: under way, or open and not in doubt.
func (l *link) healthy() bool { return !l.ended && !l.doubtful }

// late: it has not opened, and most likely never will.
func (l *link) late() bool { return !l.open && time.Since(l.since) >= l.links.limits.lateAfter }

func (l *link) settle() {
	if l.unsettled {
		l.unsettled = false
		close(l.settled)
	}
}

// opened is called when the first channel is open. It ends a link to a peer that is banned.
func (l *link) opened() bool {
	l.open = true
	stop(l.openTimer)
	if l.proven = l.marks(); l.links.isBanned(l.proven) {
		l.end()
		return false
	}
	if pair, err := l.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair(); err == nil && pair != nil {
		l.route.Store(&way{
			local: address(pair.Local), remote: address(pair.Remote),
			relayed: pair.Local.Typ == webrtc.ICECandidateTypeRelay || pair.Remote.Typ == webrtc.ICECandidateTypeRelay,
		})
	}
	// A new link to a peer takes the place of one in doubt, and of one to whoever had its address before: a port of ours
	// and one of theirs make one connection.
	for other := range l.links.all {
		if other.peer == l.peer && !other.healthy() || other.peer != l.peer && l.way().local.IsValid() && *other.way() == *l.way() {
			other.end()
		}
	}
	return true
}

func address(c *webrtc.ICECandidate) Addr {
	ip, err := netip.ParseAddr(c.Address)
	if err != nil {
		return Addr{}
	}
	return Addr{netip.AddrPortFrom(ip, c.Port)}
}

// extended: both sides have named the extension.
func (l *link) extended() {
	l.do(func() {
		if l.named || l.lied {
			return
		}
		l.named = true
		l.settle()
		l.helloTimer = l.after(l.links.limits.helloWithin, l.plain)
		if l.initiator {
			l.openControl()
		} else {
			l.talk()
		}
		l.links.merge(l)
	})
}

// plain: the peer named the extension and does not speak it, so it is as if it had not named it.
func (l *link) plain() {
	if l.ready {
		l.end()
		return
	}
	l.named, l.lied = false, true
	stop(l.helloTimer)
	if l.control != nil {
		l.control.close()
	}
	if len(l.wires) == 0 {
		l.end()
	}
}

// end closes the link with all its channels.
func (l *link) end() {
	if l.ended {
		return
	}
	l.ended = true
	close(l.gone)
	stop(l.openTimer, l.settleTimer, l.helloTimer, l.recoverTimer, l.idleTimer)
	for _, t := range l.tried {
		stop(t.timer)
	}
	if l.control != nil {
		l.control.close()
	}
	l.settle()
	l.links.shut(l.pc)
	for c := range l.wires {
		l.links.later(func() { c.lost() })
	}
	l.links.ended(l)
}

// dismiss is end where nothing failed: the link is not needed, or was never one.
func (l *link) dismiss() {
	l.dismissed = true
	l.end()
}

var _ net.Addr = Addr{}
