package peer

import (
	"math"
	"time"
)

const (
	// speedOver is the time over which speed is measured; what is shorter than speedLeast tells nothing of it.
	speedOver  = 3 * time.Second
	speedLeast = 250 * time.Millisecond
)

// speed is that of the last seconds: what was counted fades as time goes by.
type speed struct {
	bytes       float64
	since, last time.Time
}

func (s *speed) add(n int, now time.Time) {
	s.fade(now)
	if s.bytes < 1 {
		s.since = now
	}
	s.bytes += float64(n)
}

// at is in bytes per second.
func (s *speed) at(now time.Time) float64 {
	s.fade(now)
	if s.bytes < 1 {
		return 0
	}
	over := max(now.Sub(s.since), speedLeast)
	return s.bytes / (1 - math.Exp(-over.Seconds()/speedOver.Seconds())) / speedOver.Seconds()
}

func (s *speed) fade(now time.Time) {
	s.bytes *= math.Exp(-now.Sub(s.last).Seconds() / speedOver.Seconds())
	s.last = now
}
