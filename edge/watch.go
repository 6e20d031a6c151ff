package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxJobs = 1024
	// hashers are so many for what is small and for what the site is asked again, and as many for what takes long to read.
	hashers = 2
	// hashTime is what reading one asset may take.
	hashTime = 30 * time.Minute
	// maxStrikes are how often what a path answers may contradict itself before it is left alone until all is forgiven.
	maxStrikes = 4
	forgiven   = time.Hour
	maxPath    = 1024
	// maxHost is more than any name and port. What visitors came by is remembered for each asset.
	maxHost = 300
)

// watch looks at responses as they pass, and has new and changed assets hashed. It asks the site for those bytes itself,
// without any cookie: what one visitor got may be theirs alone.
type watch struct {
	edge *Edge
	next http.Handler
	// large is a queue of its own: nothing else waits for films.
	jobs, large chan job

	mu      sync.Mutex
	pending map[string]bool
	strikes map[string]int
	struck  time.Time // when they were last forgiven
	// sure is of each asset when the site last gave it as it is known to nobody in particular (check.go), and how whoever got
	// it last had come; way is how anybody had, for those of which that is not known.
	sure map[string]word
	way  way
}

// word is the site's, about one asset.
type word struct {
	at time.Time
	by way
}

// way is how a visitor came to the site, as it may answer others otherwise: under which name, and whether by HTTPS.
type way struct {
	host   string
	secure bool
}

func wayOf(r *http.Request) way { return way{r.Host, secure(r)} }

// job is a path to be hashed, and what a visitor got for it; or an asset that is known, to be asked for again.
type job struct {
	path    string
	way     way
	seen    validators
	known   *asset
	release func()
}

// validators tell one representation from another.
type validators struct {
	size           int64 // -1: not said
	etag, modified string
}

func (v validators) same(o validators) bool {
	return bare(v.etag) == bare(o.etag) && v.modified == o.modified && (v.size == o.size || v.size < 0 || o.size < 0)
}

// are says whether these are an asset's, to the letter.
func (v validators) are(a *asset) bool { return v == a.validators() }

// bare is an ETag without what servers do to it when they compress: nginx makes it weak, Apache and Caddy add "-gzip".
func bare(etag string) string {
	etag = strings.TrimSuffix(strings.TrimPrefix(etag, "W/"), `"`)
	for _, encoding := range [...]string{"-gzip", "-br", "-zstd", "-deflate"} {
		etag = strings.TrimSuffix(etag, encoding)
	}
	return etag
}

func (w *watch) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if !w.candidate(r) {
		w.next.ServeHTTP(rw, r)
		return
	}
	o := &observer{meter: w.edge.stats.meter(rw, w.edge.library.get(r.URL.Path) != nil), watch: w, request: r}
	w.next.ServeHTTP(o, r)
}

// candidate says whether the response to this request may be an asset. A site may answer for a path in however many ways it is
// written: in one of them it is read and kept.
func (w *watch) candidate(r *http.Request) bool {
	p := r.URL.Path
	return r.Method == http.MethodGet && r.URL.RawQuery == "" && len(p) <= maxPath && len(r.Host) <= maxHost &&
		path.Clean(p) == strings.TrimSuffix(p, "/") && r.Header.Get("Authorization") == "" &&
		r.Header.Get("Upgrade") == "" && !excluded(w.edge.options.Exclude, p) &&
		!strings.Contains(strings.ToLower(r.URL.RawPath), "%2f") // another path, which reads the same here
}

// observer sees the header of a response.
type observer struct {
	*meter
	watch   *watch
	request *http.Request
	looked  bool
}

func (o *observer) WriteHeader(status int) {
	if status >= 200 && !o.looked {
		o.looked = true
		o.watch.look(o.request, status, o.Header())
	}
	o.meter.WriteHeader(status)
}

func (o *observer) Write(p []byte) (int, error) {
	if !o.looked {
		o.WriteHeader(http.StatusOK)
	}
	return o.meter.Write(p)
}

// ReadFrom keeps the fast path of a response writer for what io.Copy writes.
func (o *observer) ReadFrom(r io.Reader) (int64, error) {
	if !o.looked {
		o.WriteHeader(http.StatusOK)
	}
	return o.meter.ReadFrom(r)
}

// Flush is for those who ask whether a writer is an http.Flusher, as many do who send events.
func (o *observer) Flush() { _ = o.FlushError() }

// FlushError is for http.ResponseController.
func (o *observer) FlushError() error {
	if !o.looked {
		o.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(o.ResponseWriter).Flush()
}

// look decides on what a visitor got.
func (w *watch) look(r *http.Request, status int, h http.Header) {
	p := r.URL.Path
	known := w.edge.library.get(p)
	seen := validatorsOf(status, h)
	switch status {
	case http.StatusOK, http.StatusPartialContent:
		if strings.HasPrefix(h.Get("Content-Type"), "multipart/byteranges") {
			return // several parts at once, of whatever type it is
		}
		if !w.edge.options.Site.wants(kindOf(h.Get("Content-Type"))) || !public(h) {
			if known != nil {
				w.edge.library.drop(p)
				w.strike(p)
			}
			return
		}
	case http.StatusNotModified:
		// It has no type, and perhaps not all validators.
		if known != nil && (seen.etag == "" || bare(seen.etag) == bare(known.ETag)) && (seen.modified == "" || seen.modified == known.Modified) {
			w.came(p, wayOf(r))
			return
		}
		if known == nil && seen.etag == "" && seen.modified == "" || !w.edge.options.Site.wants(kindOf(typeOf(p))) {
			return
		}
	default:
		if status < 500 {
			w.doubt(known)
		}
		return
	}
	if known != nil {
		if seen.same(known.validators()) {
			w.came(p, wayOf(r))
			return
		}
		// From now on nobody is sent to peers for it.
		w.edge.library.drop(p)
		w.strike(p)
	}
	if seen.size >= 0 && (seen.etag != "" || seen.modified != "") && w.edge.library.recall(p, seen.are) {
		w.came(p, wayOf(r))
		return
	}
	w.enqueue(job{path: p, way: wayOf(r), seen: seen})
}

func validatorsOf(status int, h http.Header) validators {
	v := validators{size: -1, etag: h.Get("ETag"), modified: h.Get("Last-Modified")}
	size := h.Get("Content-Length")
	if status == http.StatusPartialContent {
		_, size, _ = strings.Cut(h.Get("Content-Range"), "/")
	}
	if n, err := strconv.ParseInt(size, 10, 64); err == nil && status != http.StatusNotModified && h.Get("Content-Encoding") == "" {
		v.size = n
	}
	return v
}

// guarded says whether a response is an image that may run scripts, and its header keeps it from that. Who has it from
// another visitor has no header: shown by itself, it would run as the site's own.
func guarded(h http.Header) bool {
	attached := strings.HasPrefix(strings.ToLower(h.Get("Content-Disposition")), "attachment")
	return strings.Contains(strings.ToLower(h.Get("Content-Type")), "xml") && (attached || h.Get("Content-Security-Policy") != "")
}

// public says whether a response is the same for everybody, as far as its header tells.
func public(h http.Header) bool {
	if guarded(h) || h.Get("Set-Cookie") != "" || h.Get("Content-Encoding") != "" && h.Get("ETag") == "" && h.Get("Last-Modified") == "" {
		return false
	}
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if name == "private" || name == "no-store" {
			return false
		}
	}
	for field := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Vary"), ",")), ",") {
		switch strings.TrimSpace(field) {
		case "", "accept-encoding", "origin", "access-control-request-method", "access-control-request-headers":
		default:
			return false
		}
	}
	return true
}

// renamed says whether what lies at a path is to be saved under another name, which visitors do not tell one another.
func renamed(disposition, p string) bool {
	_, params, err := mime.ParseMediaType(disposition)
	name, named := params["filename"]
	return disposition != "" && (err != nil || named && name != path.Base(p))
}

func (w *watch) strike(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.strikes) >= maxAssets {
		clear(w.strikes)
	}
	w.strikes[path]++
}

func (w *watch) enqueue(j job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.struck) > forgiven {
		clear(w.strikes)
		w.struck = time.Now()
	}
	if w.pending[j.path] || w.strikes[j.path] >= maxStrikes {
		return
	}
	jobs := w.jobs
	if j.known == nil && ownsTorrent(kindOf(typeOf(j.path)), j.seen.size) {
		jobs = w.large
	}
	j.release = w.edge.library.hold()
	select {
	case jobs <- j:
		w.pending[j.path] = true
	default: // it will be seen again
		j.release()
	}
}

// work hashes one path after another until the context ends.
func (w *watch) work(ctx context.Context, jobs <-chan job) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-jobs:
			var err error
			if j.known != nil {
				err = w.check(ctx, j)
			} else {
				err = w.hash(ctx, j)
			}
			if err != nil && ctx.Err() == nil {
				w.edge.log.Debug("left alone", "path", j.path, "reason", err)
				if errors.Is(err, errDiffers) {
					w.strike(j.path)
				}
			}
			w.mu.Lock()
			delete(w.pending, j.path)
			w.mu.Unlock()
			j.release()
		}
	}
}

var (
	errDiffers = errors.New("it is not the same for everybody")
	errNoAsset = errors.New("it is no asset")
	errKnown   = errors.New("it is known from before")
)

// hash reads a path as nobody in particular.
func (w *watch) hash(ctx context.Context, j job) error {
	ctx, cancel := context.WithTimeout(ctx, hashTime)
	defer cancel()
	s := &sink{header: http.Header{}, watch: w, job: j, stop: cancel}
	if !w.ask(ctx, s, j.path, j.way, nil) && s.err == nil {
		s.err = errChanged
	}
	switch {
	case errors.Is(s.err, errKnown):
		return nil
	case s.err != nil:
		return s.err
	case s.hasher == nil:
		return errNoAsset
	}
	a, err := s.hasher.finish()
	if err == nil {
		w.edge.library.add(a)
		w.came(j.path, j.way)
		w.confirmed(a)
	}
	return err
}

// nobody is an address that is nobody's (RFC 5737): a site may give more to this machine's, or to those of its network.
const nobody = "192.0.2.1:0"

// ask asks the site for a path as nobody in particular. False: the answer broke off, which is how a reverse proxy ends what
// it cannot pass on.
func (w *watch) ask(ctx context.Context, rw http.ResponseWriter, path string, by way, more http.Header) (whole bool) {
	u := &url.URL{Path: path}
	r := (&http.Request{
		Method: http.MethodGet, URL: u, RequestURI: u.RequestURI(), Host: by.host, RemoteAddr: nobody,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
		Header: http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}, "User-Agent": {"starling-edge"}},
		// It is a server's: without, a reverse proxy complains to the log of what is broken off here on purpose.
	}).WithContext(context.WithValue(ctx, http.ServerContextKey, &http.Server{}))
	if by.secure {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
		r.Header.Set("X-Forwarded-Proto", "https")
	}
	maps.Copy(r.Header, more)
	defer func() {
		if recover() != nil {
			whole = false
		}
	}()
	w.next.ServeHTTP(rw, r)
	return true
}

// sink is the other end of a request that the edge itself makes.
type sink struct {
	header http.Header
	watch  *watch
	job    job
	stop   func()
	hasher *hasher
	looked bool
	err    error
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) WriteHeader(status int) {
	if s.looked || status < 200 {
		return
	}
	s.looked = true
	if s.hasher, s.err = s.begin(status); s.err != nil {
		s.stop() // the rest is of no use
	}
}

func (s *sink) begin(status int) (*hasher, error) {
	h, e := s.header, s.watch.edge
	seen := validatorsOf(status, h)
	contentType := h.Get("Content-Type")
	switch {
	case status != http.StatusOK || !e.options.Site.wants(kindOf(contentType)) || !public(h) || h.Get("Content-Encoding") != "":
		return nil, errNoAsset
	case seen.size < 0 || seen.etag == "" && seen.modified == "":
		return nil, errNoAsset
	case kindOf(contentType) == download && renamed(h.Get("Content-Disposition"), s.job.path):
		return nil, errNoAsset
	case !seen.same(s.job.seen):
		return nil, errDiffers
	case e.library.recall(s.job.path, seen.are):
		return nil, errKnown
	}
	return newHasher(asset{Path: s.job.path, Size: seen.size, Type: contentType, ETag: seen.etag, Modified: seen.modified})
}

func (s *sink) Write(p []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.hasher.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}
