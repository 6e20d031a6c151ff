package ws

import (
	"sync"
	"sync/atomic"
)

// Handle is what the store keeps of a peer: which socket of which machine it is on. It holds no pointer, and a handle of
// a socket that is gone never stands for another one.
type Handle struct{ node, slot, generation uint32 }

const (
	chunkSize = 1 << 12
	maxChunks = 1 << 10
)

type chunk [chunkSize]atomic.Pointer[socket]

// table holds all sockets. Looking one up takes no lock, for every offer that is passed on does.
type table struct {
	chunks [maxChunks]atomic.Pointer[chunk]
	node   uint32 // this machine's number; 0 when it is alone

	mu         sync.Mutex
	free       []uint32
	slots      uint32
	generation uint32
}

// add gives a socket its handle; false when the table is full.
func (t *table) add(k *socket) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var slot uint32
	if n := len(t.free); n > 0 {
		slot, t.free = t.free[n-1], t.free[:n-1]
	} else {
		if t.slots == chunkSize*maxChunks {
			return false
		}
		slot = t.slots
		t.slots++
		if slot%chunkSize == 0 {
			t.chunks[slot/chunkSize].Store(new(chunk))
		}
	}
	t.generation++
	k.handle = Handle{t.node, slot, t.generation}
	t.at(slot).Store(k)
	return true
}

func (t *table) at(slot uint32) *atomic.Pointer[socket] {
	return &t.chunks[slot/chunkSize].Load()[slot%chunkSize]
}

// get returns nil when the socket is gone, or another machine's.
func (t *table) get(h Handle) *socket {
	if h.node != t.node {
		return nil
	}
	if k := t.at(h.slot).Load(); k != nil && k.handle == h {
		return k
	}
	return nil
}

func (t *table) remove(h Handle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at(h.slot).Store(nil)
	t.free = append(t.free, h.slot)
}

func (t *table) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(t.slots) - len(t.free)
}

// each calls f for the sockets there are; some may come and go meanwhile.
func (t *table) each(f func(*socket)) {
	for i := range t.chunks {
		c := t.chunks[i].Load()
		if c == nil {
			return
		}
		for j := range c {
			if k := c[j].Load(); k != nil {
				f(k)
			}
		}
	}
}
