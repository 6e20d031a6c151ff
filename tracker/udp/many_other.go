//go:build !linux

package udp

import "net"

func (h *Handler) serveMany(c *net.UDPConn) error {
	return h.serve(c.ReadFromUDPAddrPort, c.WriteToUDPAddrPort)
}
