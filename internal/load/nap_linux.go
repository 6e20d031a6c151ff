package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// nap sleeps for so short a time that Go's timers, which count milliseconds, would be late.
func nap(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&t, nil) // woken early, the caller looks again
}
