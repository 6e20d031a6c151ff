package peer

import (
	"container/list"
	"os"
	"sync"
)

// maxHandles is how many files of torrents are open at once, besides those that are being read or written right now.
const maxHandles = 128

// handles keeps files open that were used lately.
type handles struct {
	mu     sync.Mutex
	max    int
	open   map[handleKey]*handle
	recent list.List // of *handle, the latest in front
}

type handleKey struct {
	c     *content
	file  int
	write bool
}

type handle struct {
	*os.File
	key   handleKey
	users int
	stale bool // to be closed by its last user
	place *list.Element
}

func newHandles(n int) *handles { return &handles{max: n, open: map[handleKey]*handle{}} }

// get returns a file, opened if it was not; to be given back with put.
func (s *handles) get(key handleKey, open func() (*os.File, error)) (*handle, error) {
	s.mu.Lock()
	if h := s.open[key]; h != nil {
		h.users++
		s.recent.MoveToFront(h.place)
		s.mu.Unlock()
		return h, nil
	}
	s.mu.Unlock()

	f, err := open()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.open[key]; h != nil { // somebody else was as fast
		_ = f.Close()
		h.users++
		return h, nil
	}
	h := &handle{File: f, key: key, users: 1}
	h.place = s.recent.PushFront(h)
	s.open[key] = h
	for e := s.recent.Back(); len(s.open) > s.max && e != nil; {
		old := e.Value.(*handle)
		e = e.Prev()
		s.drop(old)
	}
	return h, nil
}

func (s *handles) put(h *handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.users--; h.users == 0 && h.stale {
		_ = h.Close()
	}
}

// drop forgets a file, which is closed as soon as nobody uses it.
func (s *handles) drop(h *handle) {
	delete(s.open, h.key)
	s.recent.Remove(h.place)
	h.stale = true
	if h.users == 0 {
		_ = h.Close()
	}
}

func (s *handles) forget(key handleKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.open[key]; h != nil {
		s.drop(h)
	}
}

func (s *handles) forgetAll(c *content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, h := range s.open {
		if key.c == c {
			s.drop(h)
		}
	}
}

func (s *handles) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.open {
		s.drop(h)
	}
}
