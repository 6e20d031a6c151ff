package ws

import "sync"

// Sockets hold memory only while something is on its way, and give it back for others. One message fits into a small
// piece, what a busy moment queues for one socket into a large one. Longer ones are allocated, and left to the garbage
// collector.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// grow returns b with room for n more bytes. What b lay in is no longer to be used. atMost is the largest size to begin
// with: what strangers have only begun to send is worth no large piece.
func grow(b []byte, n, atMost int) []byte {
	size := len(b) + n
	if size <= cap(b) {
		return b
	}
	var to []byte
	switch {
	case size <= smallBuffer:
		to = smallBuffers.Get().(*[smallBuffer]byte)[:0]
	case size <= largeBuffer && atMost >= largeBuffer:
		to = largeBuffers.Get().(*[largeBuffer]byte)[:0]
	default:
		to = make([]byte, 0, max(size, 2*cap(b)))
	}
	to = append(to, b...)
	release(b)
	return to
}

// release gives back what grow has returned.
func release(b []byte) {
	switch cap(b) {
	case smallBuffer:
		smallBuffers.Put((*[smallBuffer]byte)(b[:smallBuffer]))
	case largeBuffer:
		largeBuffers.Put((*[largeBuffer]byte)(b[:largeBuffer]))
	}
}
