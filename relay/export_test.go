package relay

import "net/netip"

// Move has this machine come to have another address, and a while pass.
func (r *Relay) Move(to netip.Addr) {
	r.public.mu.Lock()
	defer r.public.mu.Unlock()
	r.public.find = func() map[family]netip.Addr { return map[family]netip.Addr{familyOf(to): to} }
	r.public.looked = r.public.looked.Add(-2 * interfacesFor)
}

// Here says whether a relay takes an address for this machine's.
func Here(a netip.Addr) bool { return new(peers).here(a) }
