package edge

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/starling-p2p/starling/internal/loopback"
	"github.com/starling-p2p/starling/tracker"
)

// What the pages under /.starling/ may do: nothing but show themselves.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (e *Edge) makeRoutes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h http.HandlerFunc) { mux.HandleFunc(strings.Replace(pattern, "/", Prefix, 1), h) }
	handle("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", pagePolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		e.files.serve(w, r, "owner.html")
	})
	handle("GET /{file}", func(w http.ResponseWriter, r *http.Request) { e.files.serve(w, r, r.PathValue("file")) })
	handle("GET /manifest.json", func(w http.ResponseWriter, r *http.Request) {
		v := e.library.version.Load()
		w.Header().Set("Content-Type", "application/json")
		serveBytes(w, r, map[string][]byte{"": v.manifest()}, `"`+v.id+`"`, "no-cache")
	})
	handle("POST /lookup", e.lookup)
	handle("POST /beacon", e.beacon)
	handle("GET /t/{file}", e.torrentFile)
	handle("GET /w/{torrent}/{file}", e.webSeed)
	handle("GET /play/{path...}", e.play)
	handle("GET /figures.json", e.owner(func(w http.ResponseWriter, r *http.Request) { writeJSON(w, e.figures()) }))
	if e.options.PublicMetrics {
		handle("GET /metrics", e.metrics())
	} else {
		handle("GET /metrics", e.owner(e.metrics()))
	}
	if len(e.options.Trackers) == 0 {
		mux.Handle("GET "+Prefix+"announce", e.tracker)
	}
	return mux
}

// address tells who asks.
func (e *Edge) address(r *http.Request) netip.Addr {
	if e.options.Address != nil {
		return e.options.Address(r)
	}
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap()
}

// torrentFile is for BitTorrent clients: /.starling/t/<infohash>.torrent.
func (e *Edge) torrentFile(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(r.PathValue("file"), ".torrent")
	sum, err := hex.DecodeString(name)
	var t *torrent
	if ok && err == nil && len(sum) == 20 {
		t = e.library.torrent(tracker.InfoHash(sum))
	}
	if t == nil {
		http.Error(w, "There is no such torrent, or no longer.", http.StatusNotFound)
		return
	}
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	trackers := e.options.Trackers
	if len(trackers) == 0 {
		trackers = []string{strings.Replace(scheme, "http", "ws", 1) + "://" + r.Host + Prefix + "announce"}
	}
	w.Header().Set("Content-Type", "application/x-bittorrent")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.torrent"`)
	_, _ = w.Write(t.file(scheme+"://"+r.Host, trackers)) // a client that has gone is no concern of ours
}

// webSeed answers BitTorrent clients (BEP 19), who know the files of a torrent of many by their bytes alone, with what the
// site answers for them.
func (e *Edge) webSeed(w http.ResponseWriter, r *http.Request) {
	sum, err := hex.DecodeString(r.PathValue("file"))
	site := e.site.Load()
	if err == nil && len(sum) == 16 && r.PathValue("torrent") == bundleName && site != nil {
		p, ok := e.library.version.Load().bySum[[8]byte(sum)]
		if ok && [16]byte(p.asset.SHA256) == [16]byte(sum) {
			to := r.Clone(r.Context())
			to.URL = &url.URL{Path: p.asset.Path}
			to.RequestURI = to.URL.RequestURI()
			(*site).ServeHTTP(w, to)
			return
		}
	}
	http.Error(w, "There is no such file, or no longer.", http.StatusNotFound)
}

// ownerKey is what was given, else what was kept, else a new one.
func ownerKey(given, dir string) (string, error) {
	if given != "" {
		return given, nil
	}
	file := filepath.Join(dir, "owner.key")
	if dir != "" {
		kept, err := os.ReadFile(file)
		if key := strings.TrimSpace(string(kept)); err == nil && key != "" {
			return key, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading the owner's key: %w", err)
		}
	}
	key := rand.Text()
	if dir != "" {
		if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("keeping the owner's key: %w", err)
		}
	}
	return key, nil
}

// body is what a visitor sends: at most so many bytes, and not for ever.
func body(w http.ResponseWriter, r *http.Request, most int64) io.Reader {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // some have none
	return http.MaxBytesReader(w, r.Body, most)
}

// bodyTime is how long a visitor's lookup or beacon may take to arrive.
const bodyTime = 20 * time.Second

// owner lets in who has the key, and requests made on this very machine that no proxy passed on.
func (e *Edge) owner(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		peer, _ := netip.ParseAddrPort(r.RemoteAddr)
		local := peer.Addr().Unmap().IsLoopback() && loopback.Host(r.Host) && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
		if !local && subtle.ConstantTimeCompare([]byte(key), []byte(e.key)) != 1 {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "This is the owner's: open the link that starling edge printed when it started.", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// figures are what the owner's page shows.
func (e *Edge) figures() any {
	s := e.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(&bucket{})
	v := e.library.version.Load()
	var size int64
	for _, p := range v.places {
		size += p.asset.Size
	}
	type now struct {
		Version  string `json:"version"`
		Assets   int    `json:"assets"`
		Bytes    int64  `json:"bytes"`
		Torrents int    `json:"torrents"`
		Visitors int    `json:"visitors"`
	}
	return struct {
		figures
		Causes []string `json:"causes"`
		Now    now      `json:"now"`
	}{s.figures.clone(), causes[:], now{v.id, len(v.places), size, len(v.torrents), e.swarms.Stats().Peers}}
}

func (f figures) clone() figures {
	f.Minutes.Buckets = append([]bucket{}, f.Minutes.Buckets...)
	f.Hours.Buckets = append([]bucket{}, f.Hours.Buckets...)
	return f
}

// metrics are the same for Prometheus.
func (e *Edge) metrics() http.HandlerFunc {
	registry := prometheus.NewRegistry()
	registry.MustRegister(e.Collector())
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP
}

// Collector is for a Prometheus registry of one's own.
func (e *Edge) Collector() prometheus.Collector { return collector{e} }

type collector struct{ edge *Edge }

var (
	bytesDesc    = prometheus.NewDesc("starling_edge_bytes_total", "Bytes of assets: served here (measured); from peers, over http, kept from before and sent to peers (as visitors say, which cannot be proved).", []string{"from"}, nil)
	causesDesc   = prometheus.NewDesc("starling_edge_http_fallbacks_total", "Assets and pieces that visitors say came over HTTP, by cause.", []string{"cause"}, nil)
	liarsDesc    = prometheus.NewDesc("starling_edge_liars_total", "Peers that visitors say they banned.", nil, nil)
	stallsDesc   = prometheus.NewDesc("starling_edge_stalls_total", "Times that visitors say a video waited.", nil, nil)
	beaconsDesc  = prometheus.NewDesc("starling_edge_beacons_total", "Beacons.", []string{"result"}, nil)
	visitorsDesc = prometheus.NewDesc("starling_edge_visitors", "Visitors in all swarms together, as the tracker knows them.", nil, nil)
	assetsDesc   = prometheus.NewDesc("starling_edge_assets", "Assets in the current version.", nil, nil)
)

func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{bytesDesc, causesDesc, liarsDesc, stallsDesc, beaconsDesc, visitorsDesc, assetsDesc} {
		out <- d
	}
}

func (c collector) Collect(out chan<- prometheus.Metric) {
	e := c.edge
	e.stats.mu.Lock()
	e.stats.count(&bucket{})
	t := e.stats.figures.Total
	e.stats.mu.Unlock()
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for from, n := range map[string]int64{"served": t.Served, "peers": t.Peers, "http": t.HTTP, "kept": t.Kept, "sent": t.Sent} {
		counter(bytesDesc, n, from)
	}
	for i, cause := range causes {
		counter(causesDesc, t.Causes[i], cause)
	}
	counter(liarsDesc, t.Liars)
	counter(stallsDesc, t.Stalls)
	counter(beaconsDesc, e.stats.beacons.Load(), "taken")
	counter(beaconsDesc, e.stats.refused.Load(), "refused")
	out <- prometheus.MustNewConstMetric(visitorsDesc, prometheus.GaugeValue, float64(e.swarms.Stats().Peers))
	out <- prometheus.MustNewConstMetric(assetsDesc, prometheus.GaugeValue, float64(len(e.library.version.Load().places)))
}

// files are what was built of web/edge, by name, with their compressed variants: "" plain, "br", "gzip".
type files map[string]*file

type file struct {
	body map[string][]byte
	etag string
}

// loadFiles reads them, and puts the site's settings before edge.js where they are not the defaults.
func loadFiles(built fs.FS, site Site) (files, error) {
	all := files{}
	entries, err := fs.ReadDir(built, "edge")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the built scripts: %w", err)
	}
	for _, d := range entries {
		body, err := fs.ReadFile(built, path.Join("edge", d.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the built scripts: %w", err)
		}
		name, encoding := d.Name(), ""
		switch path.Ext(name) {
		case ".br":
			name, encoding = strings.TrimSuffix(name, ".br"), "br"
		case ".gz":
			name, encoding = strings.TrimSuffix(name, ".gz"), "gzip"
		}
		if all[name] == nil {
			all[name] = &file{body: map[string][]byte{}}
		}
		all[name].body[encoding] = body
	}
	if script := all["edge.js"]; script != nil && site != defaultSite {
		settings, err := json.Marshal(site)
		if err != nil {
			return nil, err
		}
		plain := append([]byte("globalThis.starlingEdge="+string(settings)+";\n"), script.body[""]...)
		script.body = map[string][]byte{"": plain, "gzip": compress(plain)}
	}
	for _, f := range all {
		sum := sha256.Sum256(f.body[""])
		f.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	}
	return all, nil
}

func compress(plain []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(plain) // memory takes all
	_ = z.Close()
	return b.Bytes()
}

const notBuilt = "The scripts are not in this program, because it was built without them. Run `make build` where Starling's sources lie, and then build this program again (docs/edge.md)."

func (all files) serve(w http.ResponseWriter, r *http.Request, name string) {
	f := all[name]
	switch {
	case len(all) == 0:
		http.Error(w, notBuilt, http.StatusServiceUnavailable)
		return
	case f == nil:
		http.Error(w, "There is nothing here.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", typeOf(name))
	h.Set("X-Content-Type-Options", "nosniff")
	// Names with a hash never change what they hold.
	cache := "no-cache"
	if strings.Contains(name, "-") {
		cache = "public, max-age=31536000, immutable"
	}
	if name == "sw.js" {
		h.Set("Service-Worker-Allowed", "/")
	}
	serveBytes(w, r, f.body, f.etag, cache)
}

// serveBytes answers with the smallest variant that the client takes.
func serveBytes(w http.ResponseWriter, r *http.Request, body map[string][]byte, etag, cache string) {
	encoding := ""
	for _, e := range [...]string{"br", "gzip"} {
		if body[e] != nil && accepts(r.Header.Get("Accept-Encoding"), e) {
			encoding = e
			break
		}
	}
	if encoding != "" {
		etag = strings.TrimSuffix(etag, `"`) + "-" + encoding + `"`
		w.Header().Set("Content-Encoding", encoding)
	}
	h := w.Header()
	h.Set("Cache-Control", cache)
	h.Set("ETag", etag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == etag {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body[encoding])))
	_, _ = w.Write(body[encoding]) // a client that has gone is no concern of ours
}

// accepts reads an Accept-Encoding header (RFC 9110, section 12.5.3) that names an encoding.
func accepts(header, encoding string) bool {
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			q, weighted := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			return !weighted || err == nil && weight > 0
		}
	}
	return false
}
