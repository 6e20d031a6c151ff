package peer

import (
	"sync"

	"github.com/anacrolix/torrent"
)

// wants says which pieces are to come first: those that readers wait for, then those that they will read next, then, of
// a torrent that is not lazy, the rest.
type wants struct {
	t  *Torrent
	mu sync.Mutex
	// windows are what readers want, pieces.
	windows map[*window]bool
	raised  map[int]torrent.PiecePriority
}

// window is what one reader wants: pieces [first, end), of which it waits for those before urgent.
type window struct{ first, urgent, end int }

// apply tells an engine that has just got the torrent.
func (w *wants) apply(e *torrent.Torrent, pieces int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.t.lazy && pieces > 0 {
		e.DownloadAll()
	}
	w.raised = nil
	w.update(e)
}

// set changes a reader's window; nil takes it away.
func (w *wants) set(of *window, to *window) {
	e := w.t.engine.Load()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case to == nil:
		delete(w.windows, of)
	case w.windows[of] && *of == *to:
		return
	default:
		*of = *to
		if w.windows == nil {
			w.windows = map[*window]bool{}
		}
		w.windows[of] = true
	}
	if e != nil && e.Info() != nil {
		w.update(e)
	}
}

// next is the piece to fetch first, if any is wanted that is lacking.
func (w *wants) next(s *store) (i int, wanted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, urgent := range []bool{true, false} {
		for window := range w.windows {
			end := window.end
			if urgent {
				end = window.urgent
			}
			if i, wanted = s.lacks(window.first, end); wanted {
				return i, true
			}
		}
	}
	if w.t.lazy {
		return 0, false
	}
	return s.lacks(0, s.meta.pieces)
}

func (w *wants) update(e *torrent.Torrent) {
	next := map[int]torrent.PiecePriority{}
	for window := range w.windows {
		for i := window.first; i < window.end; i++ {
			if i < window.urgent {
				next[i] = torrent.PiecePriorityNow
			} else if next[i] < torrent.PiecePriorityReadahead {
				next[i] = torrent.PiecePriorityReadahead
			}
		}
	}
	base := torrent.PiecePriorityNormal
	if w.t.lazy {
		base = torrent.PiecePriorityNone
	}
	for i := range w.raised {
		if _, still := next[i]; !still {
			e.Piece(i).SetPriority(base)
		}
	}
	for i, priority := range next {
		if w.raised[i] != priority {
			e.Piece(i).SetPriority(priority)
		}
	}
	w.raised = next
}
