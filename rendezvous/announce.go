package rendezvous

import (
	"context"
	"sync"
	"time"

	"github.com/starling-p2p/starling/link"
)

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

// announcement asks for the torrent's state only when it is sent, and no lock is held.
func (k *tracker) announcement(e *entry, event string, offers []*link.Offer) func() []byte {
	late := event == "started" && e.completed
	return func() []byte {
		left, uploaded, downloaded := e.torrent.state()
		if late && left == 0 {
			left = 1 // what is whole from the start is not counted when it says that it completed
		}
		a := announcement{
			Action: "announce", InfoHash: e.torrent.infoHash, PeerID: k.client.o.PeerID, Key: k.key, Uploaded: uploaded,
			Downloaded: downloaded, Left: &left, Event: event, NumWant: len(offers), Offers: offerMessages(offers),
		}
		if left < 0 {
			a.Left = nil
		}
		return encode(a)
	}
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
