//go:build linux || darwin

package peer

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// hold takes a folder for this peer alone, until it is closed or the process ends. Errors: ErrBusy.
func hold(root *os.Root) (*os.File, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		_ = dir.Close()
		return nil, ErrBusy
	}
	return dir, nil // a file system that has no locks does without
}
