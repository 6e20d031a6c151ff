package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// precision is how many equal parts each doubling has: times are kept to within 1 %.
const precision = 128

// histogram counts durations, by nanoseconds in buckets that grow with them. For concurrent use; zero is empty.
type histogram struct {
	buckets [58 * precision]atomic.Uint64
	count   atomic.Uint64
	longest atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	d = max(0, d)
	h.buckets[bucket(uint64(d))].Add(1)
	h.count.Add(1)
	for {
		longest := h.longest.Load()
		if int64(d) <= longest || h.longest.CompareAndSwap(longest, int64(d)) {
			return
		}
	}
}

// Below precision a bucket is a nanosecond; from there on each doubling has precision of them.
func bucket(v uint64) int {
	if v < precision {
		return int(v)
	}
	shift := bits.Len64(v) - bits.Len64(precision)
	return shift*precision + int(v>>shift)
}

// upper is the longest duration that a bucket counts.
func upper(bucket int) time.Duration {
	if bucket < 2*precision {
		return time.Duration(bucket)
	}
	shift := bucket/precision - 1
	return time.Duration((uint64(bucket-shift*precision)+1)<<shift - 1)
}

// quantile is the duration that this share is not above; 0 of nothing.
func (h *histogram) quantile(share float64) time.Duration {
	rank := uint64(share*float64(h.count.Load()) + 0.999999)
	var seen uint64
	for i := range h.buckets {
		if seen += h.buckets[i].Load(); seen >= rank && seen > 0 {
			return min(upper(i), time.Duration(h.longest.Load()))
		}
	}
	return 0
}
