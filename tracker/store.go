package tracker

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// tick is the time since the store was made, in tenths of a second: four bytes that last thirteen years.
type tick uint32

func ticks(d time.Duration) tick { return tick(d / (time.Second / 10)) }

// Options are a store's limits.
type Options struct {
	// Expiry is how long a peer is kept after its last announce: twice the interval.
	Expiry time.Duration
	// MaxPeers is the most peers kept, in all swarms together. 0: 4 million, about 400 MB.
	MaxPeers int
	// MaxOffers is the most outstanding offers kept. 0: 2 million, about 60 MB.
	MaxOffers int
}

const shards = 64

type shard[C comparable] struct {
	mu     sync.Mutex
	swarms map[InfoHash]*swarm[C]
	offers offers
	_      [64]byte // keeps neighbours' locks off one cache line
}

// Store is safe for use by many goroutines at once.
type Store[C comparable] struct {
	options Options
	start   time.Time
	seed    maphash.Seed
	shards  [shards]shard[C]
	peers   atomic.Int64
	swarms  atomic.Int64
	offers  atomic.Int64
}

// New returns an empty store. Run it, or call Sweep, so that peers expire.
func New[C comparable](o Options) *Store[C] {
	if o.MaxPeers == 0 {
		o.MaxPeers = 4_000_000
	}
	if o.MaxOffers == 0 {
		o.MaxOffers = 2_000_000
	}
	s := &Store[C]{options: o, start: time.Now(), seed: maphash.MakeSeed()}
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

// Announce records what a peer says and appends the peers chosen for it to picks. The peer itself is counted. The
// error is ErrTaken or ErrFull.
func (s *Store[C]) Announce(a *Announce[C], picks []Peer[C]) (Counts, []Peer[C], error) {
	now := s.now()
	sh := s.shard(a.InfoHash)
	sh.mu.Lock()
	defer sh.mu.Unlock()

	w, i := sh.swarms[a.InfoHash], -1
	if w != nil {
		i = w.find(a.PeerID)
	}
	if i >= 0 && w.peers[i].contact != a.Contact && (a.MayReplace == nil || !a.MayReplace(w.peers[i].contact)) {
		return w.counts(), picks, ErrTaken
	}
	if a.Event == Stopped {
		if i >= 0 {
			s.remove(sh, a.InfoHash, w, i)
		}
		if w == nil {
			return Counts{}, picks, nil
		}
		return w.counts(), picks, nil
	}
	if i < 0 {
		if s.peers.Load() >= int64(s.options.MaxPeers) {
			return Counts{}, picks, ErrFull
		}
		if w == nil {
			w = &swarm[C]{}
			sh.swarms[a.InfoHash] = w
			s.swarms.Add(1)
		}
		s.peers.Add(1)
		i = w.add(record[C]{id: a.PeerID})
	}
	w.peers[i].contact, w.peers[i].seen = a.Contact, now

	wasSeeder := i < w.seeders
	switch {
	case a.Left == Nothing || a.Left == Unsaid && a.Event == Completed:
		i = w.seed(i, true)
	case a.Left == Some:
		i = w.seed(i, false)
	}
	if a.Event == Completed && !wasSeeder && i < w.seeders {
		w.downloaded++
	}

	want := a.Want
	if a.Offers != nil {
		want = min(want, len(a.Offers), s.options.MaxOffers-int(s.offers.Load()))
	}
	first := len(picks)
	picks = w.choose(i, max(0, want), picks)
	if a.Offers != nil {
		for j, p := range picks[first:] {
			s.offers.Add(int64(sh.offers.put(s.print(a.InfoHash, a.PeerID, p.ID, a.Offers[j]), now)))
		}
	}
	return w.counts(), picks, nil
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
	i := w.find(maker)
	if i < 0 {
		return contact, false
	}
	return w.peers[i].contact, true
}

// Remove forgets a peer whose contact is gone, unless it is reachable otherwise by now.
func (s *Store[C]) Remove(h InfoHash, id PeerID, contact C) {
	sh := s.shard(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if w := sh.swarms[h]; w != nil {
		if i := w.find(id); i >= 0 && w.peers[i].contact == contact {
			s.remove(sh, h, w, i)
		}
	}
}

// Counts returns zeros for a swarm that it does not know.
func (s *Store[C]) Counts(h InfoHash) Counts {
	sh := s.shard(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if w := sh.swarms[h]; w != nil {
		return w.counts()
	}
	return Counts{}
}

func (s *Store[C]) remove(sh *shard[C], h InfoHash, w *swarm[C], i int) {
	w.remove(i)
	s.peers.Add(-1)
	s.drop(sh, h, w)
}

func (s *Store[C]) drop(sh *shard[C], h InfoHash, w *swarm[C]) {
	if len(w.peers) == 0 {
		delete(sh.swarms, h)
		s.swarms.Add(-1)
	}
}

// Sweep forgets the peers that have not announced for as long as Expiry, the swarms that are empty then, and offers
// that nobody answered.
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
	expiry := ticks(s.options.Expiry)
	if now <= expiry {
		return
	}
	for h, w := range sh.swarms {
		if n := w.expire(now - expiry); n > 0 {
			s.peers.Add(-int64(n))
			s.drop(sh, h, w)
		}
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

// Stats are the store's sizes at one moment.
type Stats struct{ Peers, Swarms, Offers int }

// Stats is cheap: nothing is counted for it.
func (s *Store[C]) Stats() Stats {
	return Stats{Peers: int(s.peers.Load()), Swarms: int(s.swarms.Load()), Offers: int(s.offers.Load())}
}
