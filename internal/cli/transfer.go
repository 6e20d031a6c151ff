package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/starling-p2p/starling/peer"
)

// hexHash is how JSON and people have an infohash.
func hexHash(t *peer.Torrent) string {
	ih := t.InfoHash()
	return hex.EncodeToString(ih[:])
}

// bytesOf are those of all files.
func bytesOf(t *peer.Torrent) (sum int64) {
	for _, f := range t.Files() {
		sum += f.Size
	}
	return sum
}

// figuresOf are a torrent's, as they are now.
func figuresOf(t *peer.Torrent) figures {
	s := t.Stats()
	return figures{
		Bytes: s.Bytes, Done: s.BytesDone, Down: math.Round(s.DownloadSpeed), Up: math.Round(s.UploadSpeed), Uploaded: s.Uploaded, came: s.Downloaded + s.Metadata,
		Peers: peerCounts{Browser: s.Peers.Browser, TCP: s.Peers.TCP, UTP: s.Peers.UTP, WebSeed: s.Peers.WebSeed},
	}
}

// watch shows how a torrent goes on until work has ended, and returns its error. work gets a context that ends too when
// nothing has come for as long as patience (0: forever); then the error says that nobody has it. Of the time while held
// is true, which may be nil, nothing is counted.
func watch(ctx context.Context, t *peer.Torrent, view *screen, l look, patience time.Duration, held *atomic.Bool, work func(context.Context) error) error {
	d := view.open(l)
	defer view.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() { ended <- work(ctx) }()

	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	now := time.Now()
	w, told := wait{limit: patience, since: now, asked: now}, false
	for {
		select {
		case err := <-ended:
			d.show(figuresOf(t))
			if err != nil && errors.Is(err, context.Canceled) {
				return context.Cause(ctx)
			}
			return err
		case now := <-tick.C:
			f := figuresOf(t)
			d.show(f)
			if problem := t.Stats().Problem; problem != nil {
				cancel(onMachine(problem))
			}
			over := w.over(now, f, held != nil && held.Load())
			if f.Peers.all() > 0 {
				told = true
			} else if now.Sub(w.since) > tellAfter && !told {
				told = true
				view.say("%s", stillWaiting(patience, away(t)))
			}
			if over {
				cancel(nobody(patience, away(t)))
			}
		}
	}
}

// wait is for what others send.
type wait struct {
	limit        time.Duration // 0: none
	since, asked time.Time
	done, came   int64
}

// over says that nothing has come for too long. What has come wholly is put in its place, which takes as long as it takes,
// and while held is true nobody takes what has come. Time in which nobody asked does not count: the program was stopped by
// Ctrl-Z, or the machine slept.
func (w *wait) over(now time.Time, f figures, held bool) bool {
	if gap := now.Sub(w.asked); gap > tellAfter {
		w.since = w.since.Add(gap)
	}
	w.asked = now
	if held || f.Done != w.done || f.came != w.came || f.Bytes > 0 && f.Done == f.Bytes {
		w.since, w.done, w.came = now, f.Done, f.came
	}
	return w.limit > 0 && now.Sub(w.since) > w.limit
}

// tellAfter is when people who wait are told why, and for how long.
const tellAfter = 10 * time.Second

func stillWaiting(patience time.Duration, away string) string {
	why := "Nobody who has it is online at the moment"
	if away != "" {
		why = away + ", so nobody who has it is known"
	}
	if patience == 0 {
		return why + "; waiting."
	}
	return fmt.Sprintf("%s; waiting for %s (--timeout; 0 waits on).", why, duration(patience))
}

// away says of the first tracker why it cannot be reached, where none of them can; else it is "".
func away(t *peer.Torrent) (said string) {
	for _, tracker := range t.Stats().Trackers {
		if tracker.Connected {
			return ""
		}
		if said == "" && tracker.Err != nil {
			said = safe(fmt.Sprintf("%s does not answer (%v)", tracker.URL, tracker.Err))
		}
	}
	return said
}

func nobody(patience time.Duration, away string) error {
	if away != "" {
		return failure{exitNobody, fmt.Errorf("nothing has come for %s, and %s: is the address right, and its server up? Then run the same command again (--timeout says how long to wait)", duration(patience), away)}
	}
	return failure{exitNobody, fmt.Errorf("nothing has come for %s: nobody who has it is online, or can be reached from here; ask for it to be shared, then run the same command again (--timeout says how long to wait)", duration(patience))}
}

// seed shows torrents that are there until the context ends.
func seed(ctx context.Context, view *screen, l look, torrents ...*peer.Torrent) {
	d := view.open(l)
	defer view.close()
	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	said := map[string]bool{}
	for {
		var sum figures
		for _, t := range torrents {
			sum = sum.plus(figuresOf(t))
			if problem := t.Stats().Problem; problem != nil && !said[problem.Error()] {
				said[problem.Error()] = true
				view.say("%s", safe(problem.Error()))
			}
		}
		d.show(sum)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// asking is how long trackers get to answer.
const asking = 3 * time.Second

// answered waits until every tracker has said something, or has failed; or only until that one has, of which the URL is
// given.
func answered(ctx context.Context, t *peer.Torrent, one string) {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := false
		for _, tracker := range t.Stats().Trackers {
			if tracker.Connected && tracker.URL == one {
				return
			}
			waiting = waiting || !tracker.Connected && tracker.Err == nil
		}
		if !waiting {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
