package peer

import (
	"context"
	"crypto/sha1"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// hashers is how many pieces are hashed at once, in a whole peer.
func hashers() int { return min(8, runtime.GOMAXPROCS(0)) }

// hashPiece returns the SHA-1 of size bytes from off on.
func hashPiece(r io.ReaderAt, off, size int64) (sum [sha1.Size]byte, err error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	h := sha1.New()
	for end := off + size; off < end; {
		n := min(bufferSize, end-off)
		if m, err := r.ReadAt(buffer[:n], off); int64(m) < n {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return sum, err
		}
		_, _ = h.Write(buffer[:n]) // it never fails
		off += n
	}
	return [sha1.Size]byte(h.Sum(nil)), nil
}

// eachPiece hashes these pieces, several at once, and calls f with each, from several goroutines. Memory is a buffer for
// each of them. It ends with the first error: the reader's, which f may swallow, or the context's.
func (p *Peer) eachPiece(ctx context.Context, r io.ReaderAt, m *meta, pieces []int, f func(i int, sum [sha1.Size]byte, err error) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(hashers(), len(pieces)) {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(len(pieces)); n = next.Add(1) - 1 {
				select {
				case p.hashes <- struct{}{}:
				case <-ctx.Done():
					return
				}
				i := pieces[n]
				sum, err := hashPiece(r, int64(i)*m.pieceLength, m.size(i))
				<-p.hashes
				if err := f(i, sum, err); err != nil {
					stop(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// verify hashes pieces of r and returns those that are right.
func (p *Peer) verify(ctx context.Context, r io.ReaderAt, m *meta, info []byte, pieces []int) (good bitset, err error) {
	hashes, err := hashesOf(info)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	good = newBitset(m.pieces)
	return good, p.eachPiece(ctx, r, m, pieces, func(i int, sum [sha1.Size]byte, err error) error {
		if err == nil && string(sum[:]) == string(hashes[i*sha1.Size:(i+1)*sha1.Size]) {
			mu.Lock()
			good.set(i)
			mu.Unlock()
		}
		return nil
	})
}

func allOf(pieces int) []int {
	all := make([]int, pieces)
	for i := range all {
		all[i] = i
	}
	return all
}

// progressCounter counts what several goroutines have hashed.
type progressCounter struct {
	mu   sync.Mutex
	done int64
}

func (c *progressCounter) add(n, all int64, tell func(done, all int64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done += n; tell != nil {
		tell(c.done, all)
	}
}
