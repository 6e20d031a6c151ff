package load

import "time"

// plan is when announces are due: number i at began + i/rate, until there were so many.
type plan struct {
	began time.Duration // since the start
	rate  float64
	total int
	// until is when announces are given up that were not made in time.
	until time.Duration
}

func (r *run) plan() plan {
	began := r.since()
	return plan{began, r.Rate, int(r.Rate * r.Duration.Seconds()), began + 2*r.Duration + time.Second}
}

func (p *plan) due(i int) time.Duration {
	return p.began + time.Duration(float64(i)/p.rate*float64(time.Second))
}

// every is how often to look for what is due, for one of so many that share the work: at most a millisecond, and not so
// often that looking is all there is to do.
func (p *plan) every(sharing int) time.Duration {
	return min(max(time.Duration(float64(sharing)/p.rate*float64(time.Second)), 50*time.Microsecond), time.Millisecond)
}
