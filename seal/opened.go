package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// Opened is a container, opened as it is read. Safe for concurrent use if the container is. It keeps one record, 64 KiB,
// so that reading on in small steps opens each record once.
type Opened struct {
	records   *records
	container io.ReaderAt
	header    Header
	raw       []byte
	salt      [16]byte
	size      int64   // of the container
	count     int64   // of records
	starts    []int64 // where the files begin in the plaintext, and where the last one ends
	recent    atomic.Pointer[opened]
}

// opened is a record's data, which nobody changes any more.
type opened struct {
	sequence int64
	data     []byte
}

// Open reads the header of a container of size bytes, and what it says of itself is made clean. The container must give
// verified bytes: then ErrKey means that the key is wrong, ErrFormat that whoever sealed it did it wrong. Errors of the
// container are passed on.
func Open(key Key, container io.ReaderAt, size int64) (*Opened, error) {
	if size < headLength+overhead {
		return nil, ErrFormat
	}
	first := make([]byte, headLength)
	if err := readFull(container, first, 0); err != nil {
		return nil, err
	}
	o := &Opened{container: container, salt: [16]byte(first), size: size}
	if string(first) != string(head(o.salt)) {
		return nil, ErrFormat
	}
	o.records = newRecords(key, o.salt)
	o.count = (size - headLength + RecordSize - 1) / RecordSize
	plain := size - headLength - overhead*o.count
	if plain < 4 || SealedSize(plain) != size {
		return nil, ErrFormat
	}

	var length [4]byte
	if _, err := o.readPlain(length[:], 0); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	if n > min(maxHeader, plain-4) {
		return nil, ErrFormat
	}
	o.raw = make([]byte, n)
	if _, err := o.readPlain(o.raw, 4); err != nil {
		return nil, err
	}
	var files int64
	var err error
	if o.header, files, err = parseHeader(o.raw); err != nil {
		return nil, err
	}
	if files != plain-4-n {
		return nil, ErrFormat
	}
	o.starts = append(make([]int64, 0, len(o.header.Files)+1), 4+n)
	for i, f := range o.header.Files {
		o.starts = append(o.starts, o.starts[i]+f.Size)
	}
	return o, nil
}

// Over is the same, opened already, with its bytes from elsewhere: one for each reader, which need not share a position,
// a context, or the record that is kept.
func (o *Opened) Over(container io.ReaderAt) *Opened {
	return &Opened{
		records: o.records, container: container, header: o.header, raw: o.raw, salt: o.salt, size: o.size,
		count: o.count, starts: o.starts,
	}
}

// Header is what the container says of its files, made clean.
func (o *Opened) Header() Header { return o.header }

// RawHeader is its JSON as it came, with which Again makes the same container.
func (o *Opened) RawHeader() []byte { return o.raw }

// Salt is what it was sealed with besides the key.
func (o *Opened) Salt() [16]byte { return o.salt }

// Size is the bytes of all files.
func (o *Opened) Size() int64 { return o.starts[len(o.starts)-1] - o.starts[0] }

// Content is all files' bytes, one after another.
func (o *Opened) Content() *io.SectionReader {
	return io.NewSectionReader(plaintext{o}, o.starts[0], o.Size())
}

// File is the i-th file of the header. Reading it gives ErrFormat where a record does not open.
func (o *Opened) File(i int) *io.SectionReader {
	return io.NewSectionReader(plaintext{o}, o.starts[i], o.starts[i+1]-o.starts[i])
}

// Covering tells which bytes of the container, [start, end), must be there to read bytes [start, end) of the i-th file.
func (o *Opened) Covering(i int, start, end int64) (int64, int64) {
	return covering(o.starts[i]+start, o.starts[i]+end, o.size)
}

type plaintext struct{ o *Opened }

func (p plaintext) ReadAt(b []byte, off int64) (int, error) { return p.o.readPlain(b, off) }

// readPlain reads as an io.ReaderAt does; nobody asks for anything outside of the plaintext.
func (o *Opened) readPlain(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		data, err := o.record(at / DataSize)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[at%DataSize:])
	}
	return n, nil
}

func (o *Opened) record(sequence int64) ([]byte, error) {
	if r := o.recent.Load(); r != nil && r.sequence == sequence {
		return r.data, nil
	}
	at := headLength + sequence*RecordSize
	sealed := make([]byte, min(RecordSize, o.size-at))
	if err := readFull(o.container, sealed, at); err != nil {
		return nil, err
	}
	data, err := o.records.open(sequence, sealed, sequence == o.count-1)
	switch {
	case errors.Is(err, errRecord) && sequence == 0:
		return nil, ErrKey
	case err != nil, len(data) != len(sealed)-overhead: // padding would move all that follows
		return nil, ErrFormat
	}
	o.recent.Store(&opened{sequence, data})
	return data, nil
}

func readFull(from io.ReaderAt, p []byte, off int64) error {
	switch n, err := from.ReadAt(p, off); {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("reading the sealed container: %w", io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("reading the sealed container: %w", err)
	}
}
