package edge

import (
	"context"
	"net/http"
	"time"
)

// Where visitors have an asset from one another, none of them would see that the site has something else by now. So as long
// as pages ask for it, the site is asked, too, whether it is still the same: as nobody in particular, and for no bytes.
//
//	lookup ── sure for too long? ──► confirm ──┐           ┌ 304, or the same ──► as before
//	a visitor got 404, 412, … ───────► doubt ──┴► check ──┤ no answer ─────────► as before
//	               told to nobody meanwhile               └ anything else ─────► told to nobody
//
// What a visitor gets can be of their own making (If-Match, Expect, …), so it is not believed alone.

const (
	// confirmEach is how long the site's word is good.
	confirmEach = 30 * time.Second
	checkTime   = 30 * time.Second
)

// confirm has the site asked about an asset, unless it was lately.
func (w *watch) confirm(a *asset) {
	w.mu.Lock()
	due := time.Since(w.sure[a.Path].at) >= confirmEach
	by := w.wayTo(a.Path)
	if due {
		w.sure[a.Path] = word{time.Now(), by}
	}
	w.mu.Unlock()
	if due {
		w.enqueue(job{path: a.Path, way: by, known: a})
	}
}

// confirmed: the site has just given it to nobody in particular. To a visitor it may give what others do not get.
func (w *watch) confirmed(a *asset) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sure[a.Path] = word{time.Now(), w.wayTo(a.Path)}
}

// came: whoever comes so gets this asset, and perhaps no other: anybody may name a host.
func (w *watch) came(path string, by way) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sure) >= 2*maxAssets {
		clear(w.sure)
	}
	w.sure[path] = word{w.sure[path].at, by}
	w.way = by
}

// wayTo is with mu held.
func (w *watch) wayTo(path string) way {
	if by := w.sure[path].by; by != (way{}) {
		return by
	}
	return w.way
}

// seen is when the site last gave it to nobody in particular, or was asked again as pages asked for it.
func (w *watch) seen(path string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sure[path].at
}

// doubt: a visitor got no bytes at all, but an error or another place. Nobody is told of what was known until the site has been asked.
func (w *watch) doubt(a *asset) {
	if a == nil {
		return
	}
	w.edge.library.drop(a.Path)
	w.mu.Lock()
	by := w.wayTo(a.Path)
	w.mu.Unlock()
	w.enqueue(job{path: a.Path, way: by, known: a})
}

// check asks the site whether an asset is what it was.
func (w *watch) check(ctx context.Context, j job) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	a, l := j.known, w.edge.library
	condition := http.Header{}
	if a.ETag != "" {
		condition.Set("If-None-Match", a.ETag)
	}
	if a.Modified != "" {
		condition.Set("If-Modified-Since", a.Modified)
	}
	v := &verdict{header: http.Header{}, stop: cancel}
	_ = w.ask(ctx, v, j.path, j.way, condition) // it breaks off where the header is all that was wanted
	h := v.header
	switch {
	case v.status == http.StatusNotModified,
		v.status == http.StatusOK && w.edge.options.Site.wants(kindOf(h.Get("Content-Type"))) && public(h) && validatorsOf(v.status, h).same(a.validators()):
		l.restore(a)
	case v.status == 0, v.status >= 500, v.status == http.StatusTooManyRequests:
	default:
		if l.get(j.path) == a {
			l.drop(j.path)
		}
		return errNoAsset
	}
	return nil
}

// verdict is the other end of a request of which only the answer's header matters.
type verdict struct {
	header http.Header
	stop   func()
	status int
}

func (v *verdict) Header() http.Header { return v.header }

func (v *verdict) WriteHeader(status int) {
	if v.status == 0 && status >= 200 {
		v.status, v.header = status, v.header.Clone()
	}
}

func (v *verdict) Write([]byte) (int, error) {
	v.WriteHeader(http.StatusOK)
	v.stop()
	return 0, http.ErrBodyNotAllowed
}
