//go:build !linux

package udp

import "net"

func apart(c *net.UDPConn) (net.PacketConn, error) { return c, nil }
