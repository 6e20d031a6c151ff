// Package history remembers figures by the minute for a day, in memory that does not grow: a ring of 1,440 columns.
//
//	figures ── read every ten seconds ──► │ 14:03 │ 14:04 │ 14:05 │ … ──► Day: the columns, oldest first
//	             a level: the highest of the minute; a count: by how much it grew
package history

import (
	"context"
	"math"
	"sync"
	"time"
)

// minutes is how many are kept.
const minutes = 24 * 60

// readEvery is how often figures are read: often enough to see a crowd that comes and goes within a minute.
const readEvery = 10 * time.Second

// Figure is one that is remembered. Read must be quick and safe for concurrent use.
type Figure struct {
	Name string
	// Count: it only grows. Otherwise it is a level, which goes up and down.
	Count bool
	Read  func() uint64
}

type column struct {
	Figure
	was  uint64 // a count, when it was last read
	ring [minutes]uint32
}

// History is safe for concurrent use.
type History struct {
	since time.Time
	now   func() time.Time

	mu      sync.Mutex
	columns []column
	minute  int64 // that is being filled, since 1970
	ahead   int64 // minutes by which all that is remembered was ahead of the clock as it is set now
}

// New begins with figures as they are now.
func New(figures ...Figure) *History {
	now := time.Now()
	h := &History{since: now, now: time.Now, minute: now.Unix() / 60, columns: make([]column, len(figures))}
	for i, f := range figures {
		h.columns[i].Figure = f
		if f.Count {
			h.columns[i].was = f.Read()
		}
	}
	return h
}

// Run reads the figures until the context ends.
func (h *History) Run(ctx context.Context) {
	t := time.NewTicker(readEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			h.mu.Lock()
			h.read()
			h.mu.Unlock()
		}
	}
}

// read takes the figures into the present minute. The lock is held.
func (h *History) read() {
	now := h.now().Unix()/60 + h.ahead
	if now < h.minute { // the clock was set back: the minute that there is goes on
		h.ahead += h.minute - now
		now = h.minute
	}
	for m := max(h.minute+1, now-minutes+1); m <= now; m++ {
		for i := range h.columns {
			h.columns[i].ring[m%minutes] = 0
		}
	}
	h.minute = now
	for i := range h.columns {
		c := &h.columns[i]
		v, here := c.Read(), &c.ring[h.minute%minutes]
		if c.Count {
			*here = uint32(min(uint64(*here)+v-min(v, c.was), math.MaxUint32))
			c.was = v
		} else {
			*here = max(*here, uint32(min(v, math.MaxUint32)))
		}
	}
}

// Day is what is remembered.
type Day struct {
	// Since is when remembering began, Last the beginning of the last minute, which has not ended: seconds since 1970.
	Since int64 `json:"since"`
	Last  int64 `json:"last"`
	// Minutes has for each figure, by its name, its minutes up to the last, oldest first: as many as there are since
	// Since, and at most 1,440.
	Minutes map[string][]uint32 `json:"minutes"`
}

// Day reads the figures once more.
func (h *History) Day() Day {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.read()
	n := min(h.minute-h.since.Unix()/60+1, minutes)
	d := Day{Since: h.since.Unix() - h.ahead*60, Last: (h.minute - h.ahead) * 60, Minutes: make(map[string][]uint32, len(h.columns))}
	for i := range h.columns {
		c := &h.columns[i]
		values := make([]uint32, 0, n)
		for m := h.minute - n + 1; m <= h.minute; m++ {
			values = append(values, c.ring[m%minutes])
		}
		d.Minutes[c.Name] = values
	}
	return d
}
