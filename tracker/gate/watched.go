package gate

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// lookEvery is how often files are looked at for changes.
const lookEvery = 5 * time.Second

// watched is a set that an operator keeps in a file.
type watched[K comparable] struct {
	path     string
	parse    func(io.Reader) (map[K]struct{}, error)
	modified time.Time
	size     int64
	set      atomic.Pointer[map[K]struct{}]
}

func (w *watched[K]) has(k K) bool {
	_, ok := (*w.set.Load())[k]
	return ok
}

func (w *watched[K]) changed() bool {
	i, err := os.Stat(w.path)
	// A file that is missing is just being replaced, or the log will say so when it is read at the next signal.
	return err == nil && (!i.ModTime().Equal(w.modified) || i.Size() != w.size)
}

func (w *watched[K]) read() error {
	r, err := os.Open(w.path)
	if err != nil {
		return fmt.Errorf("reading a list: %w", err)
	}
	defer r.Close()
	i, err := r.Stat()
	if err != nil {
		return fmt.Errorf("reading a list: %w", err)
	}
	// Noted before it is understood: one that is broken is complained about once.
	w.modified, w.size = i.ModTime(), i.Size()
	set, err := w.parse(r)
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	w.set.Store(&set)
	return nil
}

// again reads the file if it has changed, or must be, and says whether there is a new set. A file that cannot be read,
// or not understood, leaves things as they are, and the log says so.
func (w *watched[K]) again(force bool, log *slog.Logger) bool {
	if w == nil || !force && !w.changed() {
		return false
	}
	if err := w.read(); err != nil {
		log.Error("a list stays as it was", "error", err)
		return false
	}
	log.Info("read a list", "file", w.path, "entries", len(*w.set.Load()))
	return true
}

// watch calls look now and then, and with true when now says so, until the context ends.
func watch(ctx context.Context, now <-chan os.Signal, look func(force bool)) {
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
