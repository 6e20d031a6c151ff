package tracker

import (
	"net/netip"
	"slices"
	"time"
)

// Handed is one swarm as a store gives it to another store, when the machine that looks after it is to be another.
type Handed[C comparable] struct {
	InfoHash   InfoHash
	Downloaded int
	Web        []HandedPeer[C]
	Addr       []HandedPeer[HandedAddr]
}

// HandedPeer is one of its peers. Age is the time since its last announce.
type HandedPeer[K comparable] struct {
	ID      PeerID
	Contact K
	Seeder  bool
	Age     time.Duration
	// Place is that of a peer on a connection. Where addresses are, the store asks that they are given to.
	Place Place
}

// HandedAddr is what AddrAnnounce says about where a peer is.
type HandedAddr struct {
	Addr netip.AddrPort
	Key  uint32
}

// CountsOf appends the counts of several swarms, as Counts has them.
func (s *Store[C]) CountsOf(hashes []InfoHash, to []Counts) []Counts {
	for _, h := range hashes {
		to = append(to, s.Counts(h))
	}
	return to
}

// Each calls f for the swarms there are; some may come and go meanwhile. No lock is held while f runs.
func (s *Store[C]) Each(f func(InfoHash)) {
	var hashes []InfoHash
	for i := range s.shards {
		sh := &s.shards[i]
		hashes = hashes[:0]
		sh.mu.Lock()
		for h := range sh.swarms {
			hashes = append(hashes, h)
		}
		sh.mu.Unlock()
		for _, h := range hashes {
			f(h)
		}
	}
}

// RemoveWhere forgets the peers whose contacts are gone, in all swarms, and returns how many they were. The function is
// called under a lock and must be quick.
func (s *Store[C]) RemoveWhere(gone func(C) bool) (n int) {
	for i := range s.shards {
		n += s.removeWhere(&s.shards[i], gone)
	}
	return n
}

func (s *Store[C]) removeWhere(sh *shard[C], gone func(C) bool) (n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for h, w := range sh.swarms {
		for i := w.web.len() - 1; i >= 0; i-- {
			// What remove moves into place i comes from behind it, where all have been looked at.
			if gone(w.web.peers[i].contact) {
				remove(s, w, w.web, web, i)
				n++
			}
		}
		s.drop(sh, h, w)
	}
	return n
}

// Take removes a swarm and returns it; false when there is none.
func (s *Store[C]) Take(h InfoHash) (given Handed[C], ok bool) {
	now := s.now()
	sh := s.shard(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	w := sh.swarms[h]
	if w == nil {
		return given, false
	}
	given = Handed[C]{InfoHash: h, Downloaded: int(w.downloaded)}
	age := func(seen tick) time.Duration { return time.Duration(now-seen) * (time.Second / 10) }
	for i := w.web.len() - 1; i >= 0; i-- {
		p := w.web.peers[i]
		given.Web = append(given.Web, HandedPeer[C]{p.id, p.contact, i < w.web.seeders, age(p.seen), w.web.located(i)})
		remove(s, w, w.web, web, i)
	}
	given.Addr = takeAddrs(s, w, w.four, four, age, given.Addr)
	given.Addr = takeAddrs(s, w, w.six, six, age, given.Addr)
	s.drop(sh, h, w)
	return given, true
}

func takeAddrs[C comparable, K address[K]](s *Store[C], w *swarm[C], g *group[K], in kind, age func(tick) time.Duration, to []HandedPeer[HandedAddr]) []HandedPeer[HandedAddr] {
	to = slices.Grow(to, g.len())
	for i := g.len() - 1; i >= 0; i-- {
		p := g.peers[i]
		to = append(to, HandedPeer[HandedAddr]{ID: p.id, Contact: HandedAddr{p.contact.addrPort(), p.contact.secret()}, Seeder: i < g.seeders, Age: age(p.seen)})
		s.quota.leave(p.contact.addr())
		remove(s, w, g, in, i)
	}
	return to
}

// Give records what another store has given. Who has announced here meanwhile stays as it is; who is older than Expiry,
// or does not fit within MaxPeers, is left out.
func (s *Store[C]) Give(given *Handed[C]) {
	if !s.allowed(given.InfoHash) {
		return
	}
	places := s.placesOf(given.Addr) // there may be many, so not under the lock
	now := s.now()
	sh := s.shard(given.InfoHash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	w := sh.swarms[given.InfoHash]
	if w == nil {
		w = s.make(sh, given.InfoHash)
	}
	for _, p := range given.Web {
		if p.Age < s.options.Expiry {
			give(s, w, &w.web, web, record[C]{id: p.ID, contact: p.Contact, seen: now - min(now, ticks(p.Age))}, p.Seeder, p.Place)
		}
	}
	for i, p := range given.Addr {
		ip, port, seen := p.Contact.Addr.Addr().Unmap(), p.Contact.Addr.Port(), now-min(now, ticks(p.Age))
		fits := false
		switch {
		case p.Age >= s.options.AddrExpiry:
		case ip.Is4():
			fits = give(s, w, &w.four, four, record[addr4]{id: p.ID, contact: addr4{ip.As4(), port, p.Contact.Key}, seen: seen}, p.Seeder, places[i])
		case ip.Is6():
			fits = give(s, w, &w.six, six, record[addr6]{id: p.ID, contact: addr6{ip.As16(), port, p.Contact.Key}, seen: seen}, p.Seeder, places[i])
		}
		if fits {
			s.quota.move(ip)
		}
	}
	w.downloaded = max(w.downloaded, int32(given.Downloaded))
	s.drop(sh, given.InfoHash, w)
}

func give[C, K comparable](s *Store[C], w *swarm[C], g **group[K], in kind, r record[K], seeds bool, at Place) bool {
	if (*g).find(r.id) >= 0 || s.full() {
		return false
	}
	if *g == nil {
		*g = new(group[K])
	}
	s.peers[in].Add(1)
	left := Some
	if seeds {
		left = Nothing
	}
	(*g).locate(place(w, *g, in, -1, r, left, None), at)
	return true
}

func (s *Store[C]) placesOf(peers []HandedPeer[HandedAddr]) []Place {
	places := make([]Place, len(peers))
	if s.options.Place != nil {
		for i := range peers {
			places[i] = s.options.Place(peers[i].Contact.Addr.Addr().Unmap())
		}
	}
	return places
}
