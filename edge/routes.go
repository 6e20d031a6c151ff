package edge

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

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

// secure says whether who asks came by HTTPS, be it to a proxy in front of this program.
func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
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
	if secure(r) {
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

// body is what a visitor sends: at most so many bytes, and not for ever.
func body(w http.ResponseWriter, r *http.Request, most int64) io.Reader {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // some have none
	return http.MaxBytesReader(w, r.Body, most)
}

// bodyTime is how long a visitor's lookup or beacon may take to arrive.
const bodyTime = 20 * time.Second
