package tracker

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
)

// AddrAnnounce is the word about one swarm of a peer that others connect to, by TCP or uTP.
type AddrAnnounce struct {
	InfoHash InfoHash
	PeerID   PeerID
	// Addr is where it listens. One with port 0 cannot be reached: it is told of others, and not recorded.
	Addr netip.AddrPort
	// Key is some bits of KeyOf a secret of the peer's, by which it proves who it is when its address changes; 0: none. By
	// UDP a secret has 32 bits (BEP 15); fewer somebody could try out.
	Key   uint32
	Event Event
	Left  Left
	// Want is the most peers to choose, at most MaxWant.
	Want int
}

// KeyOf is what is kept of a secret: the same on all machines of a cluster, and after a restart.
func KeyOf[T string | []byte](secret T) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(secret) {
		h = (h ^ uint64(secret[i])) * 1099511628211
	}
	return h ^ h>>32
}

// AddrPeer is a peer that was chosen for another one.
type AddrPeer = Peer[netip.AddrPort]

// addr4 and addr6 are what is kept of an address: no pointers, unlike netip's.
type addr4 struct {
	ip   [4]byte
	port uint16
	key  uint32
}

type addr6 struct {
	ip   [16]byte
	port uint16
	key  uint32
}

type address[K any] interface {
	comparable
	// owner says whether another address is of the same peer: from the same host, or with the same key.
	owner(K) bool
	addr() netip.Addr
	appendIP([]byte) []byte
	addrPort() netip.AddrPort
	secret() uint32
	scope() scope
}

func (a addr4) owner(b addr4) bool       { return a.ip == b.ip || a.key != 0 && a.key == b.key }
func (a addr4) addr() netip.Addr         { return netip.AddrFrom4(a.ip) }
func (a addr4) appendIP(b []byte) []byte { return append(b, a.ip[:]...) }
func (a addr4) addrPort() netip.AddrPort { return netip.AddrPortFrom(a.addr(), a.port) }
func (a addr4) secret() uint32           { return a.key }
func (a addr6) owner(b addr6) bool       { return a.ip == b.ip || a.key != 0 && a.key == b.key }
func (a addr6) addr() netip.Addr         { return netip.AddrFrom16(a.ip) }
func (a addr6) appendIP(b []byte) []byte { return append(b, a.ip[:]...) }
func (a addr6) addrPort() netip.AddrPort { return netip.AddrPortFrom(a.addr(), a.port) }
func (a addr6) secret() uint32           { return a.key }

// AnnounceAddr records what a peer says and appends peers of the same address family to picks. The peer itself is
// counted. The error is ErrFull, ErrTooMany or ErrDenied.
//
// Nobody can take a peer_id from its owner, nor keep the owner out: whoever announces one that is in use at another
// address, and does not have its key, is recorded beside it. So one without a key that moves is counted twice until what is
// known of its old address expires, as where peers are known by their addresses alone: all of a swarm know its peer_id.
func (s *Store[C]) AnnounceAddr(a *AddrAnnounce, picks []AddrPeer) (Counts, []AddrPeer, error) {
	t := told{picks: picks}
	counts, err := s.announceAddr(a, &t)
	return counts, t.picks, err
}

func (s *Store[C]) announceAddr(a *AddrAnnounce, t *told) (Counts, error) {
	ip, port := a.Addr.Addr().Unmap(), a.Addr.Port()
	if ip.Is4() {
		return announceAddr(s, a, four, addr4{ip.As4(), port, a.Key}, (*swarm[C]).ipv4, t)
	}
	return announceAddr(s, a, six, addr6{ip.As16(), port, a.Key}, (*swarm[C]).ipv6, t)
}

func announceAddr[C comparable, K address[K]](s *Store[C], a *AddrAnnounce, in kind, contact K, of func(*swarm[C]) **group[K], t *told) (Counts, error) {
	if !s.allowed(a.InfoHash) {
		return Counts{}, ErrDenied
	}
	var from Place
	if s.options.Place != nil {
		from = s.options.Place(contact.addr())
	}
	now := s.now()
	sh := s.shard(a.InfoHash)
	sh.mu.Lock()
	defer sh.mu.Unlock()

	w := sh.swarms[a.InfoHash]
	var g *group[K]
	if w != nil {
		g = *of(w)
	}
	id := a.PeerID
	i := g.find(id)
	if i >= 0 && !g.peers[i].contact.owner(contact) {
		id = s.beside(id, contact.addr())
		i = g.find(id)
	}
	is := leecher
	switch {
	case a.Event == Stopped:
		if i >= 0 {
			s.quota.leave(g.peers[i].contact.addr())
			remove(s, w, g, in, i)
			s.drop(sh, a.InfoHash, w)
		}
		return w.counts(), nil
	case a.Addr.Port() == 0: // nobody can reach it: it is told of others, and not counted
		if a.Left == Nothing {
			is = seeder
		}
	default:
		if i >= 0 {
			if was := g.peers[i].contact.addr(); was != contact.addr() {
				s.quota.leave(was)
				s.quota.move(contact.addr())
			}
		} else {
			if s.full() {
				return w.counts(), ErrFull
			}
			if !s.quota.enter(contact.addr()) {
				return w.counts(), ErrTooMany
			}
			if w == nil {
				w = s.make(sh, a.InfoHash)
			}
			if g = *of(w); g == nil {
				g = new(group[K])
				*of(w) = g
			}
			s.peers[in].Add(1)
		}
		i = place(w, g, in, i, record[K]{id, contact, now}, a.Left, a.Event)
		g.locate(i, from)
		is = g.standing(i)
	}
	var room [MaxWant]int32
	want := min(a.Want, MaxWant)
	places := g.choose(i, is, from, want, room[:0])
	if is == seeder && len(places) == 0 && g != nil {
		places = g.draw(i, 0, g.seeders, min(want, maybeLeecher), places)
	}
	tell(t, g, contact.scope(), places)
	return w.counts(), nil
}

// maybeLeecher is how many seeders one hears of that calls itself a seeder where nobody lacks anything. Some do so while
// they have but a magnet, as aria2 does: they could not begin otherwise.
const maybeLeecher = 8

// beside is the peer_id under which one is recorded whose own is in use at another address.
func (s *Store[C]) beside(id PeerID, a netip.Addr) PeerID {
	b := a.As16()
	binary.LittleEndian.PutUint64(id[12:], maphash.Bytes(s.seed, append(b[:], id[:]...)))
	return id
}
