//go:build linux || darwin

package load

import (
	"fmt"
	"syscall"
)

// spare is what the program has open besides its connections.
const spare = 64

// allowFiles lets this process have so many connections; the system's own limit can be raised by root only.
func allowFiles(connections int) error {
	want := uint64(connections) + spare
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur >= want {
		return nil // where it cannot be asked, connecting will tell
	}
	limit.Cur, limit.Max = want, max(limit.Max, want)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("this system allows a process fewer than %d open files (%w): raise that with ulimit -n, or measure with fewer connections", want, err)
	}
	return nil
}
