package peer

import (
	"errors"
	"io"
	"sync"

	"github.com/anacrolix/torrent/storage"

	"github.com/starling-p2p/starling/seal"
)

// store is a torrent's data as pieces: which are verified, and what they are read from and written to. The engine
// hashes what it writes; what was shared or put in its place is hashed here.
type store struct {
	meta *meta

	mu   sync.RWMutex
	from io.ReaderAt // the torrent's bytes
	to   *content    // where what is fetched goes; nil: nothing may be written
	// files are what from is read from, or made of.
	files   *content
	done    bitset
	unknown bitset // pieces of to that are still to be hashed
	left    int64  // bytes of pieces that are not verified
	came    chan struct{}
	dirty   map[int]bool // files of to that were written to since the last flush
	fresh   bool         // pieces were verified since then
	stamps  []stamp      // of to, as of the last flush

	complete func() // called once each time that the last piece has come; must not block
	changed  func(changedError)
	closed   bool
}

var errReadOnly = errors.New("what is shared is not written to")

// newStore returns a store without data.
func newStore(m *meta) *store {
	return &store{meta: m, done: newBitset(m.pieces), left: m.length, came: make(chan struct{}), dirty: map[int]bool{}}
}

// fetching makes it one that is written to. What the progress says is believed as far as the files look the same.
func (s *store) fetching(to *content, p progress, known bool) {
	s.from, s.to, s.files = to, to, to
	s.unknown = newBitset(s.meta.pieces)
	if !known {
		p = progress{newBitset(s.meta.pieces), make([]stamp, len(to.files))}
	}
	s.stamps = p.stamps
	copy(s.done, p.done)
	for i, was := range p.stamps {
		if to.look(i) == was {
			continue
		}
		s.dirty[i] = true
		first, end := s.meta.covering(to.files[i].offset, to.files[i].offset+to.files[i].size)
		for piece := first; piece < end; piece++ {
			s.done.clear(piece)
			s.unknown.set(piece)
		}
	}
	for _, piece := range s.torn() { // the stamps are of files that others had cut or taken away by then
		s.done.clear(piece)
	}
	s.count()
}

// torn are the verified pieces that reach beyond the ends of files that are fetched: somebody cut or removed those.
func (s *store) torn() (pieces []int) {
	looks := s.to.lookAll()
	for i := range s.meta.pieces {
		if !s.done.has(i) {
			continue
		}
		err := s.to.each(int(s.meta.size(i)), int64(i)*s.meta.pieceLength, func(file int, at int64, part int) error {
			if s.to.files[file].path != "" && looks[file].size < at+int64(part) {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
		if err != nil {
			pieces = append(pieces, i)
		}
	}
	return pieces
}

// lose takes back what is torn, and says whether there is any.
func (s *store) lose() bool {
	s.mu.RLock()
	var torn []int
	if s.to != nil {
		torn = s.torn()
	}
	s.mu.RUnlock()
	for _, i := range torn {
		s.mark(i, false)
	}
	return len(torn) > 0
}

// placed makes it one of verified files.
func (s *store) placed(from io.ReaderAt, files *content, done bitset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from, s.to, s.files, s.unknown = from, nil, files, nil
	copy(s.done, done)
	s.count()
}

func (s *store) count() {
	s.left = 0
	for i := range s.meta.pieces {
		if !s.done.has(i) {
			s.left += s.meta.size(i)
		}
	}
}

// writable says whether what is fetched goes here.
func (s *store) writable() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.to != nil && !s.closed
}

// inPlace returns the files when all of them lie under their names.
func (s *store) inPlace() (*content, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.files, s.to == nil
}

// missing is the bytes of all pieces that are not verified.
func (s *store) missing() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.left
}

// has says whether pieces [first, end) are verified. If not, came is closed when another one is.
func (s *store) has(first, end int) (all bool, came <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := first; i < end; i++ {
		if !s.done.has(i) {
			return false, s.came
		}
	}
	return true, nil
}

// lacks is the first of pieces [first, end) that is to be fetched.
func (s *store) lacks(first, end int) (i int, lacks bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := first; i < end; i++ {
		if !s.done.has(i) && (s.unknown == nil || !s.unknown.has(i)) {
			return i, true
		}
	}
	return 0, false
}

// mark says of a piece whether it is verified.
func (s *store) mark(i int, good bool) {
	s.mu.Lock()
	if s.unknown != nil {
		s.unknown.clear(i)
	}
	if s.done.has(i) == good || s.closed {
		s.mu.Unlock()
		return
	}
	s.done.put(i, good)
	all := false
	if good {
		s.left -= s.meta.size(i)
		all = s.left == 0
		s.fresh = true
		close(s.came)
		s.came = make(chan struct{})
	} else {
		s.left += s.meta.size(i)
	}
	complete := s.complete
	s.mu.Unlock()
	if all && complete != nil {
		complete()
	}
}

// swap makes it one of files that lie under their names, as soon as rename has brought them there. All pieces must be
// verified.
func (s *store) swap(from io.ReaderAt, files *content, rename func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left > 0 || s.closed {
		return errors.New("not all of it is here any more")
	}
	if err := rename(); err != nil {
		return err
	}
	files.seal(files.lookAll())
	s.from, s.to, s.files, s.unknown = from, nil, files, nil
	return nil
}

// covering are the pieces [first, end) in which bytes [from, to) of the files lie.
func (s *store) covering(from, to int64) (first, end int) {
	if sealed, ok := s.from.(*seal.Sealed); ok {
		from, to = sealed.Covering(from, to)
	}
	return s.meta.covering(from, to)
}

// of are the pieces [first, end) that file i is in.
func (s *store) of(i int) (first, end int) {
	f := s.files.files[i]
	return s.covering(f.offset, f.offset+f.size)
}

// whole says whether all pieces of file i are verified.
func (s *store) whole(i int) bool {
	all, _ := s.has(s.of(i))
	return all
}

// unseal says that files are not what they were, so that none of their pieces is verified any more; lost: some were.
func (s *store) unseal(files []int) (lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range files {
		first, end := s.of(i)
		for i := first; i < end; i++ {
			if s.done.has(i) {
				s.done.clear(i)
				s.left += s.meta.size(i)
				lost = true
			}
		}
	}
	return lost
}

// snapshot is the progress of files that lie under their names.
func (s *store) snapshot() progress {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.files.mu.RLock()
	defer s.files.mu.RUnlock()
	return progress{append(bitset{}, s.done...), append([]stamp{}, s.files.stamps...)}
}

// ReadAt reads the torrent's bytes, verified or not.
func (s *store) ReadAt(b []byte, off int64) (int, error) {
	s.mu.RLock()
	n, err := s.from.ReadAt(b, off)
	changed := s.changed
	s.mu.RUnlock()
	if c := (changedError{}); err != nil && changed != nil && errors.As(err, &c) {
		changed(c)
	}
	return n, err
}

func (s *store) write(b []byte, off int64) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.to == nil || s.closed {
		return 0, errReadOnly
	}
	return s.to.WriteAt(b, off)
}

// touch notes which files piece i is of: they are to be on disk before it counts.
func (s *store) touch(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to == nil {
		return
	}
	_ = s.to.each(int(s.meta.size(i)), int64(i)*s.meta.pieceLength, func(file int, _ int64, _ int) error {
		s.dirty[file] = true
		return nil
	})
}

// flush puts on disk what was verified, and then returns the progress to be written down; nil where there is no news.
// The last one looks at all files, as some may have parts of pieces that are not verified.
func (s *store) flush(last bool) ([]byte, error) {
	s.mu.Lock()
	if s.to == nil || !s.fresh && !last {
		s.mu.Unlock()
		return nil, nil
	}
	to, done := s.to, append(bitset{}, s.done...)
	var files []int
	for i := range s.dirty {
		files = append(files, i)
	}
	clear(s.dirty)
	s.fresh = false
	s.mu.Unlock()

	err := to.sync(files)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.to != to {
		for _, i := range files {
			s.dirty[i] = true
		}
		s.fresh = true
		return nil, err
	}
	if last {
		s.stamps = to.lookAll()
	}
	for _, i := range files {
		s.stamps[i] = to.look(i)
	}
	return progress{done, s.stamps}.encode(), nil
}

// close ends reading and writing.
func (s *store) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.files.close()
}

// piece is one piece, as the engine sees it.
type piece struct {
	s *store
	i int
}

func (p piece) offset() int64 { return int64(p.i) * p.s.meta.pieceLength }

// ReadAt never gives io.EOF, of which the engine would conclude more than that this read failed.
func (p piece) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.s.ReadAt(b, p.offset()+off)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
		if n == len(b) {
			err = nil
		}
	}
	return n, err
}

func (p piece) WriteAt(b []byte, off int64) (int, error) { return p.s.write(b, p.offset()+off) }

func (p piece) MarkComplete() error {
	p.s.touch(p.i)
	p.s.mark(p.i, true)
	return nil
}

func (p piece) MarkNotComplete() error {
	p.s.mark(p.i, false)
	return nil
}

func (p piece) Completion() storage.Completion {
	p.s.mu.RLock()
	defer p.s.mu.RUnlock()
	return storage.Completion{Ok: p.s.unknown == nil || !p.s.unknown.has(p.i), Complete: p.s.done.has(p.i)}
}

// WriteTo is how the engine reads a piece to hash it.
func (p piece) WriteTo(w io.Writer) (int64, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	var off int64
	for size := p.s.meta.size(p.i); off < size; {
		b := buffer[:min(bufferSize, size-off)]
		n, err := p.ReadAt(b, off)
		if n > 0 {
			if _, err := w.Write(b[:n]); err != nil {
				return off, err
			}
			off += int64(n)
		}
		if err != nil {
			return off, err
		}
	}
	return off, nil
}
