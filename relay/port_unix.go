//go:build unix

package relay

import (
	"errors"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharesPorts says whether several sockets on one port each get a part of what arrives.
const sharesPorts = runtime.GOOS == "linux"

func sharePort(_, _ string, c syscall.RawConn) error {
	if !sharesPorts {
		return nil
	}
	var err error
	if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); e != nil {
		return e
	}
	return err
}

// noFamily says that the system does without IPv6.
func noFamily(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}
