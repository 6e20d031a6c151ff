package edge

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A player that plays by itself is not kept waiting for its first seconds. On a first visit no service worker is there yet
// that could take the rest of what it asks for, so it is told another URL, of which it gets little at a time as long as it
// is at the beginning, and asks again:
//
//	GET /.starling/play/film.webm                      HTTP               service worker, when it has come
//	  Range: bytes=0-        ── 206, 2.25 s of it ──┘                                  │
//	  Range: bytes=427500-   ── 206, little, and slowly ──┘                            │
//	  Range: bytes=493036-   ── from peers ─────────────────────────────────────────────┘
const (
	// head and step are how much of a film a player gets at its start and after it, in seconds, and then more each time, by
	// a growth-th of what it got since; at least leastStep bytes and at most mostStep. Chromium reads two seconds of a WebM
	// before it shows any.
	head      = 2.25
	step      = 0.25
	growth    = 3
	leastStep = 64 << 10
	mostStep  = 4 << 20
	// hold is how long such a step takes. The player has more than that to play, even where the site is 400 ms away: whose
	// service worker never comes sees no stall.
	hold = 300 * time.Millisecond
	// The start ends in so many slices, one after another: by how bytes come Chromium judges whether they come quickly
	// enough to begin, and of a line that brings all at once it learns nothing.
	beats = 4
	slice = 32 << 10
	beat  = time.Millisecond
	// opening is the part of a film that is given so, in seconds: whose service worker has not come until then has none.
	opening = 8.0
	// usual is taken for the bytes per second of a film that does not say how long it is.
	usual = 256 << 10
)

// play answers GET /.starling/play/<path of an asset>.
func (e *Edge) play(w http.ResponseWriter, r *http.Request) {
	// Of this site, whatever it is.
	u := &url.URL{Path: "/" + strings.TrimLeft(r.PathValue("path"), "/")}
	a, site := e.library.get(u.Path), e.site.Load()
	if a == nil || site == nil {
		http.Redirect(w, r, u.EscapedPath(), http.StatusTemporaryRedirect)
		return
	}
	to := r.Clone(r.Context())
	to.URL, to.RequestURI = u, u.RequestURI()
	out := &fleeting{ResponseWriter: w, done: r.Context().Done()}
	if from, ok := rest(r.Header.Get("Range"), a.Size); ok && asksAgain(r.UserAgent()) {
		portion := min(a.portion(from), a.Size-from)
		to.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+portion-1))
		switch {
		case from == 0:
			out.free, out.gap = portion-beats*slice, beat
		case portion < a.Size-from:
			out.gap = hold * slice / time.Duration(portion)
		}
	}
	(*site).ServeHTTP(out, to)
}

// portion is how many bytes from there on a player gets at once.
func (a *asset) portion(from int64) int64 {
	rate := float64(usual)
	if a.Seconds > 0 {
		rate = float64(a.Size) / a.Seconds
	}
	switch {
	case from == 0:
		rate *= head
	case float64(from) < opening*rate:
		rate = rate*step + (float64(from)-rate*head)/growth
	default:
		return a.Size
	}
	return min(max(int64(rate), leastStep), mostStep)
}

// asksAgain says whether a player is of a kind that is known to ask for the rest when it gets less than it asked for. Others,
// WebKit's among them, get what they ask for.
func asksAgain(userAgent string) bool {
	return strings.Contains(userAgent, "Chrome/") || strings.Contains(userAgent, "Firefox/")
}

// rest reads a Range header that asks for all from some byte on.
func rest(header string, size int64) (from int64, ok bool) {
	start, end, ok := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	from, err := strconv.ParseInt(start, 10, 64)
	return from, ok && err == nil && from >= 0 && from < size && (end == "" || end == strconv.FormatInt(size-1, 10))
}

// fleeting is a response that no cache keeps: it would ask for what it lacks by itself, past any service worker.
type fleeting struct {
	http.ResponseWriter
	done <-chan struct{}
	// free bytes go at once, then each slice waits, a part of one in proportion.
	free int64
	gap  time.Duration
}

func (f *fleeting) WriteHeader(status int) {
	f.Header().Set("Cache-Control", "no-store")
	if status != http.StatusPartialContent {
		f.gap = 0 // it is more than was asked for
	}
	f.ResponseWriter.WriteHeader(status)
}

func (f *fleeting) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		part := p[n:min(n+slice, len(p))]
		f.free -= int64(len(part))
		if slow := min(int64(len(part)), -f.free); slow > 0 && f.gap > 0 {
			_ = http.NewResponseController(f.ResponseWriter).Flush() // it is only sooner
			select {
			case <-time.After(f.gap * time.Duration(slow) / slice):
			case <-f.done:
			}
		}
		var m int
		m, err = f.ResponseWriter.Write(part)
		n += m
	}
	return n, err
}

// Unwrap is for http.ResponseController.
func (f *fleeting) Unwrap() http.ResponseWriter { return f.ResponseWriter }
