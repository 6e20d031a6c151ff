package ws

import "sync"

// smallRest is the piece of memory that a beginning gets; longer ones are allocated as they come.
const smallRest = 4 << 10

var rests = sync.Pool{New: func() any { return new([smallRest]byte) }}

// input is what has come to a socket and is not a whole message, or could not be handled yet. It belongs to the
// goroutine that reads, and holds no memory while there is nothing.
type input struct {
	rest    []byte // begins with a frame
	missing int    // of that frame: so many bytes at least
	parts   []byte // of a message that comes in several frames
	opened  bool   // by a frame that is not its last
}

// grow makes room for n more bytes.
func (in *input) grow(n int) {
	size := len(in.rest) + n
	if size <= cap(in.rest) {
		return
	}
	var b []byte
	if size <= smallRest {
		b = rests.Get().(*[smallRest]byte)[:0]
	} else {
		b = make([]byte, 0, max(size, 2*cap(in.rest)))
	}
	b = append(b, in.rest...)
	in.free()
	in.rest = b
}

func (in *input) free() {
	if cap(in.rest) == smallRest {
		rests.Put((*[smallRest]byte)(in.rest[:smallRest]))
	}
	in.rest = nil
}

// add returns all there is now. With nothing kept, that is data itself.
func (in *input) add(data []byte) []byte {
	if len(in.rest) == 0 {
		return data
	}
	in.grow(len(data))
	in.rest = append(in.rest, data...)
	return in.rest
}

// keep keeps what is left of what add returned.
func (in *input) keep(left []byte) {
	switch {
	case len(left) == 0:
		in.free()
	case len(in.rest) == 0:
		in.grow(len(left))
		in.rest = append(in.rest, left...)
	case len(left) <= smallRest && cap(in.rest) > smallRest:
		in.rest = append(rests.Get().(*[smallRest]byte)[:0], left...)
	default:
		in.rest = in.rest[:copy(in.rest, left)]
	}
}

// room is how long the payload of a further frame may be.
func (in *input) room() int { return maxMessage - len(in.parts) }
