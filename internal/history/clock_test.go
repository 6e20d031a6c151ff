package history

import (
	"slices"
	"testing"
	"time"
)

// Machines learn the time when they have been up for a while. What was remembered before was then, and not in the future.
func TestTheClockIsSetBack(t *testing.T) {
	level := uint64(5)
	h := New(Figure{Name: "level", Read: func() uint64 { return level }})
	now := h.since
	h.now = func() time.Time { return now }
	h.Day()
	now = now.Add(time.Minute)
	level = 6
	h.Day()
	const back = 8 * time.Hour
	now = now.Add(-back)
	level = 3
	h.Day()
	now = now.Add(time.Minute)
	level = 2
	d := h.Day()
	if d.Last != now.Unix()/60*60 || d.Since != h.since.Add(-back).Unix() {
		t.Errorf("since %d, last %d, now %d", d.Since, d.Last, now.Unix())
	}
	if got := d.Minutes["level"]; !slices.Equal(got, []uint32{5, 6, 2}) {
		t.Errorf("levels %v", got)
	}
}
