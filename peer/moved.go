package peer

import (
	"net/netip"
	"slices"

	"github.com/starling-p2p/starling/link"
)

// lookEvery is how many ticks are between two looks at this machine's addresses. No call of the system that all have says
// that they changed, and a look costs less than a packet.
const lookEvery = 3

// whereabouts are where this machine was at the last look.
type whereabouts struct {
	addresses func() ([]netip.Addr, error)
	at        []netip.Addr
}

func newWhereabouts(addresses func() ([]netip.Addr, error)) *whereabouts {
	if addresses == nil {
		addresses = link.Addresses
	}
	at, _ := addresses()
	return &whereabouts{addresses, at}
}

// look returns the addresses that have come and gone since the last one.
func (w *whereabouts) look() (come, gone []netip.Addr) {
	now, err := w.addresses()
	if err != nil {
		return nil, nil
	}
	before := w.at
	w.at = now
	return missing(now, before), missing(before, now)
}

func missing(some, others []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(some), func(ip netip.Addr) bool { return slices.Contains(others, ip) })
}

// moved tells all who meet others by an address of this machine. Where one is gone and none has come there is nobody who
// could hear of it yet.
func (f *finders) moved(come, gone []netip.Addr) {
	if len(come)+len(gone) == 0 {
		return
	}
	if f.host != nil {
		f.host.Moved(gone)
		f.rendezvous.Moved(gone)
	}
	f.p.ways.close() // what is idle there may be dead
	if !slices.ContainsFunc(come, func(ip netip.Addr) bool { return !ip.IsLoopback() }) {
		return
	}
	if f.mapper != nil {
		f.mapper.again()
	}
	f.announcer.moved()
	if f.dht != nil {
		f.dht.moved()
	}
	if f.lsd != nil {
		f.lsd.moved()
	}
}
