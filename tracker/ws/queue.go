package ws

import "sync"

// class says what happens to a message when its receiver is slow.
type class uint8

const (
	// droppable: an offer. Those who make offers make more.
	droppable class = iota
	// relayed: an answer. At most as many as the receiver made offers; beyond maxQueue the socket is closed.
	relayed
	// reply: to what the receiver itself sent. Never dropped; instead its next message waits (held: full).
	reply
)

const (
	// fullQueue is the bytes from which on a socket gets no more offers and is not read.
	fullQueue = 256 << 10
	// maxQueue is the bytes at which a socket is given up.
	maxQueue = 1 << 20
)

// state is how far the end of a socket has come.
type state uint8

const (
	open state = iota
	// ending: a close frame is the last in the queue. When that is written, the connection is closed.
	ending
	// ended: nothing is sent any more.
	ended
)

// carrier brings bytes from a queue to the network. Its methods are called with the queue locked.
type carrier interface {
	// flush writes what is queued, or sees to it that it is written soon. It does not block.
	flush(*socket)
	// cut ends the connection. The goroutine that reads notices, and forgets the socket.
	cut(*socket)
}

// queue is what is to be written to a socket. It holds no memory while there is nothing.
type queue struct {
	mu      sync.Mutex
	by      carrier
	pending []byte // frames
	sent    int    // of pending
	writing int    // bytes that a writer has taken from pending and not yet written
	since   uint32 // when what is queued began to wait for the client; 0: it does not
	state   state

	polled // what an event loop knows of it

	// Made by a stream's reader, which waits until no more than limit bytes are queued.
	shorter chan struct{}
	limit   int
}

func (q *queue) size() int { return len(q.pending) - q.sent + q.writing }

// full says whether the client takes so little that it is not to be read.
func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size() > fullQueue && q.state != ended
}

// put appends a frame.
func (q *queue) put(opcode byte, n int, parts ...[]byte) {
	q.pending = appendFrame(grow(q.pending, maxHeader+n, largeBuffer), opcode, n, parts...)
}

// drop forgets what is left, for good.
func (q *queue) drop() { q.state, q.pending, q.sent, q.since = ended, nil, 0, 0 }

// send queues one frame made of the parts, which are free again after the return. It does not block. Any goroutine may
// call it; frames of one goroutine keep their order.
func (k *socket) send(c class, opcode byte, parts ...[]byte) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	q := &k.out
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state != open {
		return
	}
	switch size := q.size() + n; {
	case c == droppable && size > fullQueue:
		k.server.counters.dropped.Add(1)
		return
	case c == relayed && size > maxQueue:
		k.server.counters.slow.Add(1)
		q.drop()
		q.by.cut(k)
		return
	}
	q.put(opcode, n, parts...)
	q.by.flush(k)
}

// close sends what is queued, then a close frame, and ends the socket; without a code (0), the frame is empty. Any
// goroutine may call it.
func (k *socket) close(code uint16, reason string) {
	q := &k.out
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state != open {
		return
	}
	q.state = ending
	k.closing.Store(k.server.now())
	if code == 0 {
		q.put(opClose, 0)
	} else {
		q.put(opClose, 2+len(reason), []byte{byte(code >> 8), byte(code)}, []byte(reason))
	}
	q.by.flush(k)
}

// cut ends the connection at once. Any goroutine may call it.
func (k *socket) cut() {
	k.out.mu.Lock()
	defer k.out.mu.Unlock()
	k.out.drop()
	k.out.by.cut(k)
}
