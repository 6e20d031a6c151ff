package tracker

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"maps"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// tick is the time since a while before the store was made, in tenths of a second: four bytes that last thirteen years.
type tick uint32

func ticks(d time.Duration) tick { return tick(d / (time.Second / 10)) }

// Options are a store's limits.
type Options struct {
	// Expiry is how long a peer is kept after its last announce: twice the interval. It has no default.
	Expiry time.Duration
	// AddrExpiry is the same for peers at addresses, who announce less often. 0: Expiry.
	AddrExpiry time.Duration
	// MaxPeers is the most peers kept, in all swarms together. 0: 4 million, about 500 MB.
	MaxPeers int
	// MaxOffers is the most outstanding offers kept; then the elder ones make way. 0: 2 million, about 60 MB.
	MaxOffers int
	// MaxPerNetwork is the most peers kept at the addresses of one Network, loopback apart, in all swarms together. 0:
	// 20,000.
	MaxPerNetwork int
	// Allow says whether a swarm may be. It is asked at each announce, and by Sweep for swarms that are there; it must be
	// quick. Nil: all may.
	Allow func(InfoHash) bool
	// Place tells where the address of a peer is, for AnnounceAddr; it must be quick. Nil: nobody knows. The package near
	// has some.
	Place func(netip.Addr) Place
}

const shards = 64

type shard[C comparable] struct {
	mu     sync.Mutex
	swarms map[InfoHash]*swarm[C]
	most   int // swarms there were since the map was made
	offers offers
	_      [64]byte // keeps neighbours' locks off one cache line
}

// Store is safe for use by many goroutines at once.
type Store[C comparable] struct {
	options Options
	start   time.Time
	seed    maphash.Seed
	shards  [shards]shard[C]
	peers   [kinds]atomic.Int64
	swarms  atomic.Int64
	offers  atomic.Int64
	made    atomic.Int64 // offers, since the elder ones last had to make way
	quota   quota
}

// New returns an empty store. Run it, or call Sweep, so that peers expire.
func New[C comparable](o Options) *Store[C] {
	if o.MaxPeers == 0 {
		o.MaxPeers = 4_000_000
	}
	if o.MaxOffers == 0 {
		o.MaxOffers = 2_000_000
	}
	if o.AddrExpiry == 0 {
		o.AddrExpiry = o.Expiry
	}
	if o.MaxPerNetwork == 0 {
		o.MaxPerNetwork = 20_000
	}
	// Peers that come from another store, or a snapshot, were last seen before this one was made.
	start := time.Now().Add(-max(o.Expiry, o.AddrExpiry))
	s := &Store[C]{options: o, start: start, seed: maphash.MakeSeed()}
	s.quota.limit, s.quota.seed = int32(min(o.MaxPerNetwork, math.MaxInt32)), maphash.MakeSeed()
	for i := range s.shards {
		s.shards[i].swarms = make(map[InfoHash]*swarm[C])
	}
	return s
}

func (s *Store[C]) now() tick { return ticks(time.Since(s.start)) }

// An infohash is a hash already: any byte of it spreads the swarms evenly.
func (s *Store[C]) shard(h InfoHash) *shard[C] { return &s.shards[h[19]%shards] }

// OfferID returns what stands for an offer's id in Announce and Answer.
func (s *Store[C]) OfferID(id []byte) OfferID { return OfferID(maphash.Bytes(s.seed, id)) }

// print is one outstanding offer's fingerprint. The seed is random, so nobody can make two that are alike.
func (s *Store[C]) print(h InfoHash, from, to PeerID, offer OfferID) uint64 {
	var b [68]byte
	copy(b[:], h[:])
	copy(b[20:], from[:])
	copy(b[40:], to[:])
	binary.LittleEndian.PutUint64(b[60:], uint64(offer))
	return maphash.Bytes(s.seed, b[:])
}

// Announce records what a peer says that is reached over a connection, and appends the peers chosen for it to picks.
// The peer itself is counted. The error is ErrTaken, ErrFull or ErrDenied.
func (s *Store[C]) Announce(a *Announce[C], picks []Peer[C]) (Counts, []Peer[C], error) {
	if !s.allowed(a.InfoHash) {
		return Counts{}, picks, ErrDenied
	}
	now := s.now()
	sh := s.shard(a.InfoHash)
	sh.mu.Lock()
	defer sh.mu.Unlock()

	w := sh.swarms[a.InfoHash]
	var g *group[C]
	if w != nil {
		g = w.web
	}
	i := g.find(a.PeerID)
	if i >= 0 && g.peers[i].contact != a.Contact && (a.MayReplace == nil || !a.MayReplace(g.peers[i].contact)) {
		return w.counts(), picks, ErrTaken
	}
	if a.Event == Stopped {
		if i >= 0 {
			remove(s, w, g, web, i)
			s.drop(sh, a.InfoHash, w)
		}
		return w.counts(), picks, nil
	}
	if i < 0 {
		if s.full() {
			return w.counts(), picks, ErrFull
		}
		if w == nil {
			w = s.make(sh, a.InfoHash)
		}
		if g = w.web; g == nil {
			g = new(group[C])
			w.web = g
		}
		s.peers[web].Add(1)
	}
	i = place(w, g, web, i, record[C]{a.PeerID, a.Contact, now}, a.Left, a.Event)
	g.locate(i, a.Place)

	want := min(a.Want, MaxWant)
	if a.Offers != nil {
		want = min(want, len(a.Offers))
	}
	first := len(picks)
	var places [32]int32 // no front end asks for more here
	for j, p := range g.choose(i, g.standing(i), a.Place, want, places[:0]) {
		to := &g.peers[p]
		picks = append(picks, Peer[C]{ID: to.id, Contact: to.contact})
		if a.Offers != nil {
			s.offers.Add(int64(sh.offers.put(s.print(a.InfoHash, a.PeerID, to.id, a.Offers[j]), now)))
		}
	}
	if a.Offers != nil {
		s.offered(len(picks) - first)
	}
	return w.counts(), picks, nil
}

// offered counts offers, and has the elder ones make way where there are as many as there may be. Were new ones refused
// instead, a single client that makes them without end would keep all others from meeting.
func (s *Store[C]) offered(n int) {
	half := int64(max(1, s.options.MaxOffers/2))
	made := s.made.Add(int64(n))
	if made >= half && s.offers.Load() >= half && s.made.CompareAndSwap(made, 0) {
		go s.makeWay()
	}
}

func (s *Store[C]) makeWay() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		s.offers.Add(int64(sh.offers.next(s.now())))
		sh.mu.Unlock()
	}
}

func (s *Store[C]) allowed(h InfoHash) bool { return s.options.Allow == nil || s.options.Allow(h) }

func (s *Store[C]) full() bool {
	n := int64(0)
	for i := range s.peers {
		n += s.peers[i].Load()
	}
	return n >= int64(s.options.MaxPeers)
}

// make adds a swarm to a shard.
func (s *Store[C]) make(sh *shard[C], h InfoHash) *swarm[C] {
	w := &swarm[C]{}
	sh.swarms[h] = w
	sh.most = max(sh.most, len(sh.swarms))
	s.swarms.Add(1)
	return w
}

// Answer tells how the maker of an offer is reached, if that offer, from it to the answerer, is outstanding and it is
// still in the swarm. An offer can be answered once.
func (s *Store[C]) Answer(h InfoHash, answerer, maker PeerID, offer OfferID) (contact C, ok bool) {
	now := s.now()
	sh := s.shard(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	outstanding, change := sh.offers.take(s.print(h, maker, answerer, offer), now)
	s.offers.Add(int64(change))
	w := sh.swarms[h]
	if !outstanding || w == nil {
		return contact, false
	}
	i := w.web.find(maker)
	if i < 0 {
		return contact, false
	}
	return w.web.peers[i].contact, true
}

// Remove forgets a peer whose contact is gone, unless it is reachable otherwise by now.
func (s *Store[C]) Remove(h InfoHash, id PeerID, contact C) {
	sh := s.shard(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if w := sh.swarms[h]; w != nil {
		if i := w.web.find(id); i >= 0 && w.web.peers[i].contact == contact {
			remove(s, w, w.web, web, i)
			s.drop(sh, h, w)
		}
	}
}

// Counts returns zeros for a swarm that it does not know.
func (s *Store[C]) Counts(h InfoHash) Counts {
	sh := s.shard(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.swarms[h].counts()
}

func remove[C, K comparable](s *Store[C], w *swarm[C], g *group[K], in kind, i int) {
	id, was := g.peers[i].id, g.standing(i)
	g.remove(i)
	s.left(w, in, id, was)
}

// left is what a peer's end means for the counts.
func (s *Store[C]) left(w *swarm[C], in kind, id PeerID, was standing) {
	w.change(id, in, was, absent)
	s.peers[in].Add(-1)
}

func (s *Store[C]) drop(sh *shard[C], h InfoHash, w *swarm[C]) {
	if w.empty() {
		delete(sh.swarms, h)
		s.swarms.Add(-1)
	}
}

// Sweep forgets the peers that have not announced for as long as Expiry or AddrExpiry, the swarms that are empty then
// or no longer allowed, and offers that nobody answered.
func (s *Store[C]) Sweep() {
	for i := range s.shards {
		s.sweep(&s.shards[i])
	}
}

func (s *Store[C]) sweep(sh *shard[C]) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.now()
	s.offers.Add(int64(sh.offers.turn(now)))
	before := func(expiry time.Duration) tick { return now - min(now, ticks(expiry)) }
	webBefore, addrBefore := before(s.options.Expiry), before(s.options.AddrExpiry)
	for h, w := range sh.swarms {
		webBefore, addrBefore := webBefore, addrBefore
		if !s.allowed(h) {
			webBefore, addrBefore = math.MaxUint32, math.MaxUint32
		}
		w.web.expire(webBefore, func(r *record[C], was standing) { s.left(w, web, r.id, was) })
		w.four.expire(addrBefore, func(r *record[addr4], was standing) {
			s.quota.leave(r.contact.addr())
			s.left(w, four, r.id, was)
		})
		w.six.expire(addrBefore, func(r *record[addr6], was standing) {
			s.quota.leave(r.contact.addr())
			s.left(w, six, r.id, was)
		})
		s.drop(sh, h, w)
	}
	if sh.most > 256 && len(sh.swarms) < sh.most/4 {
		// Maps never shrink, so this one is made anew.
		sh.most = len(sh.swarms)
		swarms := make(map[InfoHash]*swarm[C], sh.most)
		maps.Copy(swarms, sh.swarms)
		sh.swarms = swarms
	}
}

// Run sweeps, eight times per Expiry, until the context ends.
func (s *Store[C]) Run(ctx context.Context) {
	t := time.NewTicker(max(s.options.Expiry/8, 100*time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.Sweep()
		}
	}
}

// Stats are the store's sizes at one moment. Peers is the sum of the other three kinds: who is reached in several ways
// is in it several times.
type Stats struct{ Peers, WebRTC, IPv4, IPv6, Swarms, Offers int }

// Stats is cheap: nothing is counted for it.
func (s *Store[C]) Stats() Stats {
	n := Stats{
		WebRTC: int(s.peers[web].Load()), IPv4: int(s.peers[four].Load()), IPv6: int(s.peers[six].Load()),
		Swarms: int(s.swarms.Load()), Offers: int(s.offers.Load()),
	}
	n.Peers = n.WebRTC + n.IPv4 + n.IPv6
	return n
}
