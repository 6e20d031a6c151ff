package ws

import (
	"net"
	"time"
)

// stream carries a socket by goroutines: one reads, and another one writes while there is something to write. This is
// for TLS, and for systems without an event loop of ours.
type stream struct{ net.Conn }

// firstRead is small, for most sockets are silent most of the time. What is longer is read to where it is kept.
const firstRead = 256

// serve reads until the socket ends.
func (c stream) serve(k *socket) {
	defer func() {
		if p := recover(); p != nil {
			k.panicked(p)
		}
		k.cut()
		k.server.gone(k)
	}()
	var first [firstRead]byte
	for {
		data, err := c.read(k, first[:])
		if err != nil {
			return
		}
		for why := k.take(data, k.server.now()); why != free; why = k.take(nil, k.server.now()) {
			switch why {
			case full:
				c.await(k, fullQueue)
			case rushed:
				time.Sleep(k.server.untilNextSecond())
			case over:
				c.await(k, 0)
				return
			}
		}
	}
}

// read returns what has come, or puts it to what came before.
func (c stream) read(k *socket, first []byte) ([]byte, error) {
	at := len(k.in.rest)
	if at > 0 {
		k.in.grow(min(k.in.missing, max(at, smallBuffer-at)))
		first = k.in.rest[at:cap(k.in.rest)]
	}
	n, err := c.Read(first)
	if n > 0 {
		err = nil
	}
	if at > 0 {
		k.in.rest = k.in.rest[:at+n]
		return nil, err
	}
	return first[:n], err
}

// await returns when no more than limit bytes are queued.
func (c stream) await(k *socket, limit int) {
	q := &k.out
	q.mu.Lock()
	if q.state == ended || q.size() <= limit {
		q.mu.Unlock()
		return
	}
	shorter := make(chan struct{})
	q.shorter, q.limit = shorter, limit
	q.mu.Unlock()
	<-shorter
}

// wake lets await return when it may. The queue is locked.
func (q *queue) wake() {
	if q.shorter != nil && (q.state == ended || q.size() <= q.limit) {
		close(q.shorter)
		q.shorter = nil
	}
}

func (c stream) flush(k *socket) {
	if k.out.since == 0 {
		k.out.since = k.server.now()
		go c.write(k)
	}
}

// write empties the queue, many frames to one write.
func (c stream) write(k *socket) {
	q := &k.out
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.pending) > 0 {
		b := q.pending
		q.pending, q.writing, q.since = nil, len(b), k.server.now()
		q.mu.Unlock()
		_, err := c.Write(b)
		release(b)
		q.mu.Lock()
		q.writing = 0
		if err != nil || q.state == ending && len(q.pending) == 0 {
			q.drop()
			c.cut(k)
		}
		q.wake()
	}
	q.since = 0
}

// cut closes elsewhere: with TLS that may take seconds.
func (c stream) cut(k *socket) {
	k.out.wake()
	go c.Close()
}
