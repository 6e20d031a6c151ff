package httpd

import (
	"fmt"
	"net"
	"slices"
)

// off is where UDP is not answered.
const off = "off"

// udpAddrs are where flags have the tracker listen by itself.
func (s *Server) udpAddrs() []string {
	return slices.DeleteFunc(slices.Clone(s.config.UDPTracker), func(v string) bool { return v == off || s.relay != nil && s.ownPort(v) })
}

func (s *Server) ownPort(addr string) bool {
	_, port, _ := net.SplitHostPort(addr)
	return port == fmt.Sprint(s.listener.Addr().(*net.TCPAddr).Port)
}

// sharesUDP says whether the relay's socket is the tracker's too.
func (s *Server) sharesUDP() bool {
	return s.relay != nil && slices.ContainsFunc(s.config.UDPTracker, s.ownPort)
}

func (t *trackers) closeUDP() {
	for _, c := range t.conns {
		_ = c.Close()
	}
}

// byUDP ends the sentence that tells how to announce.
func (s *Server) byUDP() string {
	if len(s.trackers.conns) == 0 {
		return ""
	}
	return ", or by UDP"
}
