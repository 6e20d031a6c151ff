package rendezvous

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	replyWithin    = 30 * time.Second
	firstRetry     = time.Second
	slowestRetry   = 30 * time.Second
	leastInterval  = 15 * time.Second
	mostInterval   = 30 * time.Minute
	usualInterval  = 2 * time.Minute
	refusedFor     = time.Minute // a torrent the tracker refuses is not announced again before
	wakeAfter      = 2 * time.Second
	slowestStalled = 15 * time.Second
	// Announces at once, and per second: 10,000 torrents at the usual interval need 90. One for a stalled torrent counts
	// as several.
	burst, perSecond = 200, 200
	stalledCost      = 5
	// Offers in one announce: for a swarm of unknown size, over all its trackers, and in any.
	firstOffers, maxOffers = 2, 10
	// enoughPeers is for how many a torrent looks.
	enoughPeers = 16
	// offersLast is how long an answer is waited for.
	offersLast                  = 50 * time.Second
	maxMaking                   = 16
	maxAnswering, maxAnswering1 = 64, 16
	never                       = time.Duration(1<<62 - 1)
)

// stalledAfter is between announces of a torrent that wants peers and has none; then it is slowestStalled.
var stalledAfter = [...]time.Duration{2 * time.Second, 5 * time.Second, 10 * time.Second}

// tracker is a socket for all torrents that name it, connected again when it breaks.
type tracker struct {
	client *Client
	url    string
	// key is known to this tracker alone: with it a peer that has moved to another network proves who it is.
	key   string
	users int // guarded by the client's lock
	// stop ends it, after farewells.
	leaving  chan struct{}
	leftOnce sync.Once
	wake     chan struct{}
	// moved cuts short an attempt to connect, or the wait for the next.
	moved  chan struct{}
	making chan struct{}
	work   sync.WaitGroup

	mu        sync.Mutex
	entries   map[[20]byte]*entry
	queue     queue
	session   *session
	limit     *rate.Limiter
	retries   int
	replyBy   time.Time
	answering int
}

func newTracker(c *Client, url, key string) *tracker {
	return &tracker{
		client: c, url: url, key: key, leaving: make(chan struct{}), wake: make(chan struct{}, 1), moved: make(chan struct{}, 1),
		making:  make(chan struct{}, maxMaking),
		entries: map[[20]byte]*entry{}, limit: rate.NewLimiter(perSecond, burst),
	}
}

func (k *tracker) leave() { k.leftOnce.Do(func() { close(k.leaving) }) }

// soon looks at what is due.
func (k *tracker) soon() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *tracker) add(t *Torrent, sharing int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.entries[t.infoHash] != nil {
		return
	}
	e := &entry{
		torrent: t, sharing: sharing, wake: time.Now(), at: -1, interval: usualInterval, others: -1,
		offers: map[[20]byte]waiting{}, status: TrackerStatus{URL: k.url, Seeders: -1, Leechers: -1},
	}
	k.entries[t.infoHash] = e
	k.plan(e)
	k.soon()
}

// entry returns that of a torrent, unless another one with its infohash was there first.
func (k *tracker) entry(t *Torrent) *entry {
	if e := k.entries[t.infoHash]; e != nil && e.torrent == t {
		return e
	}
	return nil
}

func (k *tracker) remove(t *Torrent) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.entry(t)
	if e == nil {
		return
	}
	k.farewell(e)
	if e.at >= 0 {
		heap.Remove(&k.queue, e.at)
	}
	delete(k.entries, t.infoHash)
}

func (k *tracker) completed(t *Torrent) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.entry(t); e != nil {
		e.completed = true
		e.wake = time.Now()
		k.plan(e)
		k.soon()
	}
}

func (k *tracker) wakeUp(t *Torrent) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.entry(t); e != nil {
		k.wakeEntry(e)
		k.soon()
	}
}

func (k *tracker) wakeEntry(e *entry) {
	at := e.last.Add(max(wakeAfter, e.floor))
	if now := time.Now(); at.Before(now) {
		at = now
	}
	if e.wake.IsZero() || at.Before(e.wake) {
		e.wake = at
		k.plan(e)
	}
}

func (k *tracker) status(t *Torrent) TrackerStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.entry(t); e != nil {
		return e.status
	}
	return TrackerStatus{URL: k.url, Seeders: -1, Leechers: -1}
}

// plan puts an entry where it belongs in the queue.
func (k *tracker) plan(e *entry) {
	e.due = time.Time{}
	for _, t := range []time.Time{e.wake, e.regular, e.stalled} {
		if !t.IsZero() && (e.due.IsZero() || t.Before(e.due)) {
			e.due = t
		}
	}
	switch {
	case e.busy || e.due.IsZero():
		if e.at >= 0 {
			heap.Remove(&k.queue, e.at)
		}
	case e.at >= 0:
		heap.Fix(&k.queue, e.at)
	default:
		heap.Push(&k.queue, e)
	}
}

// run connects, serves and connects again until the tracker is left.
func (k *tracker) run() {
	ctx, stop := context.WithCancel(k.client.ctx)
	defer stop()
	defer k.work.Wait()
	defer stop()
	defer context.AfterFunc(ctx, k.leave)()
	for {
		s, err := k.connect(ctx)
		if err == nil {
			err = k.serve(ctx, s)
		}
		select {
		case <-k.leaving:
			k.broken(nil)
			return
		default:
		}
		wait := k.broken(err)
		k.client.o.Log.Debug("a tracker is away", "url", k.url, "error", err, "again", wait)
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-k.moved:
			again.Stop()
		case <-k.leaving:
			again.Stop()
			return
		}
	}
}

var errMoved = errors.New("this machine has another address now")

// move makes a new socket where the old one, or the attempt at one, began at an address that is gone. Who lacks data
// makes new offers in any case.
func (k *tracker) move(gone []netip.Addr) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.retries = 0
	switch {
	case k.session == nil:
		select {
		case k.moved <- struct{}{}:
		default:
		}
	case slices.Contains(gone, k.session.local()):
		k.session.end(errMoved)
	default:
		for _, e := range k.entries {
			if e.torrent.lacks() {
				k.wakeEntry(e)
			}
		}
		k.soon()
	}
}

func (k *tracker) connect(ctx context.Context) (*session, error) {
	dialing, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-k.leaving:
			stop()
		case <-k.moved:
			stop()
		case <-dialing.Done():
		}
	}()
	return k.client.connect(dialing, k.url, func(data []byte) { k.receive(ctx, data) })
}

// serve announces what is due until the socket ends.
func (k *tracker) serve(ctx context.Context, s *session) error {
	k.mu.Lock()
	k.session = s
	k.mu.Unlock()
	var running sync.WaitGroup
	running.Go(s.run)
	defer running.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-k.wake:
		case <-s.ended:
			return s.err
		case <-k.leaving:
			k.depart(s)
			select {
			case <-s.ended:
			case <-ctx.Done():
				s.end(errLeft)
			}
			return errLeft
		}
		timer.Reset(k.tick(ctx, s))
	}
}

// depart says farewell for all torrents.
func (k *tracker) depart(s *session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.entries {
		k.farewell(e)
	}
	k.session = nil
	s.send(nil)
}

// broken returns how long to wait until the next attempt.
func (k *tracker) broken(err error) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.session != nil {
		k.client.o.Lost()
	}
	k.session = nil
	k.replyBy = time.Time{}
	for _, e := range k.entries {
		e.started, e.awaiting = false, false
		e.wake = time.Now()
		e.status.Connected = false
		e.status.Err = err
		for _, o := range e.recent { // where the line is dead they lack addresses that servers would have named
			delete(e.offers, o.ID)
			o.Close()
		}
		e.recent = nil
		k.plan(e)
	}
	ceiling := min(slowestRetry, firstRetry<<min(k.retries, 10))
	k.retries++
	return max(firstRetry/2, time.Duration(rand.Int64N(int64(ceiling))))
}

var errSilent = errors.New("the tracker does not answer")
