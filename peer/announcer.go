package peer

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
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
// each when its time has come.
type announcer struct {
	p    *Peer
	turn chan struct{} // one token per announce under way
	soon chan struct{}
	ctx  context.Context
	end  context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex
	queue  announceQueue
	of     map[*Torrent][]*announced
	last   time.Time // that everything was announced anew
	closed bool
}

// announced is a torrent at one tracker.
type announced struct {
	t   *Torrent
	url string

	due       time.Time
	place     int // in the queue, -1 while it is being announced
	started   bool
	completed bool // to be said
	told      bool // by WebSocket, that it completed
	gone      bool
	failures  int
	status    Tracker
}

// What is said to a tracker, and what it says.
type (
	announceRequest struct {
		infoHash, peerID           [20]byte
		left, uploaded, downloaded int64
		event                      string // "", started, completed, stopped
		want                       int
		port                       int
		key                        uint32 // by which who has moved proves who it is
	}
	announceReply struct {
		interval          time.Duration
		seeders, leechers int
		peers             []net.Addr
	}
)

func newAnnouncer(p *Peer) *announcer {
	a := &announcer{
		p: p, turn: make(chan struct{}, announceWorkers), soon: make(chan struct{}, 1), of: map[*Torrent][]*announced{},
	}
	a.ctx, a.end = context.WithCancel(context.Background())
	a.work.Go(a.run)
	return a
}

func (a *announcer) add(t *Torrent, tracker string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.of[t] {
		if e.url == tracker {
			return
		}
	}
	if a.closed {
		return
	}
	e := &announced{t: t, url: tracker, due: time.Now(), status: Tracker{URL: tracker, Seeders: -1, Leechers: -1}}
	a.of[t] = append(a.of[t], e)
	heap.Push(&a.queue, e)
	a.hurry()
}

func (a *announcer) hurry() {
	select {
	case a.soon <- struct{}{}:
	default:
	}
}

// completed is announced at once, but not to the trackers that are told already by WebSocket: they would count two
// downloads, should the WebSocket be gone by then.
func (a *announcer) completed(t *Torrent, told []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.of[t] {
		e.told = slices.Contains(told, e.url)
		e.completed = !e.told
		switch {
		case e.completed:
			a.plan(e, 0)
		case e.started:
			a.plan(e, minInterval)
		}
	}
	a.hurry()
}

// remove says goodbye, and does not wait for it.
func (a *announcer) remove(t *Torrent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.of[t] {
		e.gone = true
		a.plan(e, 0)
	}
	delete(a.of, t)
	a.hurry()
}

// plan sets when it is announced next, unless it is being announced.
func (a *announcer) plan(e *announced, in time.Duration) {
	if e.place < 0 {
		return
	}
	e.due = time.Now().Add(in)
	heap.Fix(&a.queue, e.place)
}

// moved announces everything anew, as trackers know this peer by its address.
func (a *announcer) moved() {
	a.mu.Lock()
	defer a.mu.Unlock()
	wait := max(0, minInterval-time.Since(a.last))
	if wait == 0 {
		a.last = time.Now()
	}
	for _, all := range a.of {
		for _, e := range all {
			e.failures = 0
			a.plan(e, wait)
		}
	}
	a.hurry()
}

func (a *announcer) status(t *Torrent) (all []Tracker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.of[t] {
		all = append(all, e.status)
	}
	return all
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

func (a *announcer) run() {
	for {
		wait := time.Hour
		a.mu.Lock()
		var next *announced
		if len(a.queue) > 0 {
			if wait = time.Until(a.queue[0].due); wait <= 0 {
				next = heap.Pop(&a.queue).(*announced)
			}
		}
		closed := a.closed && next == nil
		a.mu.Unlock()
		if closed {
			return
		}
		if next != nil {
			select {
			case a.turn <- struct{}{}:
			case <-a.ctx.Done():
				return
			}
			a.work.Go(func() {
				a.announce(next)
				<-a.turn
			})
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-a.soon:
		case <-a.ctx.Done():
		}
		timer.Stop()
		if a.ctx.Err() != nil {
			return
		}
	}
}

func (a *announcer) announce(e *announced) {
	a.mu.Lock()
	r := announceRequest{infoHash: e.t.ih, peerID: a.p.id, port: a.p.publicPort(), key: a.p.key(e.url)}
	switch {
	case e.gone && !e.started:
		a.mu.Unlock()
		return
	case !e.started:
		r.event = "started" // with something left, if it is to complete
	case e.completed: // also when it is gone: who counts downloads is told before the goodbye
		r.event = "completed"
		e.completed = false
	case e.gone:
		r.event = "stopped"
	}
	gone, late := e.gone, r.event == "started" && (e.completed || e.told)
	a.mu.Unlock()

	r.left, r.uploaded, r.downloaded = e.t.announced()
	if late && r.left == 0 {
		r.left = 1
	}
	if !gone {
		r.want = wantSeeding
		if e.t.lacking() {
			r.want = wantLacking
		}
	}
	ctx, stop := context.WithTimeout(a.ctx, announceTimeout)
	reply, err := announceTo(ctx, a.p.ways, e.url, r)
	stop()
	if err == nil && r.want > 0 && (reply.leechers > 0 || e.t.lacking()) {
		e.t.found.invite(reply.peers[:min(len(reply.peers), maxPeersPerTurn)])
	}
	if r.event != "stopped" {
		a.answered(e, r.event, late, reply, err)
	}
}

// answered notes what came of an announce of that event, and plans the next. late: the tracker is yet to hear that nothing
// is left.
func (a *announcer) answered(e *announced, event string, late bool, reply announceReply, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := time.Duration(0)
	if err != nil {
		e.failures++
		e.status.Connected, e.status.Err = false, err
		e.completed = e.completed || event == "completed"
		next = min(firstRetry*a.p.o.tick<<min(e.failures-1, 10), lastRetry)
		next = max(next/2+rand.N(next), reply.interval)
	} else {
		e.failures, e.started = 0, true
		e.status = Tracker{e.url, true, nil, reply.seeders, reply.leechers}
		next = min(max(reply.interval, minInterval), maxInterval)
		if late {
			next = minInterval
		}
	}
	if e.gone {
		if err == nil {
			a.work.Go(func() { a.announce(e) }) // the goodbye
		}
		return
	}
	if a.closed {
		return
	}
	if e.completed && err == nil {
		next = 0
	}
	e.due = time.Now().Add(next)
	heap.Push(&a.queue, e)
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
type announceQueue []*announced

func (q announceQueue) Len() int           { return len(q) }
func (q announceQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q announceQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *announceQueue) Push(x any) {
	e := x.(*announced)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *announceQueue) Pop() any {
	all := *q
	e := all[len(all)-1]
	*q = all[:len(all)-1]
	e.place = -1
	return e
}
