package rendezvous

import (
	"context"
	"fmt"
	"time"
)

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
	e.schedule()
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
