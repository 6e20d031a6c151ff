package ws

// input is what has come to a socket and is not a whole message, or could not be handled yet. It belongs to the
// goroutine that reads, and holds no memory while there is nothing.
type input struct {
	rest    []byte // begins with a frame
	missing int    // of that frame: so many bytes at least
	parts   []byte // of a message that comes in several frames
	opened  bool   // by a frame that is not its last
}

// grow makes room for n more bytes.
func (in *input) grow(n int) { in.rest = grow(in.rest, n, smallBuffer) }

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
		release(in.rest)
		in.rest = nil
	case len(in.rest) == 0:
		in.grow(len(left))
		in.rest = append(in.rest, left...)
	case len(left) <= smallBuffer && cap(in.rest) > smallBuffer:
		in.rest = append(grow(nil, len(left), smallBuffer), left...)
	default:
		in.rest = in.rest[:copy(in.rest, left)]
	}
}

// room is how long the payload of a further frame may be.
func (in *input) room() int { return maxMessage - len(in.parts) }
