package relay

import "sync/atomic"

// Stats are what a relay has done since it began, and what it does now.
type Stats struct {
	Allocations, Streams int    // now
	ToPeers, ToClients   uint64 // bytes of payload
	Refused              Refused
}

// Refused counts what was not done, by its cause.
type Refused struct {
	Credentials uint64 // requests with credentials that are wrong or have ended
	Quota       uint64 // allocations, peers, channels and connections beyond what one may have
	Peer        uint64 // requests for and datagrams to addresses that nothing is relayed to
	Rate        uint64 // datagrams beyond the bytes per second
	Flood       uint64 // messages of strangers who sent too many
	Malformed   uint64 // what is no message at all
}

type counts struct {
	toPeers, toClients                               atomic.Uint64
	credentials, quota, peer, rate, flood, malformed atomic.Uint64
}

// Stats may be asked for at any time.
func (r *Relay) Stats() Stats {
	c := &r.counts
	r.streams.mu.Lock()
	streams := len(r.streams.conns)
	r.streams.mu.Unlock()
	return Stats{
		Allocations: r.book.size(), Streams: streams, ToPeers: c.toPeers.Load(), ToClients: c.toClients.Load(),
		Refused: Refused{
			Credentials: c.credentials.Load(), Quota: c.quota.Load(), Peer: c.peer.Load(),
			Rate: c.rate.Load(), Flood: c.flood.Load(), Malformed: c.malformed.Load(),
		},
	}
}
