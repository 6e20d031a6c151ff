package gate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/starling-p2p/starling/tracker"
)

const (
	// lookEvery is how often files are looked at for changes.
	lookEvery = 5 * time.Second
	// maxEntries is the most infohashes of one file, some two gigabytes of memory.
	maxEntries = 20_000_000
)

// List is which torrents a tracker serves: those in a file, or all but those in a file. A file has one infohash in hex
// on each line; empty lines are left out, and what follows a #.
type List struct {
	allow, deny *file // nil: none
	log         *slog.Logger
}

type file struct {
	path     string
	modified time.Time
	size     int64
	hashes   atomic.Pointer[map[tracker.InfoHash]struct{}]
}

// OpenList reads the files; an empty name is no file. Errors name the file and the line.
func OpenList(allow, deny string, log *slog.Logger) (*List, error) {
	l := &List{log: log}
	for _, f := range []struct {
		path string
		to   **file
	}{{allow, &l.allow}, {deny, &l.deny}} {
		if f.path == "" {
			continue
		}
		*f.to = &file{path: f.path}
		if err := (*f.to).read(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Allow says whether a torrent is served: it is in the allow list, if there is one, and not in the deny list. Safe for
// concurrent use, also on nil.
func (l *List) Allow(h tracker.InfoHash) bool {
	if l == nil {
		return true
	}
	return (l.allow == nil || l.allow.has(h)) && (l.deny == nil || !l.deny.has(h))
}

func (f *file) has(h tracker.InfoHash) bool {
	_, ok := (*f.hashes.Load())[h]
	return ok
}

// Watch reads files again when they have changed, and when now says so, until the context ends; then it calls changed.
// A file that cannot be read, or not understood, leaves things as they are, and the log says so.
func (l *List) Watch(ctx context.Context, now <-chan os.Signal, changed func()) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		force := false
		select {
		case <-ctx.Done():
			return
		case <-now:
			force = true
		case <-t.C:
		}
		if l.again(force) {
			changed()
		}
	}
}

// again reads what has changed and says whether there was any.
func (l *List) again(force bool) (changed bool) {
	for _, f := range []*file{l.allow, l.deny} {
		if f == nil || !force && !f.changed() {
			continue
		}
		if err := f.read(); err != nil {
			l.log.Error("the list of torrents stays as it was", "error", err)
			continue
		}
		l.log.Info("read a list of torrents", "file", f.path, "torrents", len(*f.hashes.Load()))
		changed = true
	}
	return changed
}

func (f *file) changed() bool {
	i, err := os.Stat(f.path)
	// A file that is missing is just being replaced, or the log will say so when it is read at the next signal.
	return err == nil && (!i.ModTime().Equal(f.modified) || i.Size() != f.size)
}

func (f *file) read() error {
	r, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("reading the list of torrents: %w", err)
	}
	defer r.Close()
	i, err := r.Stat()
	if err != nil {
		return fmt.Errorf("reading the list of torrents: %w", err)
	}
	// Noted before it is understood: one that is broken is complained about once.
	f.modified, f.size = i.ModTime(), i.Size()
	hashes, err := parse(r)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.hashes.Store(&hashes)
	return nil
}

func parse(r io.Reader) (map[tracker.InfoHash]struct{}, error) {
	hashes := map[tracker.InfoHash]struct{}{}
	lines := bufio.NewScanner(r)
	n := 1
	for ; lines.Scan(); n++ {
		line, _, _ := bytes.Cut(lines.Bytes(), []byte("#"))
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var h tracker.InfoHash
		if len(line) != hex.EncodedLen(len(h)) {
			return nil, fmt.Errorf("line %d is not an infohash of 40 hex digits", n)
		}
		if _, err := hex.Decode(h[:], line); err != nil {
			return nil, fmt.Errorf("line %d is not an infohash of 40 hex digits", n)
		}
		if hashes[h] = struct{}{}; len(hashes) > maxEntries {
			return nil, fmt.Errorf("more than %d infohashes", maxEntries)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n, err)
	}
	return hashes, nil
}
