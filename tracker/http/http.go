// Package http is the HTTP front end of the tracker: what BitTorrent's clients speak, as docs/tracker.md has it.
//
// A request's query is read in one pass (query.go) and answered with a bencoded dictionary (answer.go):
//
//	GET /announce?info_hash=…&peer_id=…&port=…&left=… ─► query ─► tracker.Store: counts, peers
//	      d8:completei3e10:incompletei1e8:intervali900e5:peers18:<4+2 bytes each>e ◄──┘
//
//	GET /scrape?info_hash=…&info_hash=… ─► query ─► tracker.Store: counts
//	      d5:filesd20:<info_hash>d8:completei3e10:downloadedi1e10:incompletei1eeee ◄──┘
//
// BEP 3 and 48, with peers as BEP 23 and BEP 7 pack them, the client's own address as in BEP 24, and failures that say
// when to try again as in BEP 31. Where a peer is, the connection tells, or a trusted proxy, and not the query.
package http

import (
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/gate"
)

const (
	// defaultWant is how many peers a client gets that names no number, maxWant how many at most.
	defaultWant = 50
	maxWant     = 200
)

// Store is what a tracker.Store is to this front end. Its methods are called by many goroutines.
type Store interface {
	AnnounceAddr(a *tracker.AddrAnnounce, picks []tracker.AddrPeer) (tracker.Counts, []tracker.AddrPeer, error)
	CountsOf(hashes []tracker.InfoHash, to []tracker.Counts) []tracker.Counts
}

// Options say how the front end works; zero values are replaced by those in brackets.
type Options struct {
	// Interval is how often peers are asked to announce, whole seconds [15 min]. The store's AddrExpiry is to be twice
	// this. A fifth of it, but a minute, is the least.
	Interval time.Duration
	// Limiter bounds how often an address may ask [no bound].
	Limiter *gate.Limiter
	// Admit says whether the path of a URL is one that is served [all are].
	Admit func(path string) error
	// Address tells who asks, where that is not the other end of the connection [the other end].
	Address func(*http.Request) netip.Addr
}

// Server answers announces, and, where the last part of the path is "scrape", scrapes. It needs no closing.
type Server struct {
	options  Options
	store    Store
	works    sync.Pool
	counters struct{ announces, scrapes, failures, refused atomic.Uint64 }
}

// work is what one request needs; used again for others.
type work struct {
	query
	announce tracker.AddrAnnounce
	picks    [tracker.MaxWant]tracker.AddrPeer
	answer   []byte
}

// New returns a server that keeps its peers in the store.
func New(store Store, o Options) *Server {
	if o.Interval == 0 {
		o.Interval = 15 * time.Minute
	}
	if o.Address == nil {
		o.Address = remote
	}
	return &Server{options: o, store: store, works: sync.Pool{New: func() any { return new(work) }}}
}

func remote(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap()
}

// ServeHTTP answers one request, failures included, with status 200: clients look for the reason only there.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Trackers are asked with GET.", http.StatusMethodNotAllowed)
		return
	}
	k := s.works.Get().(*work)
	defer s.works.Put(k)
	if a := s.options.Address(r); !s.options.Limiter.Allow(a) {
		s.counters.refused.Add(1)
		k.answer = appendFailure(k.answer[:0], errTooOften)
	} else if err := s.admit(r.URL.Path); err != nil {
		s.counters.failures.Add(1)
		k.answer = appendFailure(k.answer[:0], err)
	} else if path.Base(r.URL.Path) == "scrape" {
		s.scrape(k, r.URL.RawQuery)
	} else {
		s.announce(k, r.URL.RawQuery, a)
	}
	h.Set("Content-Type", "text/plain") // as BEP 3 has it
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(k.answer)))
	_, _ = w.Write(k.answer) // nobody is left to be told
}

func (s *Server) admit(path string) error {
	if s.options.Admit == nil {
		return nil
	}
	return s.options.Admit(path)
}

func (s *Server) announce(k *work, raw string, from netip.Addr) {
	s.counters.announces.Add(1)
	q := &k.query
	var err error
	if k.announce, err = q.announce(raw, from); err == nil {
		var counts tracker.Counts
		var picks []tracker.AddrPeer
		if counts, picks, err = s.store.AnnounceAddr(&k.announce, k.picks[:0]); err == nil {
			k.answer = s.appendAnnounce(k.answer[:0], q, k.announce.Addr.Addr(), counts, picks)
			return
		}
	}
	s.counters.failures.Add(1)
	k.answer = appendFailure(k.answer[:0], err)
}

func (s *Server) scrape(k *work, raw string) {
	s.counters.scrapes.Add(1)
	hashes, err := k.query.scrape(raw)
	if err != nil {
		s.counters.failures.Add(1)
		k.answer = appendFailure(k.answer[:0], err)
		return
	}
	k.answer = s.appendScrape(k.answer[:0], hashes)
}

func (s *Server) minInterval() int64 {
	return int64(min(max(s.options.Interval/5, time.Minute), s.options.Interval*9/10).Round(time.Second) / time.Second)
}

// Stats are counts since the start.
type Stats struct {
	// Announces and Scrapes came; Failures of them were answered with a reason. Refused requests came too often.
	Announces, Scrapes, Failures, Refused uint64
}

// Stats may be called at any time.
func (s *Server) Stats() Stats {
	c := &s.counters
	return Stats{Announces: c.announces.Load(), Scrapes: c.scrapes.Load(), Failures: c.failures.Load(), Refused: c.refused.Load()}
}
