package cluster

import (
	"encoding/binary"
	"sync"
	"time"
)

const (
	version   = 1
	batchHead = 1 + 4
	itemHead  = 1 + 3
	// gather is how long messages wait for others, if a batch has just been sent. Each batch costs several copies and wakes
	// several goroutines on both sides, whatever is in it; to a peer that looks for others a few milliseconds are nothing.
	gather = 5 * time.Millisecond
	// fullBatch is the bytes from which on a batch is closed. With one more item it is well below what NATS carries.
	fullBatch = 128 << 10
	// maxOutbox is the most bytes that wait for one node; what comes then is lost.
	maxOutbox = 8 << 20
)

// buffers are those of batches that have been sent.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// outbox is what is on its way to one node. A goroutine empties it and ends: an idle one costs nothing.
type outbox struct {
	node    *Node
	subject string

	mu      sync.Mutex
	full    [][]byte // batches that are closed
	open    []byte   // the one that is not; nil: there is none
	waiting int      // bytes of items
	item    int      // where its last item begins
	sending bool
}

func (o *outbox) init(n *Node, subject string) {
	o.node, o.subject = n, subject
}

// begin locks the outbox and returns the batch, to which the body of an item is to be appended, for end. Nil: it is full,
// and not locked.
func (o *outbox) begin(kind byte) []byte {
	o.mu.Lock()
	if o.waiting > maxOutbox {
		o.mu.Unlock()
		o.node.counters.lost.Add(1)
		return nil
	}
	if o.open == nil {
		o.open = append((*buffers.Get().(*[]byte))[:0], version)
		o.open = binary.BigEndian.AppendUint32(o.open, o.node.id)
	}
	o.item = len(o.open)
	return append(o.open, kind, 0, 0, 0)
}

func (o *outbox) end(b []byte) {
	n := len(b) - o.item - itemHead
	b[o.item+1], b[o.item+2], b[o.item+3] = byte(n>>16), byte(n>>8), byte(n)
	o.open = b
	o.waiting += n + itemHead
	if len(b) >= fullBatch {
		o.full, o.open = append(o.full, b), nil
	}
	if !o.sending {
		o.sending = true
		go o.send()
	}
	o.mu.Unlock()
}

// send empties the outbox: the first item at once, and then what has gathered each time.
func (o *outbox) send() {
	for {
		o.mu.Lock()
		batches := o.full
		if o.open != nil {
			batches = append(batches, o.open)
		}
		o.full, o.open = nil, nil
		if len(batches) == 0 {
			o.sending = false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		for _, b := range batches {
			o.node.counters.batches.Add(1)
			o.node.counters.bytes.Add(uint64(len(b)))
			if err := o.node.bus.Publish(o.subject, b); err != nil {
				o.node.counters.lost.Add(1)
			}
			o.mu.Lock()
			o.waiting -= len(b) - batchHead
			o.mu.Unlock()
			if cap(b) <= 2*fullBatch {
				buffers.Put(&b)
			}
		}
		time.Sleep(gather)
	}
}
