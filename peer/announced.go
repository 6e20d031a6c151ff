package peer

import (
	"container/heap"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/starling-p2p/starling/internal/egress"
)

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

// works says whether the tracker has answered last.
func (w *way) works() bool { return w.err == nil }

// beside says whether a tracker answers by another way.
func (w *way) beside() bool { return slices.ContainsFunc(w.ways, (*way).works) && !w.works() }

// says is the status, with an error once it was tried by all ways in vain: the one that tells most.
func (e *announced) says() Tracker {
	s := e.status
	s.Connected = slices.ContainsFunc(e.ways, (*way).works)
	untried := func(w *way) bool { return w.err == errUntried }
	if s.Connected || slices.ContainsFunc(e.ways, untried) {
		return s
	}
	for _, w := range e.ways {
		if s.Err == nil || noAddress(s.Err) {
			s.Err = w.err
		}
	}
	return s
}

// noAddress: the name has none, of this family at least.
func noAddress(err error) bool {
	var d *net.DNSError
	var a *net.AddrError
	return errors.As(err, &d) && d.IsNotFound || errors.As(err, &a)
}

// announce says at one tracker, by one way, what is to be said there now.
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
