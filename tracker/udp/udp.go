// Package udp is the UDP front end of the tracker: BEP 15, and the options of BEP 41.
//
//	client ── connect ──► Handler            no state: the connection id is a keyed hash of address and minute
//	       ◄─ connection id ──┘
//	       ── announce, scrape, with that id ──► Handler ─► tracker.Store: counts, peers
//	       ◄────────────────────────────────────────┘
//
// Integers are big-endian.
//
//	         0       8      12     16
//	connect  │ magic │ 0    │ txid │
//	announce │ id    │ 1    │ txid │ info_hash 20 │ peer_id 20 │ downloaded 8 │ left 8 │ uploaded 8 │
//	         │ event 4 │ ip 4 │ key 4 │ num_want 4 │ port 2 │ options (BEP 41) …
//	scrape   │ id    │ 2    │ txid │ info_hash 20 │ … at most 74
//
//	         0      4      8
//	answers  │ 0    │ txid │ id 8 │
//	         │ 1    │ txid │ interval 4 │ leechers 4 │ seeders 4 │ (address 4 or 16, port 2) …
//	         │ 2    │ txid │ (seeders 4 │ completed 4 │ leechers 4) …
//	         │ 3    │ txid │ what is wrong
//
// UDP's source addresses can be forged, so nothing is recorded or told without a connection id, which only the owner of
// an address can have received. Until then an answer is never longer than what it answers.
package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/gate"
)

// Store is what a tracker.Store is to this front end. Its methods are called by many goroutines.
type Store interface {
	AnnounceAddr(a *tracker.AddrAnnounce, picks []tracker.AddrPeer) (tracker.Counts, []tracker.AddrPeer, error)
	CountsOf(hashes []tracker.InfoHash, to []tracker.Counts) []tracker.Counts
}

// compact is a Store that packs addresses by itself, which is faster.
type compact interface {
	AnnounceCompact(a *tracker.AddrAnnounce, compact []byte) (tracker.Counts, []byte, error)
}

// Options say how the front end works; zero values are replaced by those in brackets.
type Options struct {
	// Interval is how often peers are asked to announce, whole seconds [15 min]. The store's AddrExpiry is to be twice
	// this.
	Interval time.Duration
	// Limiter bounds how often an address may ask; those above it get no answer [no bound].
	Limiter *gate.Limiter
	// Admit says whether the path of an announce URL, from the options of BEP 41, is one that is served. If there is one,
	// scrapes, which have no options, are answered with a failure [all are served].
	Admit func(path string) error
}

// Handler answers packets. It may serve any number of sockets at once, and needs no closing.
type Handler struct {
	options  Options
	store    Store
	distant  Distant // the store, if it is one
	compact  compact // the store, if it is one, and all of it is here
	later    chan struct{}
	ids      *ids
	works    sync.Pool
	counters struct{ connects, announces, scrapes, failures, refused, forged atomic.Uint64 }
}

// New returns a handler that keeps its peers in the store.
func New(store Store, o Options) *Handler {
	if o.Interval == 0 {
		o.Interval = 15 * time.Minute
	}
	h := &Handler{options: o, store: store, ids: newIDs()}
	if h.distant, _ = store.(Distant); h.distant == nil {
		h.compact, _ = store.(compact)
	}
	h.later = make(chan struct{}, maxLater)
	h.works.New = func() any { return new(work) }
	return h
}

// Stats are counts since the start.
type Stats struct {
	// Connects, Announces and Scrapes came; Failures of them were answered with a reason. Refused packets came too often
	// and got no answer. Forged ones had no connection id, or an old one.
	Connects, Announces, Scrapes, Failures, Refused, Forged uint64
}

// Stats may be called at any time.
func (h *Handler) Stats() Stats {
	c := &h.counters
	return Stats{
		Connects: c.connects.Load(), Announces: c.announces.Load(), Scrapes: c.scrapes.Load(),
		Failures: c.failures.Load(), Refused: c.refused.Load(), Forged: c.forged.Load(),
	}
}

// work is what one packet needs; used again for others.
type work struct {
	mac      mac
	announce tracker.AddrAnnounce
	picks    [tracker.MaxWant]tracker.AddrPeer
	answer   [maxAnswer]byte
	hashes   [maxHashes]tracker.InfoHash
	counts   [maxHashes]tracker.Counts
}

// Answer appends the answer to a packet from an address; none for what is no request. Safe for concurrent use.
func (h *Handler) Answer(to, packet []byte, from netip.AddrPort) []byte {
	w := h.works.Get().(*work)
	defer h.works.Put(w)
	return h.answer(w, h.ids.now(), to, packet, from)
}
