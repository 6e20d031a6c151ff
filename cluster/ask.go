package cluster

import (
	"encoding/binary"
	"sync"
	"time"
)

// ask is a question to another node: one of the two functions is called, once, on any goroutine.
type ask struct {
	number   uint32
	kind     byte // of the answer
	due      time.Time
	answered func(*reader)
	late     func()
}

// asks are the questions that are open. All may take equally long, so they are due in the order in which they were
// asked, and one goroutine with one timer looks after them.
type asks struct {
	node *Node

	mu   sync.Mutex
	last uint32
	open map[uint32]*ask
	// queue has the open ones in order, and some that are not open any more.
	queue []*ask
	ended bool
}

func (a *asks) init(n *Node) { a.node, a.open = n, map[uint32]*ask{} }

func (a *asks) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.open)
}

// begin opens a question; false when too many are open.
func (a *asks) begin(q *ask) bool {
	n := a.node
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.open) >= n.options.MaxAsks || len(a.queue) >= 64*n.options.MaxAsks || a.ended {
		n.counters.overflow.Add(1)
		return false
	}
	n.counters.asks.Add(1)
	a.last++
	q.number, q.due = a.last, time.Now().Add(n.options.Deadline)
	a.open[q.number] = q
	a.queue = append(a.queue, q)
	return true
}

// take closes a question, if it is open.
func (a *asks) take(number uint32, kind byte) *ask {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.open[number]
	if q == nil || q.kind != kind {
		return nil
	}
	delete(a.open, number)
	return q
}

// run gives up on those that are late.
func (a *asks) run() {
	t := time.NewTicker(max(a.node.options.Deadline/8, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-a.node.stop:
			return
		case <-t.C:
			a.expire(time.Now())
		}
	}
}

func (a *asks) expire(now time.Time) {
	for {
		a.mu.Lock()
		var q *ask
		for len(a.queue) > 0 && q == nil {
			first := a.queue[0]
			open := a.open[first.number] == first
			if open && now.Before(first.due) {
				a.mu.Unlock()
				return
			}
			a.queue[0] = nil
			a.queue = a.queue[1:]
			if open {
				delete(a.open, first.number)
				q = first
			}
		}
		a.mu.Unlock()
		if q == nil {
			return
		}
		a.node.counters.late.Add(1)
		q.late()
	}
}

// end gives up on all; none will be opened any more.
func (a *asks) end() {
	a.mu.Lock()
	a.ended = true
	lost := a.open
	a.open = map[uint32]*ask{}
	a.mu.Unlock()
	for _, q := range lost {
		q.late()
	}
}

// ask asks a node: body appends what the item has after the number. False: it is not asked, and neither of the functions
// will be called.
func (n *Node) ask(to *member, kind byte, body func(b []byte) []byte, answered func(*reader), late func()) bool {
	q := &ask{kind: kind + 1, answered: answered, late: late}
	if !n.asks.begin(q) {
		return false
	}
	b := to.box.begin(kind)
	if b == nil {
		return n.asks.take(q.number, q.kind) == nil // else it is late already, and has been answered for
	}
	to.box.end(body(binary.BigEndian.AppendUint32(b, q.number)))
	return true
}
