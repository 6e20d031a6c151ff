package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starling-p2p/starling/tracker"
)

const (
	// maxAssets bounds what strangers can make an edge remember by asking for paths that a site answers. Where a site has
	// more, those of which something was seen longest ago make way, a sixteenth at a time: each version is a new swarm.
	maxAssets = 100_000
	wayFor    = 16
	// oldVersions are so many whose torrents visitors may still be in.
	oldVersions = 16
	// settle is how long nothing may have changed before a version is made; the longer ago the last change, the longer, up
	// to slowest, for each version is a new swarm.
	settle  = 500 * time.Millisecond
	slowest = time.Minute
	// longestHold is how long a version waits for what is being hashed, and for a site of which more is seen all the time.
	longestHold = 10 * time.Second
	saveEach    = 5 * time.Second
	// unseen is how long an asset is kept that the site was not seen to have, as nobody asked for it.
	unseen = 90 * 24 * time.Hour
)

// library is what is known of the site: assets by path, and the version that is made of them.
type library struct {
	path string
	keep bool
	log  *slog.Logger
	most int
	// seen is when something was last seen of a path; nil: nothing makes way for anything.
	seen func(path string) time.Time

	mu      sync.RWMutex
	assets  map[string]*asset
	known   map[string]kept // of the cache: not yet seen on the site since the start
	version atomic.Pointer[version]
	// swarms are the torrents of this version and of some before.
	swarms map[tracker.InfoHash]*torrent
	recent []*version
	// added and changed are when something last did, since the version was made; zero when nothing has.
	added, changed time.Time
	dirty          bool
	wake           chan struct{}
	held           atomic.Int32
	since          time.Time // of the first change that no version has
	// delay is what an addition waits for a version.
	delay time.Duration
}

// kept is an asset in the cache.
type kept struct {
	asset
	// Seen is when it was last known to be the site's, in seconds since 1970. Sites whose files have other names with each
	// deploy leave those of before behind.
	Seen int64 `json:"seen,omitempty"`
}

func newLibrary(path string, keep bool, log *slog.Logger) *library {
	l := &library{
		path: path, keep: keep, log: log, most: maxAssets, delay: settle,
		assets: map[string]*asset{}, known: map[string]kept{}, swarms: map[tracker.InfoHash]*torrent{}, wake: make(chan struct{}, 1),
	}
	l.version.Store(newVersion(nil))
	if !keep {
		return l
	}
	var cached []kept
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &cached)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("the kept hashes cannot be read; assets are hashed again", "file", path, "error", err)
	}
	var last int64
	for _, a := range cached {
		if a.Seen == 0 {
			a.Seen = time.Now().Unix()
		}
		if a.sound() && len(l.known) < maxAssets {
			l.known[a.Path] = a
			last = max(last, a.Seen)
		}
	}
	// Who was on before the restart is back before the site is known again, and would keep away for long if it was refused.
	site := map[string]*asset{}
	for path, k := range l.known {
		if k.Seen == last {
			site[path] = &k.asset
		}
	}
	if len(site) > 0 {
		l.admit(newVersion(site))
	}
	return l
}

// get returns what is known of a path now.
func (l *library) get(path string) *asset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.assets[path]
}

// recall takes an asset over from before the restart, where it is the same still.
func (l *library) recall(path string, same func(*asset) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k, ok := l.known[path]
	if !ok || !same(&k.asset) {
		return false
	}
	l.put(&k.asset)
	return true
}

// only forgets what was kept of paths from before the restart that are not the site's any more.
func (l *library) only(there map[string]fs.FileInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for path := range l.known {
		if _, ok := there[path]; !ok {
			delete(l.known, path)
			l.dirty = true
		}
	}
}

// add puts an asset in place of what was known of its path.
func (l *library) add(a *asset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(a)
}

// restore takes back that a path was dropped, where nothing else has come since.
func (l *library) restore(a *asset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.assets[a.Path] == nil {
		l.put(a)
	}
}

func (l *library) put(a *asset) {
	old := l.assets[a.Path]
	if old == nil && len(l.assets) >= l.most && !l.makeRoom() {
		return
	}
	l.assets[a.Path] = a
	delete(l.known, a.Path)
	l.dirty = true
	switch {
	case old == nil:
		l.added = time.Now()
	case !bytes.Equal(old.SHA256, a.SHA256) || old.Type != a.Type:
		l.changed = time.Now()
	default:
		return
	}
	l.poke()
}

func (l *library) makeRoom() bool {
	if l.seen == nil {
		return false
	}
	seen := make(map[string]time.Time, len(l.assets))
	for path := range l.assets {
		seen[path] = l.seen(path)
	}
	longest := slices.SortedFunc(maps.Keys(seen), func(a, b string) int { return seen[a].Compare(seen[b]) })
	for _, path := range longest[:(len(longest)+wayFor-1)/wayFor] {
		delete(l.assets, path)
	}
	return true
}

// drop forgets a path: from now on nobody is told of it.
func (l *library) drop(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.assets[path] == nil {
		return
	}
	delete(l.assets, path)
	l.changed, l.dirty = time.Now(), true
	l.poke()
}

func (l *library) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// all returns what is known now.
func (l *library) all() []*asset {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Collect(maps.Values(l.assets))
}

// hold says that more is about to be known: a version waits for it, though not for ever. The function takes it back.
func (l *library) hold() func() {
	l.held.Add(1)
	return sync.OnceFunc(func() {
		l.held.Add(-1)
		l.poke()
	})
}

// allows says whether the tracker serves a swarm.
func (l *library) allows(h tracker.InfoHash) bool { return l.torrent(h) != nil }

func (l *library) torrent(h tracker.InfoHash) *torrent {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.swarms[h]
}

// run makes versions, and keeps what changed, until the context ends.
func (l *library) run(ctx context.Context) {
	timer, keep := time.NewTimer(0), time.NewTicker(saveEach)
	defer timer.Stop()
	defer keep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		case <-keep.C:
			if err := l.save(); err != nil {
				l.log.Warn("hashes cannot be kept", "error", err)
			}
			continue
		}
		if next := l.publish(time.Now()); next > 0 {
			timer.Reset(next)
		}
	}
}

// publish makes a version if it is time; else it says when it will be, 0 where there is nothing to publish.
func (l *library) publish(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.added
	if l.changed.After(last) {
		last = l.changed
	}
	if last.IsZero() {
		return 0
	}
	if l.since.IsZero() {
		l.since = now
	}
	if wait := settle - now.Sub(last); wait > 0 && now.Sub(l.since) < longestHold {
		return wait
	}
	if wait := longestHold - now.Sub(l.since); l.held.Load() > 0 && wait > 0 {
		return wait
	}
	// What only adds to a version can wait: who is on need not move.
	if wait := l.delay - now.Sub(l.version.Load().made); l.changed.IsZero() && wait > 0 {
		return wait
	}
	if l.changed.IsZero() {
		l.delay = min(slowest, 2*l.delay)
	} else {
		l.delay = settle
	}
	l.added, l.changed, l.since = time.Time{}, time.Time{}, time.Time{}
	l.set(newVersion(l.assets))
	return 0
}

func (l *library) set(v *version) {
	l.version.Store(v)
	l.admit(v)
	l.log.Info("a new version of the site's assets", "version", v.id, "assets", len(v.places), "torrents", len(v.torrents))
}

// admit lets visitors into a version's swarms, besides those of some before.
func (l *library) admit(v *version) {
	if n := len(l.recent); n > 0 && l.recent[n-1].id == v.id {
		l.recent[n-1] = v // as it was; those before are not to be forgotten for it
	} else if l.recent = append(l.recent, v); len(l.recent) > oldVersions {
		l.recent = l.recent[1:]
	}
	clear(l.swarms)
	for _, v := range l.recent {
		for _, t := range v.torrents {
			l.swarms[t.infoHash] = t
		}
	}
}

// save writes what changed to the cache, all or nothing.
func (l *library) save() error {
	l.mu.Lock()
	dirty := l.dirty
	l.dirty = false
	all := make([]kept, 0, len(l.assets)+len(l.known))
	now := time.Now()
	for _, a := range l.assets {
		all = append(all, kept{*a, now.Unix()})
	}
	for path, k := range l.known {
		if now.Sub(time.Unix(k.Seen, 0)) > unseen {
			delete(l.known, path)
		} else {
			all = append(all, k)
		}
	}
	l.mu.Unlock()
	if !l.keep || !dirty {
		return nil
	}
	data, err := json.Marshal(all)
	if err == nil {
		err = replaceFile(l.path, data)
	}
	if err != nil {
		l.mu.Lock()
		l.dirty = true // the disk may have room again in a minute
		l.mu.Unlock()
		return fmt.Errorf("keeping hashes in %s: %w", l.path, err)
	}
	return nil
}

// replaceFile leaves the old file or the new one, and nothing in between.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
