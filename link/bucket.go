package link

import "time"

// bucket is a token bucket: it allows size at once and rate per second.
type bucket struct {
	size, rate, level float64
	at                time.Time
}

func newBucket(size, rate float64) bucket {
	return bucket{size: size, rate: rate, level: size, at: time.Now()}
}

// take takes cost, if it is there.
func (b *bucket) take(cost int) bool {
	now := time.Now()
	b.level = min(b.size, b.level+now.Sub(b.at).Seconds()*b.rate)
	b.at = now
	if b.level < float64(cost) {
		return false
	}
	b.level -= float64(cost)
	return true
}
