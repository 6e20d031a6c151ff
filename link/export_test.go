package link

import "time"

// Hurried is a host whose times are a hundredth of the usual ones.
func Hurried(o Options) (*Host, error) {
	l := usual
	for _, d := range []*time.Duration{
		&l.answerWithin, &l.freshFor, &l.overdue, &l.bringsWithin, &l.openWithin, &l.lateAfter, &l.extendedWithin, &l.helloWithin,
		&l.meetWithin, &l.recoversWithin, &l.spareAfter, &l.idleFor, &l.retryAfter, &l.retrySoon, &l.keepEvery,
	} {
		*d /= 100
	}
	return newHost(o, l)
}

// Sparing is a host whose links may make room for others as soon as they carry nothing.
func Sparing(o Options) (*Host, error) {
	l := usual
	l.spareAfter = 0
	return newHost(o, l)
}

// Impatient is a host that waits for no link to open.
func Impatient(o Options) (*Host, error) {
	l := usual
	l.lateAfter, l.extendedWithin = 0, 50*time.Millisecond
	return newHost(o, l)
}

// RetryAfter is the usual one.
var RetryAfter = usual.retryAfter
