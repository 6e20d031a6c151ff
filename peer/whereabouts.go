package peer

import (
	"net/netip"
	"slices"
	"time"

	"github.com/starling-p2p/starling/link"
)

// lookEvery is how many ticks are between two looks at this machine's addresses. No call of the system that all have says
// that they changed, and a look costs less than a packet.
const lookEvery = 3

// nap is how long a machine may sleep without anybody taking it for gone.
const nap = time.Minute

// whereabouts are where this machine was at the last look, and when.
type whereabouts struct {
	addresses func() ([]netip.Addr, error)
	wall      func() time.Time
	at        []netip.Addr
	told      time.Time // by the clock on the wall
	looked    time.Time // by that which stands still while the machine sleeps
}

func newWhereabouts(addresses func() ([]netip.Addr, error), wall func() time.Time) *whereabouts {
	if addresses == nil {
		addresses = link.Addresses
	}
	if wall == nil {
		wall = func() time.Time { return time.Now().Round(0) }
	}
	at, _ := addresses()
	return &whereabouts{addresses, wall, at, wall(), time.Now()}
}

// look returns the addresses that have come and gone since the last one: all, where the machine slept meanwhile.
func (w *whereabouts) look() (come, gone []netip.Addr) {
	wall, awake := w.wall(), time.Now()
	slept := wall.Sub(w.told) - awake.Sub(w.looked)
	w.told, w.looked = wall, awake
	now, err := w.addresses()
	if err != nil {
		return nil, nil
	}
	before := w.at
	w.at = now
	if slept > nap {
		return now, before
	}
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
	if f.links != nil {
		f.links.Moved(gone)
		f.rendezvous.Moved(gone)
	}
	f.p.ways.Close() // what is idle there may be dead
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
