// Package edge has the visitors of a site carry its images, fonts, audio, videos and downloads to one another, while
// the site itself stays where it is and always answers.
//
//	next (folder.go, proxy.go, or any handler) ── responses that pass ──► watch.go: which are assets, and changed?
//	                                                                         │ path
//	    library.go: assets by path ◄── asset.go: SHA-256, SHA-1 of pieces ◄──┘ reads each once, as nobody in particular;
//	        │                                                                  check.go asks whether it is still the same
//	        │ version.go: torrents, places (torrent.go)
//	        ├─► POST /.starling/lookup        paths of a page ─► where they lie, and the hashes of their pieces
//	        ├─► /.starling/play/<path>        a film that plays by itself, little at a time (play.go, reel.go)
//	        ├─► /.starling/manifest.json      all of it, for people and programs
//	        └─► /.starling/t/<infohash>.torrent   for BitTorrent clients; the site is the web seed
//	    visitors ── /.starling/announce ──► tracker/ws
//	    visitors ── /.starling/beacon ────► stats.go ──► /.starling/ (the owner's page), /.starling/metrics
//
// An asset is in the library only if everybody gets the same bytes of it: GET without a query, no cookie set, nothing
// private, no Vary beyond the encoding, and a validator (ETag or Last-Modified) that is the same for a visitor and for a
// request without any cookie. What the library does not name is left alone.
//
// Of a folder nothing need pass: folder.go looks for what has changed. What visitors' scripts are told is in site.go, the
// scripts come from built.go, and lookup.go answers them. routes.go has the paths; owner.go says who may see figures,
// metrics.go has them for Prometheus.
//
//	e, err := edge.New(edge.Options{CacheDir: "/var/cache/starling"})
//	…
//	defer e.Close()
//	http.ListenAndServe(":8080", e.Handler(site))
package edge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v4"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/gate"
	"github.com/starling-p2p/starling/tracker/ws"
	"github.com/starling-p2p/starling/web"
)

// Prefix is where everything of the edge lies on the site. Nothing else of the site's paths is taken.
const Prefix = "/.starling/"

// announceEvery is how often visitors announce. They come and go quickly, so it is shorter than a tracker's usual time.
const announceEvery = 60 * time.Second

// Options say how an Edge works. The zero value works.
type Options struct {
	// Site is what visitors' scripts are told.
	Site Site
	// Exclude has patterns of paths that are never assets: path.Match on the whole path ("/private/*"), a folder with all
	// below it ("/private/"), or an ending ("*.gif").
	Exclude []string
	// CacheDir keeps hashes and figures over a restart. "": nothing is kept.
	CacheDir string
	// Trackers are WebSocket URLs that visitors use instead of the edge's own tracker, such as one that several sites share.
	Trackers []string
	// ICEServers are STUN and TURN servers for visitors.
	ICEServers []ICEServer
	// Key opens the owner's page and the metrics to requests that do not come from this machine. "": one is made, and kept
	// in CacheDir. See Edge.Key.
	Key string
	// PublicMetrics shows /.starling/metrics to everybody.
	PublicMetrics bool
	// Address tells who asks, where that is not the other end of the connection.
	Address func(*http.Request) netip.Addr
	// Place tells where an address is, so that visitors hear of those nearby first; the package near has some. Nil: nobody
	// knows.
	Place func(netip.Addr) tracker.Place
	// Log may be nil.
	Log *slog.Logger
}

// Validate says what is wrong with the options, as New does.
func (o Options) Validate() error {
	for _, pattern := range o.Exclude {
		if err := validPattern(pattern); err != nil {
			return err
		}
	}
	for _, t := range o.Trackers {
		if !strings.HasPrefix(t, "ws://") && !strings.HasPrefix(t, "wss://") {
			return fmt.Errorf("%q is not a tracker for browsers: it must begin with ws:// or wss://", t)
		}
	}
	for _, s := range o.ICEServers {
		u, err := stun.ParseURI(s.URLs)
		switch {
		case err != nil:
			return fmt.Errorf("%q is not a STUN or TURN server such as stun:host:3478: %w", s.URLs, err)
		case strings.HasPrefix(u.Scheme.String(), "turn") != (s.Username != "" && s.Credential != ""):
			return fmt.Errorf("%q: a TURN server needs a user name and a credential, and a STUN server has none", s.URLs)
		}
	}
	return o.Site.withDefaults().validate()
}

// ICEServer is an RTCIceServer of the WebRTC API.
type ICEServer struct {
	URLs       string `json:"urls"`
	Username   string `json:"username,omitempty"`
	Credential string `json:"credential,omitempty"`
}

// Edge makes a site's assets available to its visitors. Its methods may be called at any time by anyone.
type Edge struct {
	options Options
	log     *slog.Logger
	files   files
	library *library
	stats   *stats
	lookups *gate.Limiter
	tracker *ws.Server
	swarms  *tracker.Store[ws.Handle]
	key     string
	routes  http.Handler
	site    atomic.Pointer[http.Handler]
	watch   atomic.Pointer[watch] // nil with a folder

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
}

// New checks the options and starts what works in the background: hashing, the tracker's clock, keeping figures. Close
// ends it.
func New(o Options) (*Edge, error) { return newEdge(o, web.Built()) }

func newEdge(o Options, built fs.FS) (*Edge, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Site = o.Site.withDefaults()
	if o.CacheDir != "" {
		if err := os.MkdirAll(o.CacheDir, 0o755); err != nil {
			return nil, fmt.Errorf("making the cache's folder: %w", err)
		}
	}
	e := &Edge{options: o, log: o.Log, lookups: gate.NewLimiter(lookupRate)}
	var err error
	if e.files, err = loadFiles(built, o.Site); err != nil {
		return nil, err
	}
	if e.key, err = ownerKey(o.Key, o.CacheDir); err != nil {
		return nil, err
	}
	e.library = newLibrary(filepath.Join(o.CacheDir, "hashes.json"), o.CacheDir != "", o.Log)
	e.stats = newStats(filepath.Join(o.CacheDir, "figures.json"), o.CacheDir != "", time.Now)
	e.swarms = tracker.New[ws.Handle](tracker.Options{Expiry: 2 * announceEvery, Allow: e.library.allows})
	e.tracker = ws.New(e.swarms, ws.Options{Interval: announceEvery, Address: o.Address, Place: o.Place, Log: o.Log})
	e.routes = e.makeRoutes()
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.run(e.swarms.Run)
	e.run(e.stats.run)
	e.run(e.library.run)
	return e, nil
}

func (e *Edge) run(f func(context.Context)) {
	e.wg.Go(func() { f(e.ctx) })
}

// Key opens the owner's page: https://site/.starling/#KEY.
func (e *Edge) Key() string { return e.key }

// Handler answers for /.starling/ and passes everything else to next, whose responses it looks at as they pass: it
// neither changes nor keeps them. Call it once.
func (e *Edge) Handler(next http.Handler) http.Handler {
	w := &watch{
		edge: e, next: next, jobs: make(chan job, maxJobs), large: make(chan job, maxJobs),
		pending: map[string]bool{}, strikes: map[string]int{}, sure: map[string]word{},
	}
	e.watch.Store(w)
	e.library.mu.Lock()
	e.library.seen = w.seen
	e.library.mu.Unlock()
	for range hashers {
		e.run(func(ctx context.Context) { w.work(ctx, w.jobs) })
		e.run(func(ctx context.Context) { w.work(ctx, w.large) })
	}
	return e.mount(w)
}

// mount puts the edge's own paths before the site's.
func (e *Edge) mount(site http.Handler) http.Handler {
	e.site.Store(&site)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, Prefix) {
			e.routes.ServeHTTP(w, r)
			return
		}
		site.ServeHTTP(w, r)
	})
}

// Close ends what runs in the background and keeps what is to be kept. Visitors go on over HTTP.
func (e *Edge) Close() error {
	var err error
	e.once.Do(func() {
		e.cancel()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = e.tracker.Close(ctx)
		e.wg.Wait()
		err = errors.Join(err, e.library.save(), e.stats.save())
	})
	return err
}
