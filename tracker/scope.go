package tracker

import "net/netip"

// scope is how far an address is known. One is of use to those whose own is of the same scope or a narrower one: a peer
// within a network is not to be told of outside.
type scope uint8

const (
	everywhere scope = iota
	network
	machine
)

func (a addr4) scope() scope {
	switch a.ip[0] {
	case 127:
		return machine
	case 10:
		return network
	case 172:
		if a.ip[1]&0xf0 == 16 {
			return network
		}
	case 192:
		if a.ip[1] == 168 {
			return network
		}
	case 169:
		if a.ip[1] == 254 {
			return network
		}
	}
	return everywhere
}

func (a addr6) scope() scope {
	switch ip := netip.AddrFrom16(a.ip); {
	case ip.IsLoopback():
		return machine
	case ip.IsPrivate(), ip.IsLinkLocalUnicast():
		return network
	}
	return everywhere
}
