package relay

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/starling-p2p/starling/internal/outward"
)

// family is 4 or 6.
type family uint8

const (
	v4 family = 4
	v6 family = 6
)

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return v4
	}
	return v6
}

// interfacesFor is how long this machine's own addresses are taken to be what they were.
const interfacesFor = time.Minute

// never are relayed to by anybody. Loopback is not among them, for a relay may itself be there.
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", // this network, link-local, multicast, reserved and broadcast
	"::/128", "fe80::/10", "ff00::/8", // unspecified, link-local, multicast
	"::/96", "2001::/32", "64:ff9b:1::/48", // IPv4-compatible, Teredo, local NAT64: IPv4 addresses in disguise
	"168.63.129.16/32", // which only machines within Azure reach: it resolves their private names
)

// within are networks of one's own.
var within = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", // private, and a carrier's
	"192.0.0.0/24", "198.18.0.0/15", // a carrier's, and for measurements
	"fc00::/7", "fec0::/10", // private, and what they were before
)

// embedded are networks of IPv6 whose addresses stand for IPv4 addresses, which begin at this byte.
var embedded = map[netip.Prefix]int{
	netip.MustParsePrefix("64:ff9b::/96"): 12, // NAT64, RFC 6052
	netip.MustParsePrefix("2002::/16"):    2,  // 6to4, RFC 3056
}

func prefixes(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func contains(all []netip.Prefix, a netip.Addr) bool {
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// plain removes what hides an IPv4 address.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	for p, at := range embedded {
		if p.Contains(a) {
			b := a.As16()
			a = netip.AddrFrom4([4]byte(b[at : at+4]))
		}
	}
	return a
}

// places are where others see what is relayed. A machine that is just starting may not have its address yet, and it may
// come to have another one.
type places struct {
	find func() map[family]netip.Addr

	mu     sync.Mutex
	all    map[family]netip.Addr
	looked time.Time
}

func (p *places) now() map[family]netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.all == nil || now.Sub(p.looked) > interfacesFor {
		p.all, p.looked = p.find(), now
	}
	return p.all
}

// peers decides where datagrams may go.
type peers struct {
	private  bool // networks of one's own too
	loopback bool // the relay itself is there

	mu     sync.Mutex
	own    map[netip.Addr]bool
	looked time.Time
}

// allows says whether datagrams may go to an address from what is relayed at another one. To that itself they may, though
// only to what is relayed for somebody else: see relayed.WriteTo.
func (p *peers) allows(a, from netip.Addr) bool {
	a = a.Unmap()
	if a.IsValid() && a == from {
		return true
	}
	a = plain(a)
	switch {
	case !a.IsValid() || contains(never, a) && !a.IsLoopback():
		return false
	case a.IsLoopback():
		return p.private && p.loopback
	}
	return p.private || !contains(within, a) && !p.here(a)
}

// here says whether an address is this machine's.
func (p *peers) here(a netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.own == nil || now.Sub(p.looked) > interfacesFor {
		p.looked, p.own = now, map[netip.Addr]bool{}
		all, _ := net.InterfaceAddrs() // which a service may be kept from asking, by systemd for one
		for _, one := range all {
			if n, ok := one.(*net.IPNet); ok {
				if a, ok := netip.AddrFromSlice(n.IP); ok {
					p.own[a.Unmap()] = true
				}
			}
		}
		reaching, _ := outward.Addresses()
		for _, a := range reaching {
			p.own[a] = true
		}
	}
	return p.own[a]
}

// publicAddresses are those at which a relay is reached, as far as this machine knows.
func publicAddresses(o Options) map[family]netip.Addr {
	all := map[family]netip.Addr{}
	if bound := o.Addr.Addr().Unmap(); !bound.IsUnspecified() {
		all[familyOf(bound)] = bound.WithZone("")
	} else {
		all[v4] = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		interfaces, _ := net.InterfaceAddrs() // there may be none
		for _, i := range interfaces {
			n, ok := i.(*net.IPNet)
			if !ok {
				continue
			}
			a, _ := netip.AddrFromSlice(n.IP)
			if a = a.Unmap(); a.IsGlobalUnicast() && (!all[familyOf(a)].IsValid() || all[familyOf(a)].IsLoopback()) {
				all[familyOf(a)] = a
			}
		}
		reaching, _ := outward.Addresses()
		for _, a := range reaching {
			all[familyOf(a)] = a
		}
	}
	for _, a := range o.Public {
		if a = a.Unmap(); o.Addr.Addr().IsUnspecified() || all[familyOf(a)].IsValid() {
			all[familyOf(a)] = a
		}
	}
	return all
}

// Reachable says whether an address is one that anybody on the internet may send to.
func Reachable(a netip.Addr) bool {
	a = plain(a)
	return a.IsValid() && !a.IsLoopback() && !contains(never, a) && !contains(within, a)
}
