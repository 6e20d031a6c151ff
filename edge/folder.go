package edge

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/starling-p2p/starling/internal/ctime"
	"github.com/starling-p2p/starling/internal/mimetypes"
)

// scanEach is how often a folder is looked at for what has changed: a few thousand files take some milliseconds.
const scanEach = 2 * time.Second

func typeOf(name string) string { return cmp.Or(mimetypes.Of(name), "application/octet-stream") }

// folder is a site that lies on disk. Links that lead out of it are not followed, and hidden files are not served.
type folder struct {
	edge *Edge
	dir  string
	// mu is held for reading while something is looked up in root; info is of root.
	mu   sync.RWMutex
	root *os.Root
	info fs.FileInfo
	// release lets versions be made again: some file is about to be hashed.
	release func()
}

// stampOf tells whether a file has changed, also one that is as long as before and of the same time (internal/ctime).
func stampOf(info fs.FileInfo) string {
	return `"` + strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36) + "-" + strconv.FormatInt(ctime.Of(info), 36) + `"`
}

// Folder serves the files below dir, with everything of the edge. It knows of changes without being asked, within a few
// seconds. Call it once, in place of Handler.
func (e *Edge) Folder(dir string) (http.Handler, error) {
	if cache := e.options.CacheDir; cache != "" && Serves(dir, cache) {
		return nil, fmt.Errorf("the cache's folder %s lies in the site, where everybody could read the owner's key: choose another one", cache)
	}
	f := &folder{edge: e, dir: dir}
	if err := f.enter(); err != nil {
		return nil, fmt.Errorf("opening the site's folder: %w", err)
	}
	e.run(f.watch)
	return e.mount(f), nil
}

// enter opens the folder that has the site's name now, in place of the one that had it.
func (f *folder) enter() error {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return err
	}
	info, err := root.Stat(".")
	f.mu.Lock()
	defer f.mu.Unlock()
	if err = errors.Join(err, f.edge.ctx.Err()); err != nil {
		_ = root.Close()
		return err
	}
	if f.root != nil {
		_ = f.root.Close()
	}
	f.root, f.info = root, info
	return nil
}

// here gives the folder until done is called. Deploys put another one in its place, or have a link lead to another.
func (f *folder) here() (root *os.Root, done func()) {
	f.mu.RLock()
	if now, err := os.Stat(f.dir); err == nil && !os.SameFile(now, f.info) {
		f.mu.RUnlock()
		_ = f.enter() // the last one is better than none
		f.mu.RLock()
	}
	return f.root, f.mu.RUnlock
}

func (f *folder) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.root.Close()
}

// Serves says whether Folder(dir) gives everybody what lies at a path of this machine, a file or a folder.
func Serves(dir, at string) bool {
	real := func(p string) string {
		if whole, err := filepath.Abs(p); err == nil {
			p = whole
		}
		if whole, err := filepath.EvalSymlinks(p); err == nil {
			p = whole
		}
		return p
	}
	rel, err := filepath.Rel(real(dir), real(at))
	return err == nil && (rel == "." || filepath.IsLocal(rel) && !hidden("/"+filepath.ToSlash(rel)+"/"))
}

func hidden(p string) bool {
	return (strings.Contains(p, "/.") && !strings.HasPrefix(p, "/.well-known/")) || strings.Contains(p, "\x00")
}

func (f *folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD work here.", http.StatusMethodNotAllowed)
		return
	}
	clean := path.Clean("/" + r.URL.Path)
	if hidden(clean) {
		f.missing(w, r)
		return
	}
	file, info, err := f.open(clean)
	if err == nil && info.IsDir() {
		_ = file.Close()
		if !strings.HasSuffix(r.URL.Path, "/") {
			// Not to another host, whatever the path looks like: it is clean, and begins with one slash.
			to := url.URL{Path: clean + "/", RawQuery: r.URL.RawQuery}
			http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
			return
		}
		clean = path.Join(clean, "index.html")
		file, info, err = f.open(clean)
	} else if err == nil && strings.HasSuffix(r.URL.Path, "/") {
		_ = file.Close()
		err = fs.ErrNotExist
	}
	if err != nil || !info.Mode().IsRegular() {
		if err == nil {
			_ = file.Close()
		}
		f.missing(w, r)
		return
	}
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", typeOf(clean))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", f.etag(r, clean, stampOf(info)))
	h.Set("Cache-Control", "no-cache")
	m := f.edge.stats.meter(w, f.edge.library.get(clean) != nil)
	http.ServeContent(m, r, "", info.ModTime(), file)
}

// etag is the same wherever the same bytes lie, and after each deploy of them, once they are known. Who began before that
// goes on with the stamp.
func (f *folder) etag(r *http.Request, clean, stamp string) string {
	a := f.edge.library.get(clean)
	if a == nil || a.Stamp != stamp || strings.Contains(r.Header.Get("If-Range")+r.Header.Get("If-None-Match"), stamp) {
		return stamp
	}
	return a.ETag
}

func (f *folder) open(clean string) (*os.File, fs.FileInfo, error) {
	name := strings.TrimPrefix(clean, "/")
	if name == "" {
		name = "."
	}
	root, done := f.here()
	defer done()
	// Opening a pipe would wait for who writes to it.
	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() && !info.IsDir() {
		return nil, nil, errors.Join(err, fs.ErrNotExist)
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
	}
	return file, info, err
}

// missing shows the site's own 404.html.
func (f *folder) missing(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if file, info, err := f.open("/404.html"); err == nil {
		defer file.Close()
		if info.Mode().IsRegular() {
			w.Header().Set("Content-Type", typeOf("404.html"))
			w.WriteHeader(http.StatusNotFound)
			if r.Method == http.MethodGet {
				_, _ = io.Copy(w, file) // a client that has gone is no concern of ours
			}
			return
		}
	}
	http.Error(w, "There is nothing here.", http.StatusNotFound)
}

func (f *folder) watch(ctx context.Context) {
	defer f.leave()
	tick := time.NewTicker(scanEach)
	defer tick.Stop()
	for first := true; ; first = false {
		if err := f.scan(ctx, first); err != nil && ctx.Err() == nil {
			f.edge.log.Warn("the site's folder cannot be looked at", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// assets are the folder's files that visitors may carry, by path.
func (f *folder) assets(ctx context.Context) (there map[string]fs.FileInfo, err error) {
	e := f.edge
	there = map[string]fs.FileInfo{}
	root, done := f.here()
	defer done()
	return there, fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return nil // it has just gone, or is not for us
		}
		p := "/" + name
		if name != "." && hidden(p) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() || !e.options.Site.wants(kindOf(typeOf(name))) || excluded(e.options.Exclude, p) {
			return nil
		}
		info, err := d.Info()
		if d.Type() == fs.ModeSymlink {
			info, err = root.Stat(name)
		}
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > largest || len(there) >= maxAssets {
			return nil
		}
		there[p] = info
		return nil
	})
}

// scan brings the library up to date. What changed a moment ago may still be being written and is left out until the next
// scan; at the start all is taken as it is.
func (f *folder) scan(ctx context.Context, first bool) error {
	e := f.edge
	there, err := f.assets(ctx)
	if err != nil {
		return err
	}
	defer e.library.hold()()
	if len(there) > 0 { // else its disk may not be mounted yet
		e.library.only(there)
	}
	var wait bool
	for _, a := range e.library.all() {
		if info := there[a.Path]; info == nil || stampOf(info) != a.Stamp {
			e.library.drop(a.Path)
		}
	}
	for p, info := range there {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case e.library.get(p) != nil || e.library.recall(p, func(a *asset) bool { return a.Stamp == stampOf(info) }):
			continue
		case !first && time.Since(info.ModTime()).Abs() < scanEach/2: // one of tomorrow, as archives and clocks have them, is as old as any
			wait = true
			continue
		}
		if a, err := f.hash(ctx, p, info); err == nil {
			e.library.add(a)
		} else if errors.Is(err, errChanged) {
			wait = true
		} else if !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			e.log.Warn("a file cannot be read", "path", p, "error", err)
		}
	}
	if f.release != nil {
		f.release()
		f.release = nil
	}
	if wait {
		f.release = e.library.hold()
	}
	return nil
}

func (f *folder) hash(ctx context.Context, p string, seen fs.FileInfo) (*asset, error) {
	file, info, err := f.open(p)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	stamp := stampOf(seen)
	if stampOf(info) != stamp {
		return nil, errChanged
	}
	a, err := hashAll(asset{Path: p, Size: seen.Size(), Type: typeOf(p), Stamp: stamp}, reader{ctx, file})
	if err != nil {
		return nil, err
	}
	a.ETag = `"` + base64.RawURLEncoding.EncodeToString(a.SHA256[:12]) + `"`
	if info, err := file.Stat(); err != nil || stampOf(info) != stamp {
		return nil, errChanged
	}
	return a, nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
