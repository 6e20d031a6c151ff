//go:build !linux

package ws

import "net"

// Other systems have no event loop: stream carries all sockets.
type (
	loops  struct{}
	polled struct{}
)

func (*loops) adopt(*socket, net.Conn) bool { return false }
func (*loops) close()                       {}
