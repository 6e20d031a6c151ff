package rendezvous

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/starling-p2p/starling/link"
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

// entry is one torrent at this tracker.
type entry struct {
	torrent *Torrent
	// sharing is how many trackers the torrent has.
	sharing int
	// due is when it is announced next, the earliest of: because something happened, by the interval, or because it is
	// stalled. at is its place in the heap.
	due, wake, regular, stalled time.Time
	at                          int
	last                        time.Time
	interval, floor             time.Duration
	stalls                      int
	started, completed, busy    bool
	// awaiting: no reply yet to the last announce, whose offers are recent.
	awaiting bool
	recent   []*link.Offer
	offers   map[[20]byte]waiting
	// others counts other peers as of the last reply; -1 is unknown.
	others    int
	answering int
	status    TrackerStatus
}

// waiting is an offer of ours that may be answered.
type waiting struct {
	offer *link.Offer
	since time.Time
}

// tracker is a socket for all torrents that name it, connected again when it breaks.
type tracker struct {
	client *Client
	url    string
	users  int // guarded by the client's lock
	// stop ends it, after farewells.
	leaving  chan struct{}
	leftOnce sync.Once
	wake     chan struct{}
	making   chan struct{}
	work     sync.WaitGroup

	mu        sync.Mutex
	entries   map[[20]byte]*entry
	queue     queue
	session   *session
	limit     *rate.Limiter
	retries   int
	replyBy   time.Time
	answering int
}

func newTracker(c *Client, url string) *tracker {
	return &tracker{
		client: c, url: url, leaving: make(chan struct{}), wake: make(chan struct{}, 1), making: make(chan struct{}, maxMaking),
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
		case <-k.leaving:
			again.Stop()
			return
		}
	}
}

func (k *tracker) connect(ctx context.Context) (*session, error) {
	dialing, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-k.leaving:
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

// farewell announces "stopped", if there is anybody to hear it.
func (k *tracker) farewell(e *entry) {
	if e.started && k.session != nil {
		if e.completed {
			k.session.send(k.announcement(e, "completed", nil))
		}
		k.session.send(k.announcement(e, "stopped", nil))
	}
	e.started, e.completed = false, false
	k.release(e)
	for _, w := range e.offers {
		w.offer.Close()
	}
	clear(e.offers)
}

// release gives back offers that were not relayed to anybody, as far as is known.
func (k *tracker) release(e *entry) {
	for _, o := range e.recent {
		delete(e.offers, o.ID)
		o.Release()
	}
	e.recent = nil
}

// broken returns how long to wait until the next attempt.
func (k *tracker) broken(err error) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.session = nil
	k.replyBy = time.Time{}
	for _, e := range k.entries {
		e.started, e.awaiting = false, false
		e.wake = time.Now()
		e.status.Connected = false
		e.status.Err = err
		k.release(e)
		k.plan(e)
	}
	ceiling := min(slowestRetry, firstRetry<<min(k.retries, 10))
	k.retries++
	return max(firstRetry/2, time.Duration(rand.Int64N(int64(ceiling))))
}

var errSilent = errors.New("the tracker does not answer")

// tick announces what is due, oldest first, as fast as is allowed, and returns when to look again.
func (k *tracker) tick(ctx context.Context, s *session) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if !k.replyBy.IsZero() && !now.Before(k.replyBy) {
		s.end(errSilent)
		return never
	}
	wait := never
	if !k.replyBy.IsZero() {
		wait = k.replyBy.Sub(now)
	}
	for len(k.queue) > 0 {
		e := k.queue[0]
		if e.due.After(now) {
			return min(wait, e.due.Sub(now))
		}
		early := e.early(now)
		if early && !k.alone(e) {
			e.stalls = 0
			e.stalled = now.Add(slowestStalled)
			k.plan(e)
			continue
		}
		cost := 1
		if early {
			cost = stalledCost
		}
		if r := k.limit.ReserveN(now, cost); r.DelayFrom(now) > 0 {
			delay := r.DelayFrom(now)
			r.CancelAt(now)
			return min(wait, delay)
		}
		k.announce(ctx, s, e, early)
		if !k.replyBy.IsZero() {
			wait = min(wait, k.replyBy.Sub(now))
		}
	}
	return wait
}

// early: it is announced only because it is stalled.
func (e *entry) early(now time.Time) bool {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	return !due(e.wake) && !due(e.regular)
}

// alone: it lacks data, and has nobody to get it from.
func (k *tracker) alone(e *entry) bool {
	return e.torrent.lacks() && k.client.o.Links.Carried(e.torrent.infoHash) == 0
}

// announce makes as many offers as are sensible and sends them.
func (k *tracker) announce(ctx context.Context, s *session, e *entry, early bool) {
	event := ""
	switch {
	case !e.started:
		event = "started"
	case e.completed:
		event = "completed"
	}
	count := 0
	if e.torrent.lacks() && event != "completed" {
		carried := k.client.o.Links.Carried(e.torrent.infoHash)
		switch {
		case e.others < 0:
			count = (firstOffers + e.sharing - 1) / e.sharing
		case e.others == 0 && carried == 0:
			count = 1 // counts lag: somebody may have come
		case e.sharing > 1 || carried < e.others:
			count = e.others
		}
		count = min(count, maxOffers, max(0, enoughPeers-carried))
	}
	if count == 0 {
		k.send(s, e, event, nil, early)
		return
	}
	e.busy = true
	k.plan(e)
	k.work.Go(func() {
		offers := k.offers(ctx, e.torrent.infoHash, count)
		k.mu.Lock()
		defer k.mu.Unlock()
		e.busy = false
		if k.entries[e.torrent.infoHash] != e || k.session != s {
			for _, o := range offers {
				o.Release()
			}
			if k.entries[e.torrent.infoHash] == e {
				k.plan(e)
			}
		} else {
			k.send(s, e, event, offers, early)
		}
		k.soon()
	})
}

func (k *tracker) offers(ctx context.Context, infoHash [20]byte, count int) []*link.Offer {
	select {
	case k.making <- struct{}{}:
		defer func() { <-k.making }()
	case <-ctx.Done():
		return nil
	}
	all := make([]*link.Offer, count)
	var gathering sync.WaitGroup
	for i := range all {
		gathering.Go(func() {
			o, err := k.client.o.Links.Offer(ctx, infoHash)
			if err != nil {
				o = nil
			}
			all[i] = o
		})
	}
	gathering.Wait()
	made := all[:0]
	for _, o := range all {
		if o != nil {
			made = append(made, o)
		}
	}
	return made
}

// send announces an entry, now that its offers are made.
func (k *tracker) send(s *session, e *entry, event string, offers []*link.Offer, early bool) {
	now := time.Now()
	e.stalled = time.Time{}
	if e.torrent.lacks() {
		wait := slowestStalled
		if e.stalls < len(stalledAfter) {
			wait = stalledAfter[e.stalls]
		}
		e.stalls++
		e.stalled = now.Add(max(wait, e.floor))
	}
	defer k.plan(e)
	if early && len(offers) == 0 {
		return // all that a stalled torrent has to say more often is an offer
	}
	e.last, e.started, e.awaiting = now, true, true
	if event == "completed" {
		e.completed = false
	}
	e.wake = time.Time{}
	if e.completed {
		e.wake = now
	}
	e.schedule()
	for id, w := range e.offers {
		if now.Sub(w.since) > offersLast {
			w.offer.Close()
			delete(e.offers, id)
		}
	}
	e.recent = offers
	for _, o := range offers {
		e.offers[o.ID] = waiting{o, now}
	}
	s.send(k.announcement(e, event, offers))
	if k.replyBy.IsZero() {
		k.replyBy = now.Add(replyWithin)
	}
}

// schedule plans the regular announce, with jitter, so that torrents that started together spread.
func (e *entry) schedule() {
	e.regular = e.last.Add(e.interval - time.Duration(rand.Int64N(int64(e.interval)*15/100)))
}

// announcement asks for the torrent's state only when it is sent, and no lock is held.
func (k *tracker) announcement(e *entry, event string, offers []*link.Offer) func() []byte {
	late := event == "started" && e.completed
	return func() []byte {
		left, uploaded, downloaded := e.torrent.state()
		if late && left == 0 {
			left = 1 // what is whole from the start is not counted when it says that it completed
		}
		a := announcement{
			Action: "announce", InfoHash: e.torrent.infoHash, PeerID: k.client.o.PeerID, Uploaded: uploaded,
			Downloaded: downloaded, Left: &left, Event: event, NumWant: len(offers), Offers: offerMessages(offers),
		}
		if left < 0 {
			a.Left = nil
		}
		return encode(a)
	}
}

// receive takes a message from the tracker.
func (k *tracker) receive(ctx context.Context, data []byte) {
	m, err := parse(data)
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.replyBy = time.Time{}
	k.retries = 0
	e := k.entries[m.infoHash]
	if e == nil {
		return
	}
	defer k.soon()
	switch {
	case m.reply != nil:
		k.replied(e, *m.reply)
	case m.failure != "":
		k.refused(e, m.failure)
	case m.peerID == k.client.o.PeerID:
	case m.offer != "":
		k.offered(ctx, e, m)
	default:
		k.answered(e, m)
	}
}

func (k *tracker) replied(e *entry, r reply) {
	e.awaiting = false
	e.floor, e.interval = 0, usualInterval
	if r.floor > 0 {
		e.floor = min(seconds(r.floor), mostInterval)
	}
	if r.interval >= 0 {
		e.interval = seconds(r.interval)
	}
	e.interval = min(max(e.interval, leastInterval, e.floor), mostInterval)
	e.schedule()
	if at := e.last.Add(e.floor); !e.stalled.IsZero() && e.stalled.Before(at) {
		e.stalled = at
	}
	if r.complete >= 0 && r.incoming >= 0 {
		first := e.others < 0
		e.others = max(0, r.complete+r.incoming-1)
		if first && e.others > len(e.recent) && e.torrent.lacks() {
			k.wakeEntry(e)
		}
		// Trackers relay the first ones, one to each.
		e.recent = e.recent[min(e.others, len(e.recent)):]
		k.release(e)
	}
	e.recent = nil
	e.status = TrackerStatus{URL: k.url, Connected: true, Seeders: r.complete, Leechers: r.incoming}
	k.plan(e)
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func (k *tracker) refused(e *entry, why string) {
	if !e.awaiting {
		return // about an answer that came too late
	}
	e.awaiting = false
	e.floor = refusedFor
	if !e.stalled.IsZero() {
		e.stalled = time.Now().Add(refusedFor)
	}
	k.release(e)
	e.status = TrackerStatus{URL: k.url, Err: fmt.Errorf("the tracker refuses: %s", why), Seeders: -1, Leechers: -1}
	k.plan(e)
}

// offered answers somebody's offer, in a goroutine: that takes a while.
func (k *tracker) offered(ctx context.Context, e *entry, m message) {
	s := k.session
	if s == nil || k.answering >= maxAnswering || e.answering >= maxAnswering1 {
		return
	}
	k.answering++
	e.answering++
	k.work.Go(func() {
		sdp, err := k.client.o.Links.Answer(ctx, m.infoHash, m.peerID, m.offer)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.answering--
		e.answering--
		if err == nil && k.session == s && k.entries[m.infoHash] == e {
			s.send(func() []byte {
				return encode(answerMessage{
					Action: "announce", InfoHash: m.infoHash, PeerID: k.client.o.PeerID, ToPeerID: m.peerID,
					OfferID: m.offerID, Answer: description{"answer", sdp},
				})
			})
		}
	})
}

func (k *tracker) answered(e *entry, m message) {
	id, ok := ownID(m.offerID)
	w, ours := e.offers[id]
	if !ok || !ours {
		return
	}
	delete(e.offers, id)
	k.work.Go(func() {
		if err := w.offer.Accept(k.client.ctx, m.peerID, m.answer); err != nil {
			k.client.o.Log.Debug("an answer came to nothing", "url", k.url, "error", err)
		}
	})
}

// queue is a heap of entries by due.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.at = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.at = -1
	return e
}
