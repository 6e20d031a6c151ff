package udp

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// sharesPort: Linux spreads packets over the sockets of a port by their source.
const sharesPort = true

func sharePort(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
