package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Sealed is a container, made as it is read: the same bytes each time. Safe for concurrent use; a read takes at most
// one record of memory, 64 KiB, and keeps none.
type Sealed struct {
	records *records
	head    []byte
	front   []byte // header length and header
	content io.ReaderAt
	plain   int64
	scratch sync.Pool // *[RecordSize]byte
}

// New seals the files that h names, whose bytes content has one after another. It reads none of it yet. salt must be
// fresh (NewSalt), or the one that this very content was sealed with before. Errors: ErrTooLarge, and sizes that are
// none.
func New(key Key, salt [16]byte, h Header, content io.ReaderAt) (*Sealed, error) {
	header, err := h.Encode()
	if err != nil {
		return nil, err
	}
	size, _ := h.size()
	return Again(key, salt, header, content, size)
}

// Again makes a container as it was before, from the JSON of its header (Header.Encode, Opened.RawHeader) and the size
// bytes of its files.
func Again(key Key, salt [16]byte, header []byte, content io.ReaderAt, size int64) (*Sealed, error) {
	if len(header) > maxHeader {
		return nil, ErrTooLarge
	}
	if size < 0 || size > maxSize {
		return nil, fmt.Errorf("sealing %d bytes: out of range", size)
	}
	front := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(header)), uint32(len(header)))
	front = append(front, header...)
	return &Sealed{
		records: newRecords(key, salt), head: head(salt), front: front, content: content,
		plain: int64(len(front)) + size, scratch: sync.Pool{New: func() any { return new([RecordSize]byte) }},
	}, nil
}

// Size is the container's, in bytes.
func (s *Sealed) Size() int64 { return SealedSize(s.plain) }

// Covering tells which bytes of the container, [start, end), are made of bytes [start, end) of the content.
func (s *Sealed) Covering(start, end int64) (int64, int64) {
	if start == end {
		return 0, 0
	}
	front := int64(len(s.front))
	return covering(front+start, front+end, s.Size())
}

// ReadAt is io.ReaderAt. Errors are those of the content; content shorter than its header says is
// io.ErrUnexpectedEOF.
func (s *Sealed) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("seal: read before the beginning")
	}
	short := false
	if left := s.Size() - off; int64(len(p)) > left {
		p, short = p[:max(0, left)], true
	}
	if off < headLength {
		n = copy(p, s.head[off:])
	}
	for n < len(p) {
		at := off + int64(n) - headLength
		m, err := s.readRecord(p[n:], at/RecordSize, int(at%RecordSize))
		if n += m; err != nil {
			clear(p[n:]) // what is in there was not encrypted yet
			return n, err
		}
	}
	if short {
		err = io.EOF
	}
	return n, err
}

// readRecord reads from byte offset of one record on, to its end at most.
func (s *Sealed) readRecord(p []byte, sequence int64, offset int) (int, error) {
	from := sequence * DataSize
	data := int(min(DataSize, s.plain-from))
	last := from+int64(data) == s.plain
	body := data + 1 // and the delimiter
	p = p[:min(len(p), body+tagSize-offset)]

	// into reads [start, end) of data ‖ delimiter.
	into := func(b []byte, start, end int) error {
		if end == body {
			b[end-start-1] = delimiter(last)
			end--
		}
		return s.readPlain(b[:end-start], from+int64(start))
	}
	if end := offset + len(p); end <= body {
		if err := into(p, offset, end); err != nil {
			return 0, err
		}
		s.records.mask(sequence, offset, p)
		return len(p), nil
	}
	record := p
	if len(p) < body+tagSize {
		buffer := s.scratch.Get().(*[RecordSize]byte)
		defer s.scratch.Put(buffer)
		record = buffer[:]
	}
	if err := into(record, 0, body); err != nil {
		return 0, err
	}
	sealed := s.records.seal(sequence, record[:body:body+tagSize])
	if &sealed[0] != &p[0] {
		copy(p, sealed[offset:])
	}
	return len(p), nil
}

// readPlain fills p with the plaintext from byte off on.
func (s *Sealed) readPlain(p []byte, off int64) error {
	front := int64(len(s.front))
	if off < front {
		n := copy(p, s.front[off:])
		p, off = p[n:], off+int64(n)
	}
	if len(p) == 0 {
		return nil
	}
	switch n, err := s.content.ReadAt(p, off-front); {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("sealing: what is sealed has become shorter: %w", io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("sealing: %w", err)
	}
}
