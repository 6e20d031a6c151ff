package rendezvous

import (
	"math/rand/v2"
	"time"

	"github.com/starling-p2p/starling/link"
)

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

// early: it is announced only because it is stalled.
func (e *entry) early(now time.Time) bool {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	return !due(e.wake) && !due(e.regular)
}

// schedule plans the regular announce, with jitter, so that torrents that started together spread.
func (e *entry) schedule() {
	e.regular = e.last.Add(max(e.floor, e.interval-time.Duration(rand.Int64N(int64(e.interval)*15/100))))
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
