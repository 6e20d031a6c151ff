package tracker

import (
	"math/rand/v2"
	"time"
)

// Spread is the interval that a peer is told, in seconds: up to a tenth more or less than this, so that those who came at
// once do not all come back at once.
func Spread(interval time.Duration) int64 {
	if spread := int64(interval / 5); spread > 0 {
		interval += time.Duration(rand.Int64N(spread) - spread/2)
	}
	return max(1, int64(interval.Round(time.Second)/time.Second))
}
