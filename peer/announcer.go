package peer

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starling-p2p/starling/internal/egress"
)

const (
	announceTimeout = 20 * time.Second
	announceWorkers = 8
	minInterval     = 30 * time.Second
	maxInterval     = time.Hour
	firstRetry      = 5 // ticks
	lastRetry       = 10 * time.Minute
	farewell        = time.Second // for all of them
	maxPeersPerTurn = 200

	// How many peers a tracker is asked for. One that has all looks for those who lack data and cannot reach it, as when
	// it is behind a NAT.
	wantLacking, wantSeeding = 80, 20
)

// announcer announces torrents at HTTP and UDP trackers (BEP 3, 15), loaded into the engine or not: so many at once,
// each when its time has come. A tracker knows a peer by the address that it is asked from, and tells it of others of that
// family: so those with a name are asked by IPv4 and by IPv6 (BEP 7). Each has a line of its own, so that what is asked by
// a family that leads nowhere holds nobody up.
type announcer struct {
	p     *Peer
	lines map[egress.Family]*line
	by    []egress.Family // what trackers with a name are asked by
	ctx   context.Context
	end   context.CancelFunc
	work  sync.WaitGroup

	mu sync.Mutex
	of map[*Torrent][]*announced
	// silent are trackers that answer by the other family only: until when nobody tries again.
	silent map[wayTo]time.Time
	last   time.Time // that everything was announced anew
	closed bool
}

// line is who waits to be announced.
type line struct {
	queue announceQueue // the announcer's lock is on it
	turn  chan struct{} // one token per announce under way
	soon  chan struct{}
}

// announced is a torrent at one tracker.
type announced struct {
	t         *Torrent
	ways      []*way
	completed bool // to be said, by one of the ways
	told      bool // by WebSocket, that it completed
	gone      bool
	status    Tracker // as it answered last
}

// wayTo is a tracker, and by what it is asked.
type wayTo struct {
	url string
	by  egress.Family
}

// way is how a torrent is announced at a tracker.
type way struct {
	*announced
	wayTo

	due      time.Time
	place    int // in the queue, -1 while it is being announced
	started  bool
	failures int
	err      error  // what came of it last; errUntried before
	giveUp   func() // that it starts, of which nothing was said yet; nil: it does not
}

var errUntried = errors.New("not yet tried")

// What is said to a tracker, and what it says.
type (
	announceRequest struct {
		infoHash, peerID           [20]byte
		left, uploaded, downloaded int64
		event                      string // "", started, completed, stopped
		want                       int
		port                       int
		key                        uint32 // by which who has moved proves who it is
		by                         egress.Family
		said                       func() // is called when the tracker may begin to hear of it
	}
	announceReply struct {
		interval          time.Duration
		seeders, leechers int
		peers             []net.Addr
	}
)

func newAnnouncer(p *Peer) *announcer {
	a := &announcer{p: p, by: p.families(), of: map[*Torrent][]*announced{}, silent: map[wayTo]time.Time{}}
	a.ctx, a.end = context.WithCancel(context.Background())
	one, other := newLine(), newLine()
	a.lines = map[egress.Family]*line{egress.Any: one, egress.IPv4: one, egress.IPv6: other}
	a.work.Go(func() { a.run(one) })
	a.work.Go(func() { a.run(other) })
	return a
}

func newLine() *line {
	return &line{turn: make(chan struct{}, announceWorkers), soon: make(chan struct{}, 1)}
}

// families are those by which others reach this peer; if they do not, whichever a tracker is reached by.
func (p *Peer) families() (all []egress.Family) {
	for _, l := range p.client.Listeners() {
		at, err := netip.ParseAddrPort(l.Addr().String())
		if err != nil {
			continue // a listener for links
		}
		by := egress.IPv6
		if at.Addr().Unmap().Is4() {
			by = egress.IPv4
		}
		if !slices.Contains(all, by) {
			all = append(all, by)
		}
	}
	if all == nil {
		all = []egress.Family{egress.Any}
	}
	return all
}

func (a *announcer) add(t *Torrent, tracker string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.of[t] {
		if e.status.URL == tracker {
			return
		}
	}
	if a.closed {
		return
	}
	by := []egress.Family{egress.Any}
	if u, err := url.Parse(tracker); err == nil && a.p.ways.Named(u) {
		by = a.by
	}
	e := &announced{t: t, status: Tracker{URL: tracker, Seeders: -1, Leechers: -1}}
	a.of[t] = append(a.of[t], e)
	for _, family := range by {
		w := &way{announced: e, wayTo: wayTo{tracker, family}, due: time.Now(), err: errUntried}
		e.ways = append(e.ways, w)
		heap.Push(&a.lines[family].queue, w)
	}
	a.hurry()
}

func (a *announcer) hurry() {
	for _, l := range a.lines {
		select {
		case l.soon <- struct{}{}:
		default:
		}
	}
}

// completed is announced at once, but not to the trackers that are told already by WebSocket: they would count two
// downloads, should the WebSocket be gone by then. As many it would be if both families said so: one does, and the other
// that nothing is left.
func (a *announcer) completed(t *Torrent, told []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.of[t] {
		e.told = slices.Contains(told, e.status.URL)
		e.completed = !e.told
		says := max(0, slices.IndexFunc(e.ways, (*way).works))
		for i, w := range e.ways {
			switch {
			case e.completed && i == says:
				a.plan(w, 0)
			case w.started:
				a.plan(w, minInterval)
			}
		}
	}
	a.hurry()
}

// works says whether the tracker has answered last.
func (w *way) works() bool { return w.err == nil }

// beside says whether a tracker answers by another way.
func (w *way) beside() bool { return slices.ContainsFunc(w.ways, (*way).works) && !w.works() }

// remove says goodbye, and does not wait for it.
func (a *announcer) remove(t *Torrent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.of[t] {
		e.gone = true
		for _, w := range e.ways {
			if w.giveUp != nil && w.beside() {
				w.giveUp()
			}
			a.plan(w, 0)
		}
	}
	delete(a.of, t)
	a.hurry()
}

// plan sets when it is announced next, unless it is being announced.
func (a *announcer) plan(w *way, in time.Duration) {
	if w.place < 0 {
		return
	}
	w.due = time.Now().Add(in)
	heap.Fix(&a.lines[w.by].queue, w.place)
}

// moved announces everything anew, as trackers know this peer by its address.
func (a *announcer) moved() {
	a.mu.Lock()
	defer a.mu.Unlock()
	wait := max(0, minInterval-time.Since(a.last))
	if wait == 0 {
		a.last = time.Now()
	}
	clear(a.silent)
	for _, all := range a.of {
		for _, e := range all {
			for _, w := range e.ways {
				w.failures = 0
				a.plan(w, wait)
			}
		}
	}
	a.hurry()
}

func (a *announcer) status(t *Torrent) (all []Tracker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.of[t] {
		s := e.status
		s.Connected = slices.ContainsFunc(e.ways, (*way).works)
		if untried := func(w *way) bool { return w.err == errUntried }; !s.Connected && !slices.ContainsFunc(e.ways, untried) {
			for _, w := range e.ways {
				if s.Err == nil || noAddress(s.Err) {
					s.Err = w.err
				}
			}
		}
		all = append(all, s)
	}
	return all
}

// noAddress: the name has none, of this family at least.
func noAddress(err error) bool {
	var d *net.DNSError
	var a *net.AddrError
	return errors.As(err, &d) && d.IsNotFound || errors.As(err, &a)
}

// close lets those go that were removed.
func (a *announcer) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.hurry()
	late := time.AfterFunc(farewell, a.end)
	a.work.Wait()
	late.Stop()
	a.end()
}

func (a *announcer) run(l *line) {
	for {
		wait := time.Hour
		a.mu.Lock()
		var next *way
		if len(l.queue) > 0 {
			if wait = time.Until(l.queue[0].due); wait <= 0 {
				next = heap.Pop(&l.queue).(*way)
			}
		}
		closed := a.closed && next == nil
		a.mu.Unlock()
		if closed {
			return
		}
		if next != nil {
			select {
			case l.turn <- struct{}{}:
			case <-a.ctx.Done():
				return
			}
			a.work.Go(func() {
				a.announce(next)
				<-l.turn
			})
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-l.soon:
		case <-a.ctx.Done():
		}
		timer.Stop()
		if a.ctx.Err() != nil {
			return
		}
	}
}

func (a *announcer) announce(w *way) {
	a.mu.Lock()
	if until := a.silent[w.wayTo]; time.Now().Before(until) {
		a.again(w, time.Until(until))
		a.mu.Unlock()
		return
	}
	t := w.t
	ctx, stop := context.WithTimeout(a.ctx, announceTimeout)
	r := announceRequest{infoHash: t.ih, peerID: a.p.id, port: a.p.publicPort(), key: a.p.key(w.url), by: w.by}
	r.said = func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		w.giveUp = nil
	}
	switch {
	case w.gone && !w.started:
		a.mu.Unlock()
		stop()
		return
	case !w.started:
		r.event = "started" // with something left, if it is to complete
		w.giveUp = stop
	case w.completed: // also when it is gone: who counts downloads is told before the goodbye
		r.event = "completed"
		w.completed = false
	case w.gone:
		r.event = "stopped"
	}
	gone, late := w.gone, r.event == "started" && (w.completed || w.told)
	a.mu.Unlock()

	r.left, r.uploaded, r.downloaded = t.announced()
	if late && r.left == 0 {
		r.left = 1
	}
	if !gone {
		r.want = wantSeeding
		if t.lacking() {
			r.want = wantLacking
		}
	}
	reply, err := announceTo(ctx, a.p.ways, w.url, r)
	r.said()
	stop()
	if err == nil && r.want > 0 && (reply.leechers > 0 || t.lacking()) {
		t.found.invite(reply.peers[:min(len(reply.peers), maxPeersPerTurn)])
	}
	if r.event != "stopped" {
		a.answered(w, r.event, late, reply, err)
	}
}

// answered notes what came of an announce of that event, and plans the next. late: the tracker is yet to hear that nothing
// is left.
func (a *announcer) answered(w *way, event string, late bool, reply announceReply, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := time.Duration(0)
	w.err = err
	if err != nil {
		w.failures++
		w.completed = w.completed || event == "completed"
		next = min(firstRetry*a.p.o.tick<<min(w.failures-1, 10), lastRetry)
		next = max(next/2+rand.N(next), reply.interval)
		// The first torrent of which a family hears nothing speaks for all; of one that did answer, the second failure.
		if unreached := net.Error(nil); errors.As(err, &unreached) && w.beside() && (!w.started || w.failures > 1) {
			next = lastRetry
			now := time.Now()
			maps.DeleteFunc(a.silent, func(_ wayTo, until time.Time) bool { return now.After(until) })
			a.silent[w.wayTo] = now.Add(next)
		}
	} else {
		w.failures, w.started = 0, true
		delete(a.silent, w.wayTo)
		w.status.Seeders, w.status.Leechers = reply.seeders, reply.leechers
		next = min(max(reply.interval, minInterval), maxInterval)
		if late {
			next = minInterval
		}
	}
	if w.gone {
		if err == nil {
			a.work.Go(func() { a.announce(w) }) // the goodbye
		}
		return
	}
	if w.completed && err == nil {
		next = 0
	}
	a.again(w, next)
}

// again plans what was announced; the lock is held.
func (a *announcer) again(w *way, in time.Duration) {
	if w.gone || a.closed {
		return
	}
	w.due = time.Now().Add(in)
	heap.Push(&a.lines[w.by].queue, w)
	a.hurry()
}

func announceTo(ctx context.Context, w *egress.Ways, tracker string, r announceRequest) (announceReply, error) {
	u, err := url.Parse(tracker)
	if err != nil {
		return announceReply{}, err
	}
	if strings.EqualFold(u.Scheme, "udp") {
		return announceUDP(ctx, w, u, r)
	}
	return announceHTTP(ctx, w, u, r)
}

// key is a secret that one tracker knows, and other peers never: it tells them peer_ids.
func (p *Peer) key(tracker string) uint32 {
	sum := sha256.Sum256(append(p.salt[:], tracker...))
	return binary.BigEndian.Uint32(sum[:])
}

// publicPort is where others reach this peer: 0 where they do not.
func (p *Peer) publicPort() int {
	a := p.Addr()
	if a == nil {
		return 0
	}
	_, text, _ := net.SplitHostPort(a.String())
	port := 0
	_, _ = fmt.Sscan(text, &port)
	if m := p.finders.mapper; m != nil {
		if mapped := m.outside(port); mapped != 0 {
			return mapped
		}
	}
	return port
}

// announceQueue is a heap by due.
type announceQueue []*way

func (q announceQueue) Len() int           { return len(q) }
func (q announceQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q announceQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *announceQueue) Push(x any) {
	w := x.(*way)
	w.place = len(*q)
	*q = append(*q, w)
}

func (q *announceQueue) Pop() any {
	all := *q
	w := all[len(all)-1]
	*q = all[:len(all)-1]
	w.place = -1
	return w
}
