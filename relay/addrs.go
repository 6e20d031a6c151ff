package relay

import (
	"net"
	"net/netip"
)

const maxAddrs = 1024

// addrs makes a net.Addr of each sender's address once and not for each datagram. What it gives is never changed.
type addrs struct {
	last    netip.AddrPort
	address *net.UDPAddr
	all     map[netip.AddrPort]*net.UDPAddr
}

func (a *addrs) get(of netip.AddrPort) *net.UDPAddr {
	if of == a.last {
		return a.address
	}
	known := a.all[of]
	if known == nil {
		if a.all == nil || len(a.all) >= maxAddrs {
			a.all = map[netip.AddrPort]*net.UDPAddr{}
		}
		known = net.UDPAddrFromAddrPort(of)
		a.all[of] = known
	}
	a.last, a.address = of, known
	return known
}
