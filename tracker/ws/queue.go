package ws

import (
	encoding "encoding/binary"
	"net"
	"sync"
	"time"
)

// Frames of RFC 6455, section 5.2, as a server sends them: final, unmasked.
//
//	+--------+--------+----------------------+---------
//	| 1000 o | 0 len7 | 0, 2 or 8 more bytes | payload
//	+--------+--------+----------------------+---------
//	    o: opcode       len7 126: 16 bits, 127: 64 bits of length
const (
	opText = 0x81
	opPing = 0x89
	opPong = 0x8a
	// controlHeader is what a client's control frame has before its payload: two bytes, and the mask.
	controlHeader = 6
)

// class says what happens to a message when its receiver is slow.
type class uint8

const (
	// droppable: an offer. Those who make offers make more.
	droppable class = iota
	// relayed: an answer. At most as many as the receiver made offers; beyond maxQueue the socket is closed.
	relayed
	// reply: to what the receiver itself sent. Never dropped; instead its next message waits (socket.pause).
	reply
)

const (
	// fullQueue is the bytes from which on a socket gets no more offers and is not read.
	fullQueue = 256 << 10
	// maxQueue is the bytes at which a socket is given up.
	maxQueue = 1 << 20
)

// queue is what is to be written to a socket. A goroutine empties it, many frames to one write, and ends when it is
// empty; an idle socket has neither buffer nor goroutine.
type queue struct {
	mu      sync.Mutex
	pending []byte
	writing int           // bytes in the write that is under way
	since   uint32        // when it began; 0: no goroutine is at work
	room    chan struct{} // closed when there is room again; nil unless somebody waits
	last    closing       // to be sent when the queue is empty
	ended   bool

	wire sync.Mutex // held while bytes are written; taken before mu
}

type closing struct {
	code   uint16
	reason string
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// The buffer of one long message is not kept for many short ones.
func release(b []byte) {
	if cap(b) <= 64<<10 {
		buffers.Put(&b)
	}
}

// send queues one frame made of the parts.
func (k *socket) send(c class, opcode byte, parts ...[]byte) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	q := &k.out
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended || q.last.code != 0 {
		return
	}
	switch size := len(q.pending) + q.writing + n; {
	case c == droppable && size > fullQueue:
		k.server.counters.dropped.Add(1)
		return
	case c == relayed && size > maxQueue:
		k.server.counters.slow.Add(1)
		q.drop()
		_ = k.net.Close()
		return
	}
	if q.pending == nil {
		q.pending = (*buffers.Get().(*[]byte))[:0]
	}
	b := append(q.pending, opcode)
	switch {
	case n <= 125:
		b = append(b, byte(n))
	case n <= 0xffff:
		b = encoding.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = encoding.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	for _, p := range parts {
		b = append(b, p...)
	}
	q.pending = b
	k.flush()
}

// flush starts a writer where none is at work. The queue is locked.
func (k *socket) flush() {
	if k.out.since == 0 {
		k.out.since = k.server.now()
		go k.write()
	}
}

// write empties the queue.
func (k *socket) write() {
	q := &k.out
	for {
		q.mu.Lock()
		b := q.pending
		q.pending, q.writing = nil, len(b)
		if q.room != nil && len(b) <= fullQueue {
			close(q.room)
			q.room = nil
		}
		if len(b) == 0 || q.ended {
			q.since = 0
			last := q.last
			q.mu.Unlock()
			if last.code != 0 {
				_ = k.conn.WriteClose(last.code, []byte(last.reason))
			}
			return
		}
		q.since = k.server.now()
		q.mu.Unlock()
		if err := k.put(b); err != nil {
			_ = k.net.Close()
			q.end()
		}
		release(b)
	}
}

// put writes frames, unless a close frame has gone before them: nothing may follow that.
func (k *socket) put(b []byte) error {
	q := &k.out
	q.wire.Lock()
	defer q.wire.Unlock()
	q.mu.Lock()
	ended := q.ended
	q.mu.Unlock()
	if ended {
		return nil
	}
	_, err := k.net.Write(b)
	return err
}

// gwsConn is the connection as gws has it. What gws writes of itself is the handshake's answer, and a close frame, its
// own or the echo of the client's.
type gwsConn socket

const closeFrame = 0x88

func (c *gwsConn) Write(b []byte) (int, error) {
	q := &c.out
	q.wire.Lock()
	defer q.wire.Unlock()
	if len(b) > 0 && b[0] == closeFrame {
		q.end()
	}
	return c.net.Write(b)
}

func (c *gwsConn) Read(b []byte) (int, error)         { return c.net.Read(b) }
func (c *gwsConn) Close() error                       { return c.net.Close() }
func (c *gwsConn) LocalAddr() net.Addr                { return c.net.LocalAddr() }
func (c *gwsConn) RemoteAddr() net.Addr               { return c.net.RemoteAddr() }
func (c *gwsConn) SetDeadline(t time.Time) error      { return c.net.SetDeadline(t) }
func (c *gwsConn) SetReadDeadline(t time.Time) error  { return c.net.SetReadDeadline(t) }
func (c *gwsConn) SetWriteDeadline(t time.Time) error { return c.net.SetWriteDeadline(t) }

// end drops what is left, for good.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop()
}

// drop is end for those who hold the lock.
func (q *queue) drop() {
	q.ended, q.pending = true, nil
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

// close sends what is queued, then a close frame, and ends the socket.
func (k *socket) close(code uint16, reason string) {
	q := &k.out
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last.code != 0 {
		return
	}
	q.last = closing{code, reason}
	k.closing.Store(k.server.now())
	k.flush()
}

// pause holds up the goroutine that reads the socket while what it asked for is not taken.
func (k *socket) pause() {
	q := &k.out
	q.mu.Lock()
	if q.ended || len(q.pending)+q.writing <= fullQueue {
		q.mu.Unlock()
		return
	}
	if q.room == nil {
		q.room = make(chan struct{})
	}
	room := q.room
	q.mu.Unlock()
	<-room
}
