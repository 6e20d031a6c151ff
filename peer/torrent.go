package peer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/bencode"

	"github.com/starling-p2p/starling/seal"
)

// Torrent is one that is shared or fetched. Close it to stop; all data stays.
type Torrent struct {
	p      *Peer
	ih     [20]byte
	bucket []byte // of its record
	lazy   bool
	exact  bool // no name but the one that was chosen will do
	toRead bool // its files are not put in their place
	fresh  bool // nothing has come of it before

	ctx  context.Context
	stop context.CancelCauseFunc

	// ready is closed when the metadata, and of a private torrent its header, is there; placed when all data is.
	ready, placed chan struct{}

	mu       sync.Mutex
	users    int
	record   record
	key      *seal.Key
	store    *store
	meta     *meta
	files    []File
	opened   *seal.Opened // of what is being fetched
	fetched  []Ref        // where else to ask, for torrents that come twice
	problem  error
	paused   bool
	full     bool // the problem is that data cannot be saved
	finishes bool // somebody puts the files in their place
	suspects map[int]suspect
	checks   bool

	pausing sync.Mutex // held before loading
	// keeping is held from reading the progress until it is written down, so that an older one never comes after a newer.
	keeping sync.Mutex
	loading sync.Mutex
	engine  atomic.Pointer[torrent.Torrent]
	info    atomic.Pointer[[]byte] // while it is loaded
	isKnown atomic.Bool
	private atomic.Bool
	used    atomic.Int64 // when it was last asked for, ticks
	sources atomic.Int32
	// metadataCame counts bytes of it, from all sources.
	metadataCame atomic.Int64
	// numbered are its pieces, once its metadata has come; the guard's lock is on it.
	numbered int64
	// checked of checking bytes have been hashed that lay there before.
	checked, checking atomic.Int64
	waiting           sync.Map // *torrent.PeerConn → *conn: who may be asked for metadata
	wants             wants
	meter             meter
	found             found
}

func (p *Peer) newTorrent(ih [20]byte, bucket []byte, r record) *Torrent {
	t := &Torrent{
		p: p, ih: ih, bucket: bucket, record: r, users: 1,
		ready: make(chan struct{}), placed: make(chan struct{}), suspects: map[int]suspect{},
	}
	t.wants.t, t.found.t = t, t
	t.ctx, t.stop = context.WithCancelCause(p.ctx)
	if len(r.Key) == len(seal.Key{}) {
		key := seal.Key(r.Key)
		t.key = &key
	}
	return t
}

// InfoHash names it.
func (t *Torrent) InfoHash() [20]byte { return t.ih }

// Private says whether its data travels sealed.
func (t *Torrent) Private() bool { return t.key != nil }

// Name is what it is called: "" until Ready if nothing but its infohash is known.
func (t *Torrent) Name() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.record.Name
}

// Trackers are those that it is announced to.
func (t *Torrent) Trackers() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.record.Trackers)
}

// Link is what to send to somebody: https://HOST/f#…, with the key of a private torrent. It opens in any browser, on
// any Starling server; where that has no HTTPS, the host is http://localhost:8080. It names the torrent's trackers; a torrent
// without any is found by no browser.
func (t *Torrent) Link(host string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return makeLink(host, t.ih, t.key, t.record.Trackers, t.record.WebSeeds)
}

// Magnet is for other BitTorrent clients. Of a private torrent they get the sealed container.
func (t *Torrent) Magnet() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := t.record.Name
	if t.key != nil {
		name = ""
	}
	return makeMagnet(t.ih, name, t.record.Trackers, t.record.WebSeeds)
}

// Ready waits until its files are known. Errors: the context's, ErrClosed, ErrTaken, seal.ErrKey where a private link's key
// is wrong, and those of a torrent that cannot be used.
func (t *Torrent) Ready(ctx context.Context) error { return t.wait(ctx, t.ready) }

// Done waits until all data is verified and in its place. While it cannot be saved it goes on waiting; Stats says so.
// Errors: those of Ready.
func (t *Torrent) Done(ctx context.Context) error { return t.wait(ctx, t.placed) }

func (t *Torrent) wait(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	default:
	}
	select {
	case <-c:
		return nil
	case <-t.ctx.Done():
		return t.ended()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ended is why there is nothing more to expect.
func (t *Torrent) ended() error {
	if err := context.Cause(t.ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ErrClosed
}

// Root is the file or folder that an added torrent's files have become, or are to become: "" until Ready.
func (t *Torrent) Root() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.record.Root
}

// Close stops it; its data stays where it is. A torrent that was shared or added twice is to be closed twice. The error is
// always nil.
func (t *Torrent) Close() error {
	t.mu.Lock()
	t.users--
	last := t.users == 0
	t.mu.Unlock()
	if !last {
		return nil
	}
	t.p.mu.Lock()
	if t.p.torrents[t.ih] == t {
		delete(t.p.torrents, t.ih)
	}
	t.p.mu.Unlock()
	t.end()
	return nil
}

// end stops it, and writes down what has come. It may be called twice.
func (t *Torrent) end() {
	t.stop(ErrClosed)
	t.found.close()
	t.unload()
	t.flush(true)
	if s := t.data(); s != nil {
		s.close()
	}
}

// fail ends a torrent that cannot be used.
func (t *Torrent) fail(err error) {
	if t.ctx.Err() != nil {
		return // closed meanwhile
	}
	t.p.log.Info("a torrent cannot be used", "infohash", hexOf(t.ih), "error", err) // Ready and Done say so
	t.stop(err)
	t.found.close()
	t.unload()
}

func (t *Torrent) data() *store {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.store
}

// known says whether the info dictionary is.
func (t *Torrent) known() bool { return t.isKnown.Load() }

// alone: private in the sense of BEP 27, so that it is found through its trackers only.
func (t *Torrent) alone() bool { return t.private.Load() }

func (t *Torrent) pieces() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.meta.pieces
}

// lacking says whether data is missing still.
func (t *Torrent) lacking() bool {
	s := t.data()
	return s == nil || s.missing() > 0 && s.writable()
}

// infoBytes are in memory while the torrent is loaded.
func (t *Torrent) infoBytes() []byte {
	if b := t.info.Load(); b != nil {
		return *b
	}
	return t.p.state.get(infoBucket, t.ih[:])
}

func (t *Torrent) say(problem error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.problem = problem
}

func (t *Torrent) progressBucket() []byte {
	if string(t.bucket) == string(sharedBucket) {
		return sharedProgressBucket
	}
	return progressBucket
}

// flush writes down which pieces there are.
func (t *Torrent) flush(last bool) {
	s := t.data()
	if s == nil {
		return
	}
	t.keeping.Lock()
	b, err := s.flush(last)
	if err == nil && b != nil {
		err = t.p.state.put(entry{progressBucket, t.ih[:], b})
	}
	t.keeping.Unlock()
	if err != nil {
		t.pause(err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if b != nil && !t.paused && t.full {
		t.problem, t.full = nil, false
	}
}

// tick comes once a second.
func (t *Torrent) tick(n int) {
	if t.ctx.Err() != nil {
		return
	}
	e := t.engine.Load()
	if e != nil {
		t.meter.sample(e, time.Now())
		pcs := e.PeerConns()
		t.p.guard.unread(pcs)
		if !t.known() {
			t.metadataLate(pcs, n)
		}
		if t.used.Load() == nextTick || len(pcs) > 0 || t.lacking() {
			t.used.Store(int64(n))
		} else if int64(n)-t.used.Load() > idleTicks {
			t.unload()
		}
	}
	if n%5 == 0 {
		t.flush(false)
		t.resume()
		if e != nil && t.lacking() && len(e.PeerConns()) == 0 {
			t.found.nudge()
		}
	}
	t.recheck()
}

// idleTicks is for how long a complete torrent stays loaded without connections, seconds.
const idleTicks = 60

// TorrentFile is a .torrent file (BEP 3, 12, 19) with its trackers and web seeds; nil until its metadata is known. Of a
// private torrent it has the sealed container alone, and no key; of a hybrid one no piece layers (BEP 52), which clients
// of BitTorrent v1 do without.
func (t *Torrent) TorrentFile() []byte {
	info := t.infoBytes()
	if info == nil {
		return nil
	}
	t.mu.Lock()
	trackers, webSeeds := t.record.Trackers, t.record.WebSeeds
	t.mu.Unlock()
	d := map[string]any{"info": bencode.Bytes(info)}
	if len(trackers) > 0 {
		d["announce"] = trackers[0]
	}
	if len(trackers) > 1 {
		tiers := make([][]string, len(trackers))
		for i, url := range trackers {
			tiers[i] = []string{url}
		}
		d["announce-list"] = tiers
	}
	if len(webSeeds) > 0 {
		d["url-list"] = webSeeds
	}
	return bencode.MustMarshal(d)
}
