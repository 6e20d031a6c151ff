package httpd

import (
	"io"
	"net/http"
	"regexp"
	"strings"
)

const (
	forever  = "public, max-age=31536000, immutable"
	askAgain = "no-cache"
	notBuilt = "The pages are not in this program, because it was built without them. Run `make build`, which builds both."
	notFound = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Not found</title>` +
		`<h1>There is nothing here</h1><p>The address may be mistyped or cut short. <a href="/">Open Starling</a>, or ask whoever sent it for the whole link.</p></html>` + "\n"
)

func (s *Server) routes(files static) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/announce", s.announce)
	mux.HandleFunc("/scrape", s.scrape)
	mux.HandleFunc("/stats.json", get(s.stats))
	mux.HandleFunc("/stats", s.day(files))
	if s.trackers.users != nil {
		mux.HandleFunc("/u/{user}/announce", s.announce)
		mux.HandleFunc("/u/{user}/scrape", s.scrape)
		mux.HandleFunc("/users.json", get(s.users))
	}
	mux.Handle("/metrics", s.metrics())
	mux.HandleFunc("/healthz", get(s.health))
	if s.trackerOnly {
		mux.HandleFunc("/stats/", get(files.other))
		mux.HandleFunc("/", s.alone)
		return s.headers(s.sockets(mux))
	}
	mux.HandleFunc("/api/ice", get(s.ice))
	for _, page := range []string{"/{$}", "/memos", "/memos/{id}", "/files", "/files/{id}", "/about"} {
		mux.HandleFunc(page, get(files.page))
	}
	mux.HandleFunc("/files/shared", files.shared)
	for _, page := range []string{"/m", "/f", "/share"} {
		mux.HandleFunc(page, get(files.link))
	}
	mux.HandleFunc("/~/download/", get(stay))
	mux.HandleFunc("/", get(files.other))
	return s.headers(s.sockets(mux))
}

// get refuses what neither GET nor HEAD is.
func get(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Only GET and HEAD work here.", http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	}
}

func (files static) page(w http.ResponseWriter, r *http.Request) {
	if index := files["/index.html"]; index != nil {
		index.serve(w, r, askAgain)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, notBuilt, http.StatusServiceUnavailable)
}

// link is the page where somebody opens a link: the same, but that it asks for the engine at once.
func (files static) link(w http.ResponseWriter, r *http.Request) {
	if page := files["/link.html"]; page != nil {
		page.serve(w, r, askAgain)
		return
	}
	files.page(w, r)
}

// stay answers a page that goes to a download of its own when no service worker of its browser takes it: the site's data
// was cleared, say. It stays where it is.
func stay(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// missing gives people the app, which says the same in its own looks and leads home; to programs a few words.
func (files static) missing(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if index := files["/index.html"]; index != nil && strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Vary", "Accept, Accept-Encoding")
		index.write(w, r, index.choose(r.Header.Get("Accept-Encoding")), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, notFound)
}

// A link whose # somebody wrote as %23, once or twice: Outlook's Safe Links does, and others that look into mail.
var escaped = regexp.MustCompile(`^(/[mf])(?:#|%23)([\w.&=%+-]+)$`)

// mended returns such a link as it was, or "". What was behind its # came here; nothing writes it down.
func mended(path string) string {
	parts := escaped.FindStringSubmatch(path)
	if parts == nil {
		return ""
	}
	return parts[1] + "#" + parts[2]
}

func (files static) other(w http.ResponseWriter, r *http.Request) {
	if len(files) == 0 {
		files.page(w, r)
		return
	}
	if link := mended(r.URL.Path); link != "" {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, link, http.StatusFound)
		return
	}
	f := files[r.URL.Path]
	// These have addresses of their own, such as / and /m.
	if f == nil || r.URL.Path == "/index.html" || r.URL.Path == "/link.html" {
		files.missing(w, r)
		return
	}
	cache := askAgain
	switch {
	case strings.HasPrefix(r.URL.Path, "/assets/"):
		cache = forever
		// What starling.js loads; its own names.
		if strings.HasPrefix(r.URL.Path, "/assets/starling-") {
			anyOrigin(w.Header())
		}
	// The engine, with what pages of other origins load or copy beside it.
	case strings.HasPrefix(r.URL.Path, "/starling"):
		anyOrigin(w.Header())
	case r.URL.Path == "/sw.js":
		w.Header().Set("Service-Worker-Allowed", "/")
	}
	f.serve(w, r, cache)
}
