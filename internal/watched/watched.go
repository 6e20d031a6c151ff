// Package watched keeps what is in files that somebody else writes while the program runs: lists, databases,
// certificates.
//
//	files ── every 5 s: another time or size? ──► read ──► Get, for anybody
//	a signal ─────────────────── in any case ─────┘ └──► error: what was read last stays, and the log says so
package watched

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// lookEvery is how often files are looked at for changes.
const lookEvery = 5 * time.Second

// Source is where a T comes from.
type Source[T any] struct {
	// What it is, for the log: "a list".
	What string
	// Paths are the files that make it up.
	Paths []string
	// Read opens and understands them. Its errors name the file.
	Read func() (*T, error)
	// About is what the log says of one that was read: names and values. Nil: nothing.
	About func(*T) []any
}

// Files are those of a Source, and what was understood of them last.
type Files[T any] struct {
	source Source[T]
	log    *slog.Logger
	seen   []stamp
	value  atomic.Pointer[T]
}

// stamp tells one version of a file from the next.
type stamp struct {
	modified time.Time
	size     int64
}

// Open reads for the first time; the error is Read's.
func Open[T any](source Source[T], log *slog.Logger) (*Files[T], error) {
	f := &Files[T]{source: source, log: log}
	f.seen, _ = f.look()
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Get is what was understood last. Safe for concurrent use.
func (f *Files[T]) Get() *T { return f.value.Load() }

// Again reads the files if they have changed, or must be read, and says whether there is something new. It is for one
// goroutine at a time, and for nil there is never anything new.
func (f *Files[T]) Again(force bool) bool {
	if f == nil {
		return false
	}
	seen, whole := f.look()
	// One that is missing is just being replaced.
	if !force && (!whole || slices.EqualFunc(seen, f.seen, stamp.equal)) {
		return false
	}
	// Noted before it is understood: one that is broken is complained about once.
	f.seen = seen
	if err := f.read(); err != nil {
		f.log.Error(f.source.What+" stays as it was", "error", err)
		return false
	}
	about := []any{"file", f.source.Paths[0]}
	if f.source.About != nil {
		about = append(about, f.source.About(f.Get())...)
	}
	f.log.Info("read "+f.source.What, about...)
	return true
}

// look notes how the files are now, and whether all are there.
func (f *Files[T]) look() (seen []stamp, whole bool) {
	seen, whole = make([]stamp, len(f.source.Paths)), true
	for i, path := range f.source.Paths {
		info, err := os.Stat(path)
		if err != nil {
			whole = false
			continue
		}
		seen[i] = stamp{info.ModTime(), info.Size()}
	}
	return seen, whole
}

func (s stamp) equal(t stamp) bool { return s.modified.Equal(t.modified) && s.size == t.size }

func (f *Files[T]) read() error {
	v, err := f.source.Read()
	if err == nil {
		f.value.Store(v)
	}
	return err
}

// Watch calls look with false every five seconds, and with true whenever now says so, until the context ends.
func Watch(ctx context.Context, now <-chan os.Signal, look func(force bool)) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-now:
			look(true)
		case <-t.C:
			look(false)
		}
	}
}
