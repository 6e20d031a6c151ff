package link

import "time"

// Hurried are links whose times are a hundredth of the usual ones.
func Hurried(o Options) (*Links, error) {
	l := usual
	for _, d := range []*time.Duration{
		&l.answerWithin, &l.freshFor, &l.overdue, &l.bringsWithin, &l.openWithin, &l.lateAfter, &l.extendedWithin, &l.helloWithin,
		&l.meetWithin, &l.recoversWithin, &l.spareAfter, &l.idleFor, &l.retryAfter, &l.retrySoon, &l.keepEvery,
	} {
		*d /= 100
	}
	return newLinks(o, l)
}

// Sparing are links that may make room for others as soon as they carry nothing.
func Sparing(o Options) (*Links, error) {
	l := usual
	l.spareAfter = 0
	return newLinks(o, l)
}

// Impatient are links of which none is waited for to open.
func Impatient(o Options) (*Links, error) {
	l := usual
	l.lateAfter, l.extendedWithin = 0, 50*time.Millisecond
	return newLinks(o, l)
}

// RetryAfter is the usual one.
var RetryAfter = usual.retryAfter
