package peer

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
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
		all = append(all, e.says())
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
