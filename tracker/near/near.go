// Package near tells where an address is, so that a tracker can tell peers of those nearby.
//
//	address ──► Finder ◄── GeoIP database (mmdb), read again when it changes
//	   │           └─► │ continent │ country │ network or region │ /16, IPv6 /32 │
//	   └──► ByPrefix ──► │ /12, IPv6 /24 │ /16, /32 │ /20, /40 │ /24, /48 │
//
// A tracker.Place is four bytes, from the widest to the narrowest, and each of these is one: a code or a hash. Two
// countries may have one byte in common by chance; then some peers are taken to be nearer than they are, and nothing
// else happens.
package near

import (
	"net/netip"

	"github.com/starling-p2p/starling/tracker"
)

// ByPrefix tells by the address alone. Addresses that begin alike often belong to one provider in one region.
func ByPrefix(a netip.Addr) tracker.Place {
	a = a.Unmap()
	if a.Is4() {
		return place(max(1, of(a, 12)), of(a, 16), of(a, 20), of(a, 24))
	}
	return place(max(1, of(a, 24)), of(a, 32), of(a, 40), of(a, 48))
}

func place(widest, second, third, narrowest byte) tracker.Place {
	return tracker.Place(widest)<<24 | tracker.Place(second)<<16 | tracker.Place(third)<<8 | tracker.Place(narrowest)
}

// of is a hash of how an address begins; 0 of none.
func of(a netip.Addr, bits int) byte {
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return 0
	}
	b := p.Addr().As16()
	return hash(b[:])
}

// hash is FNV-1a, folded: the same on all machines of a cluster.
func hash[T string | []byte](text T) byte {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	h ^= h >> 16
	return byte(h ^ h>>8)
}
