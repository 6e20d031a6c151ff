package gate

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/starling-p2p/starling/tracker"
)

// cells is how many clocks each of a limiter's two rows has: one megabyte in all.
const cells = 1 << 16

// Limiter bounds how often the addresses of one network may ask, without an entry for each: whoever floods it from
// millions of addresses gets no memory for that. Every network has two clocks, one in each row, which it shares with
// a few others that a random seed picks. A request sets both forward by one request's time, and is refused when both
// are ahead of the present by more than a burst. So a flood from one network delays only those who share both of its
// clocks: one in four billion.
type Limiter struct {
	each, burst time.Duration
	start       time.Time
	seed        maphash.Seed
	clocks      [2][cells]atomic.Int64 // nanoseconds since start
}

// NewLimiter lets every network ask that often per second, and ten times as often at once; 0: as often as it likes.
func NewLimiter(perSecond int) *Limiter {
	if perSecond <= 0 {
		return nil
	}
	each := time.Second / time.Duration(perSecond)
	return &Limiter{each: each, burst: time.Duration(10*perSecond) * each, start: time.Now(), seed: maphash.MakeSeed()}
}

// Allow says whether an address may ask now. This machine itself always may. Safe for concurrent use, also on nil.
func (l *Limiter) Allow(a netip.Addr) bool {
	if l == nil || a.IsLoopback() {
		return true
	}
	b := tracker.Network(a).Addr().As16()
	h := maphash.Bytes(l.seed, b[:])
	now := int64(time.Since(l.start))
	first := l.tick(&l.clocks[0][h%cells], now)
	second := l.tick(&l.clocks[1][h>>32%cells], now)
	return first || second
}

// tick sets a clock forward, unless that is too far ahead.
func (l *Limiter) tick(clock *atomic.Int64, now int64) bool {
	for {
		was := clock.Load()
		next := max(was, now) + int64(l.each)
		if next-now > int64(l.burst) {
			return false
		}
		if clock.CompareAndSwap(was, next) {
			return true
		}
	}
}
