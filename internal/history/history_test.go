package history_test

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/internal/history"
)

// during runs f on a clock of its own, which begins at a full minute, with a level and a count.
func during(t *testing.T, f func(h *history.History, level, count *atomic.Uint64)) {
	synctest.Test(t, func(t *testing.T) {
		var level, count atomic.Uint64
		count.Store(1000) // what there was before does not count
		h := history.New(history.Figure{Name: "level", Read: level.Load}, history.Figure{Name: "count", Count: true, Read: count.Load})
		ctx, stop := context.WithCancel(t.Context())
		go h.Run(ctx)
		f(h, &level, &count)
		stop()
		synctest.Wait()
	})
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestByTheMinute(t *testing.T) {
	during(t, func(h *history.History, level, count *atomic.Uint64) {
		start := time.Now().Unix()
		level.Store(5)
		pass(25 * time.Second)
		level.Store(9) // for a while only
		count.Add(3)
		pass(10 * time.Second)
		level.Store(2)
		count.Add(4)
		pass(85 * time.Second) // two minutes after the beginning
		count.Add(1)
		d := h.Day()
		if d.Since != start || d.Last != start+120 {
			t.Errorf("since %d, last %d, began %d", d.Since, d.Last, start)
		}
		if got := d.Minutes["level"]; !slices.Equal(got, []uint32{9, 2, 2}) {
			t.Errorf("levels %v", got)
		}
		if got := d.Minutes["count"]; !slices.Equal(got, []uint32{7, 0, 1}) {
			t.Errorf("counts %v", got)
		}
	})
}

func TestADayAndNoMore(t *testing.T) {
	during(t, func(h *history.History, level, count *atomic.Uint64) {
		for n := range 3000 {
			level.Store(uint64(n))
			count.Add(uint64(n))
			pass(time.Minute)
		}
		d := h.Day()
		levels, counts := d.Minutes["level"], d.Minutes["count"]
		if len(levels) != 1440 || len(counts) != 1440 {
			t.Fatalf("%d and %d minutes", len(levels), len(counts))
		}
		for i := range 1439 {
			if levels[i] != uint32(3000-1439+i) && levels[i] != uint32(3000-1440+i) {
				t.Fatalf("level %d is %d", i, levels[i])
			}
			if counts[i+1] > 0 && counts[i+1] < counts[i] {
				t.Fatalf("count %d is %d after %d", i+1, counts[i+1], counts[i])
			}
		}
	})
}

// A machine that slept has no figures of that time, and none of before the day.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := history.New(history.Figure{Name: "level", Read: func() uint64 { return 7 }})
		h.Day()
		time.Sleep(10 * time.Minute)
		if got := h.Day().Minutes["level"]; !slices.Equal(got, []uint32{7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}) {
			t.Errorf("%v", got)
		}
		time.Sleep(50 * time.Hour)
		got := h.Day().Minutes["level"]
		if i := slices.Index(got, 7); len(got) != 1440 || i != 1439 {
			t.Errorf("%d minutes, the first that is known is %d", len(got), i)
		}
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v atomic.Uint64
		h := history.New(history.Figure{Name: "level", Read: v.Load}, history.Figure{Name: "count", Count: true, Read: v.Load})
		v.Store(math.MaxUint64)
		d := h.Day()
		v.Store(3) // a count that began anew
		e := h.Day()
		if d.Minutes["level"][0] != math.MaxUint32 || d.Minutes["count"][0] != math.MaxUint32 || e.Minutes["count"][0] != math.MaxUint32 {
			t.Errorf("%v, then %v", d.Minutes, e.Minutes)
		}
	})
}
