package peer

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"sync"

	"github.com/starling-p2p/starling/seal"
)

const (
	minAhead = 4 << 20  // bytes that are fetched ahead of a reader
	maxAhead = 32 << 20 // of one that reads on and on
	maxRead  = 1 << 20
)

// File is one file of a torrent.
type File struct {
	// Path is relative and clean, "/" between its parts; of a folder's files it begins behind the folder's name.
	Path string
	// Size is in bytes.
	Size int64
	// Type is a MIME type, or "".
	Type string

	t      *Torrent
	index  int
	offset int64 // among the torrent's bytes, or, sealed, among those of all files
}

// Name is the path's last part.
func (f File) Name() string { return path.Base(f.Path) }

// Files are known once the torrent is Ready.
func (t *Torrent) Files() []File {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]File(nil), t.files...)
}

// NewReader reads the file, wherever its bytes are at that time: what has not come yet is fetched first, and some
// ahead. All that it gives is verified, and decrypted when the torrent is private. It is for one goroutine at a time;
// Close may be called by any and lets a Read return. Errors: the context's, os.ErrClosed after Close, ErrClosed, and those of the
// file.
func (f File) NewReader(ctx context.Context) io.ReadSeekCloser {
	ctx, stop := context.WithCancelCause(ctx)
	return &reader{file: f, ctx: ctx, stop: stop, ahead: minAhead}
}

type reader struct {
	file File
	ctx  context.Context
	stop context.CancelCauseFunc
	once sync.Once

	pos    int64
	last   int64 // where the last read ended
	run    int64 // how much has been read in one go
	ahead  int64 // bytes that are fetched ahead at least
	window window
	opened *seal.Opened
}

func (r *reader) Read(b []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	left := r.file.Size - r.pos
	if left <= 0 {
		return 0, io.EOF
	}
	if len(b) == 0 {
		return 0, nil
	}
	b = b[:min(int64(len(b)), left, maxRead)]
	if r.pos != r.last {
		r.run = 0
	}
	n, err := r.read(b)
	r.pos += int64(n)
	r.last = r.pos
	r.run += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (r *reader) read(b []byte) (int, error) {
	t := r.file.t
	t.mu.Lock()
	s, opened := t.store, t.opened
	t.mu.Unlock()
	if files, ok := s.inPlace(); ok {
		// All of it is in its place: read it from there.
		off := r.file.offset + r.pos
		n, err := files.ReadAt(b, off)
		if all, _ := s.has(s.covering(off, off+int64(n))); err == nil && !all { // it has changed, and was hashed
			n, err = 0, changedError{files.at(off)}
		}
		if c := (changedError{}); errors.As(err, &c) {
			t.fileChanged(c)
		}
		return n, err
	}
	if t.key == nil {
		off := r.file.offset + r.pos
		// No more than the first piece has: the rest may not be there yet.
		b = b[:min(int64(len(b)), s.meta.pieceLength-off%s.meta.pieceLength)]
		return r.ReadAt(b, off)
	}
	if r.opened == nil {
		r.opened = opened.Over(r)
	}
	b = b[:min(len(b), seal.DataSize)]
	return r.opened.File(r.file.index).ReadAt(b, r.pos)
}

// ReadAt reads the torrent's own bytes once they are there.
func (r *reader) ReadAt(b []byte, off int64) (int, error) {
	t := r.file.t
	s := t.data()
	first, end := s.meta.covering(off, off+int64(len(b)))
	for {
		all, came := s.has(first, end)
		if all {
			return s.ReadAt(b, off)
		}
		_, ahead := s.meta.covering(off, min(off+int64(len(b))+min(max(r.ahead, r.run), maxAhead), s.meta.length))
		t.wants.set(&r.window, &window{first, end, ahead})
		select {
		case <-came:
		case <-r.ctx.Done():
			return 0, context.Cause(r.ctx)
		case <-t.ctx.Done():
			return 0, t.ended()
		}
	}
}

func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.file.Size
	case io.SeekStart:
	default:
		return 0, errors.New("seeking from nowhere")
	}
	if offset < 0 {
		return 0, errors.New("seeking to before the beginning")
	}
	r.pos = offset
	return offset, nil
}

func (r *reader) Close() error {
	r.once.Do(func() {
		r.stop(os.ErrClosed)
		r.file.t.wants.set(&r.window, nil)
	})
	return nil
}
