package peer

import (
	"encoding/binary"
	"math"
	"time"

	pp "github.com/anacrolix/torrent/peer_protocol"
)

// requestLength is that of a request, a cancel or a reject, with its own length in front.
const requestLength = 17

// asking is between a channel and the engine: it holds requests back as the link's pace wants it, and has the engine make
// more before all are answered. By itself the engine makes twice as many as the last time, up to 963, when it has none
// left: a long line is idle for a round trip each time, and in between much more waits before it than it holds.
//
//	engine: request request request … cancel   ← piece piece suggest piece …
//	wire:   request           request …        ← piece piece piece …
//
// It is for peers that answer each request, be it by a reject (BEP 6). Of others all goes by as it is.
type asking struct {
	*asker
	incoming
	fast bool
	// batch is how many requests the engine made last, and told that it has been told to make more since.
	batch int
	told  bool
	nudge []byte // is to come to the engine between two messages
}

// suggestion has the engine see what it could ask for. The piece it is about makes no difference to it.
var suggestion = pp.Message{Type: pp.Suggest}.MustMarshalBinary()

// pass takes whole messages that the engine writes, and says what is to go out now.
func (a *asking) pass(b []byte, now time.Time) []byte {
	a.pace.mu.Lock()
	defer a.pace.mu.Unlock()
	if !a.fast {
		return b
	}
	out := requests(nil, a.take())
	batch := 0
	from := b
	for rest := b; len(rest) >= 4; {
		end := min(4+int(binary.BigEndian.Uint32(rest)), len(rest))
		m := rest[:end]
		rest = rest[end:]
		if end != requestLength {
			continue
		}
		kind, one := pp.MessageType(m[4]), blockOf(m[5:])
		switch {
		case kind == pp.Request:
			out = append(out, from[:len(from)-len(rest)-end]...)
			from = rest
			batch++
			a.hold(one)
		case kind == pp.Cancel && a.withdraw(one):
			// Who is told of both rejects it, which is what the engine waits for.
			out = append(out, from[:len(from)-len(rest)-end]...)
			from = rest
			a.ask(one, now)
			out = append(requests(out, []block{one}), m...)
		}
	}
	if batch > 0 {
		a.batch, a.told = batch, false
	}
	a.pace.give(a.asker, now)
	ready := a.take()
	if len(out)+len(ready) == 0 && len(from) == len(b) {
		return b
	}
	return requests(append(out, from...), ready)
}

// late is what has become ready meanwhile.
func (a *asking) late() []byte {
	a.pace.mu.Lock()
	defer a.pace.mu.Unlock()
	return requests(nil, a.take())
}

// came sees what the other side sent.
func (a *asking) came(b []byte, now time.Time) {
	a.pace.mu.Lock()
	defer a.pace.mu.Unlock()
	for len(b) > 0 {
		n, done := a.incoming.next(b)
		b = b[n:]
		if !done {
			continue
		}
		head := a.head
		a.head = a.head[:0]
		if !a.greeted {
			a.greeted = true
			a.fast = head[27]&0x04 != 0
			continue
		}
		if !a.fast || len(head) < 13 {
			continue
		}
		one := blockOf(head[5:])
		switch pp.MessageType(head[4]) {
		case pp.Piece:
			one.length = binary.BigEndian.Uint32(head) - 9
			if !a.answered(one, true, now) {
				a.withdraw(one)
				continue
			}
			if left := len(a.owed) + len(a.held); left > 0 && 3*left <= a.batch && !a.told {
				a.told = true
				a.nudge = append(a.nudge, suggestion...)
			}
		case pp.Reject:
			if !a.answered(one, false, now) {
				a.withdraw(one) // the engine takes it for an answer, and asks again
			}
		default:
			continue
		}
		a.pace.give(nil, now)
	}
}

// incoming finds out where messages begin and end.
type incoming struct {
	greeted bool
	head    []byte // of a message, as much as matters
	body    int64  // bytes of it that are still to come
	in      bool   // head is whole
}

// next takes bytes of a message, and says how many and whether they are its last.
func (i *incoming) next(b []byte) (n int, done bool) {
	if !i.in {
		n = min(i.lacks(), len(b))
		i.head = append(i.head, b[:n]...)
		if i.lacks() > 0 {
			return n, false
		}
		i.in = true
		if i.greeted {
			i.body = 4 + int64(binary.BigEndian.Uint32(i.head)) - int64(len(i.head))
		}
	}
	k := int(min(i.body, int64(len(b)-n)))
	i.body -= int64(k)
	if i.body > 0 {
		return n + k, false
	}
	i.in = false
	return n + k, true
}

// lacks is how many bytes of the head are still to come.
func (i *incoming) lacks() int {
	switch {
	case !i.greeted:
		return handshakeLength - len(i.head)
	case len(i.head) < 4:
		return 4 - len(i.head)
	}
	return 4 + int(min(binary.BigEndian.Uint32(i.head), requestLength-4)) - len(i.head)
}

// left is how many bytes it is until the message ends, or at least until that is known; 0 between two.
func (i *incoming) left() int {
	switch {
	case i.in:
		return int(min(i.body, math.MaxInt32))
	case len(i.head) == 0:
		return 0
	}
	return i.lacks()
}

func blockOf(b []byte) (one block) {
	one.piece, one.begin = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if len(b) >= 12 {
		one.length = binary.BigEndian.Uint32(b[8:])
	}
	return one
}

// requests appends requests.
func requests(b []byte, all []block) []byte {
	for _, one := range all {
		b = append(b, 0, 0, 0, requestLength-4, byte(pp.Request))
		for _, n := range [...]uint32{one.piece, one.begin, one.length} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
	}
	return b
}
