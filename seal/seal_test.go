package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

func TestKey(t *testing.T) {
	key := NewKey()
	if key == NewKey() || NewSalt() == NewSalt() {
		t.Error("twice the same")
	}
	text := key.String()
	if again, err := ParseKey(text); err != nil || again != key || len(text) != 22 {
		t.Errorf("ParseKey(%q) = %v, %v", text, again == key, err)
	}
	for _, bad := range []string{"", text[:21], text + "A", text[:21] + "!", text[:20] + "\n\n", strings.Repeat("+", 22)} {
		if _, err := ParseKey(bad); err == nil {
			t.Errorf("ParseKey(%q) takes it", bad)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", key)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", &key)
	fmt.Fprintf(&log, "%v %s %+v %#v %x %d %v", key, key, key, key, key, key, struct{ K *Key }{&key}.K)
	for _, secret := range []string{text, fmt.Sprintf("%x", key[:]), fmt.Sprint(key[:])} {
		if strings.Contains(log.String(), strings.Trim(secret, "[]")) {
			t.Errorf("%q is in %q", secret, &log)
		}
	}
}

// sample is a container of several records and files.
func sample(t testing.TB) (Key, *Sealed, []byte) {
	t.Helper()
	v := load(t).Containers[7]
	key, s := v.make(t)
	return key, s, all(t, s, s.Size())
}

func TestAnyRangeOfAContainer(t *testing.T) {
	_, s, sealed := sample(t)
	size := len(sealed)
	edges := []int{0, 1, 20, 21, 22, 36, 37, 53, size - 17, size - 16, size - 1, size}
	for record := headLength; record < size; record += RecordSize {
		for _, d := range []int{-18, -17, -16, -15, -1, 0, 1, 15, 16, 17} {
			edges = append(edges, record+d)
		}
	}
	check := func(from, to int) {
		if from < 0 || to > size || from > to {
			return
		}
		p := make([]byte, to-from)
		if n, err := s.ReadAt(p, int64(from)); n != len(p) || err != nil || !bytes.Equal(p, sealed[from:to]) {
			t.Fatalf("[%d, %d): %d bytes, %v", from, to, n, err)
		}
	}
	for _, from := range edges {
		for _, to := range edges {
			check(from, to)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		from := r.IntN(size)
		check(from, from+r.IntN(min(size-from, 40_000)))
	}

	for _, c := range []struct{ off, want int }{{size, 0}, {size + 5, 0}, {size - 3, 3}} {
		if n, err := s.ReadAt(make([]byte, 10), int64(c.off)); n != c.want || err != io.EOF {
			t.Errorf("at %d of %d: %d, %v", c.off, size, n, err)
		}
	}
	if _, err := s.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("reads before the beginning")
	}
	if err := iotest.TestReader(io.NewSectionReader(s, 0, s.Size()), sealed); err != nil {
		t.Error(err)
	}
}

// tracked says which bytes were read.
type tracked struct {
	io.ReaderAt
	from, to int64
	reads    int
}

func (r *tracked) ReadAt(p []byte, off int64) (int, error) {
	r.from, r.to, r.reads = min(r.from, off), max(r.to, off+int64(len(p))), r.reads+1
	return r.ReaderAt.ReadAt(p, off)
}

func TestRangesTakeTheRecordsThatCoverThem(t *testing.T) {
	key, s, sealed := sample(t)
	o, err := Open(key, bytes.NewReader(sealed), s.Size())
	if err != nil {
		t.Fatal(err)
	}
	want := all(t, content(o.Size()), o.Size())
	r := rand.New(rand.NewPCG(3, 4))
	const file = 1 // 70,000 bytes
	for range 200 {
		from := r.Int64N(70_000)
		to := from + 1 + r.Int64N(70_000-from)
		source := &tracked{ReaderAt: bytes.NewReader(sealed), from: s.Size()}
		p := make([]byte, to-from)
		if _, err := o.Over(source).File(file).ReadAt(p, from); err != nil && err != io.EOF || !bytes.Equal(p, want[from:to]) {
			t.Fatalf("[%d, %d): %v", from, to, err)
		}
		if first, last := o.Covering(file, from, to); source.from != first || source.to != last {
			t.Errorf("[%d, %d) read [%d, %d), covering is [%d, %d)", from, to, source.from, source.to, first, last)
		}
	}
	source := &tracked{ReaderAt: bytes.NewReader(sealed)}
	if err := iotest.TestReader(o.Over(source).Content(), want); err != nil {
		t.Error(err)
	}
	source.reads = 0
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{o.Over(source).Content()}, make([]byte, 1000)); err != nil || source.reads != 3 {
		t.Errorf("three records were read %d times in all: %v", source.reads, err)
	}
}

func TestManyReaders(t *testing.T) {
	key, s, sealed := sample(t)
	o, err := Open(key, s, s.Size())
	if err != nil {
		t.Fatal(err)
	}
	want := all(t, content(o.Size()), o.Size())
	var readers sync.WaitGroup
	for i := range uint64(8) {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(5, i))
			p := make([]byte, 20_000)
			for range 100 {
				off := r.Int64N(s.Size() - int64(len(p)))
				if _, err := s.ReadAt(p, off); err != nil || !bytes.Equal(p, sealed[off:][:len(p)]) {
					t.Errorf("sealed at %d: %v", off, err)
				}
				off = r.Int64N(o.Size() - int64(len(p)))
				if _, err := o.Content().ReadAt(p, off); err != nil || !bytes.Equal(p, want[off:][:len(p)]) {
					t.Errorf("opened at %d: %v", off, err)
				}
			}
		})
	}
	readers.Wait()
}

type failing struct{ err error }

func (f failing) ReadAt(p []byte, _ int64) (int, error) { return 0, f.err }

func TestErrorsArePassedOn(t *testing.T) {
	away := errors.New("the disk is away")
	h := Header{Name: "n", Files: []File{{Path: "a", Size: 100_000}}}
	s, err := New(NewKey(), NewSalt(), h, failing{away})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{200, RecordSize, 2 * RecordSize} { // with and without a tag in it
		p := bytes.Repeat([]byte{7}, n)
		got, err := s.ReadAt(p, 30)
		if !errors.Is(err, away) || got != 0 || bytes.Contains(p, []byte(`"name"`)) {
			t.Errorf("%d bytes, %v, and in the buffer %q", got, err, p[:60])
		}
	}
	if _, err := Open(NewKey(), failing{away}, 1000); !errors.Is(err, away) {
		t.Errorf("opened: %v", err)
	}

	s, err = New(NewKey(), NewSalt(), h, content(99_999))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadAt(make([]byte, s.Size()), 0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("content that has become shorter: %v", err)
	}
	if _, err := Open(NewKey(), bytes.NewReader(append(head(NewSalt()), 1, 2, 3)), 1000); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a container shorter than said: %v", err)
	}
}

func TestWhatCannotBeSealed(t *testing.T) {
	many := make([]File, 20_000)
	for _, c := range []struct {
		name string
		h    Header
		want error // nil: any
	}{
		{"nothing", Header{}, nil},
		{"a negative size", Header{Files: []File{{Size: -1}}}, nil},
		{"a negative size that another makes up for", Header{Files: []File{{Size: -1}, {Size: 2}}}, nil},
		{"sizes beyond 64 bits", Header{Files: []File{{Size: 1<<63 - 1}, {Size: 1<<63 - 1}, {Size: 3}}}, nil},
		{"sizes beyond numbers", Header{Files: []File{{Size: 1 << 52}, {Size: 1 << 52}}}, nil},
		{"many files", Header{Files: many}, ErrTooLarge},
		{"long names", Header{Name: strings.Repeat("x", 1<<20), Files: many[:1]}, ErrTooLarge},
	} {
		if _, err := New(Key{}, [16]byte{}, c.h, nil); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := c.h.Encode(); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s, the header alone: %v", c.name, err)
		}
	}
	for _, size := range []int64{-1, 1 << 53} {
		if _, err := Again(Key{}, [16]byte{}, []byte("{}"), nil, size); err == nil {
			t.Errorf("again with %d bytes: no error", size)
		}
	}
	if _, err := Again(Key{}, [16]byte{}, make([]byte, 1<<20+1), nil, 0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("again with a header of more than 1 MiB: %v", err)
	}
}

// What is sealed here must open elsewhere: both ends draw the line at the same place.
func TestAsManyFilesAsThereMayBe(t *testing.T) {
	h := Header{Name: "n", Files: make([]File, 1<<14)}
	s, err := New(Key{}, [16]byte{}, h, content(0))
	if err != nil {
		t.Fatal(err)
	}
	o, err := Open(Key{}, s, s.Size())
	if err != nil || len(o.Header().Files) != len(h.Files) {
		t.Fatalf("opened: %v", err)
	}
	one := `{"path":"","size":0}`
	if _, err := ParseHeader([]byte(`{"v":1,"files":[` + one + strings.Repeat(","+one, 1<<14) + `]}`)); !errors.Is(err, ErrFormat) {
		t.Errorf("one file more: %v", err)
	}
}

func TestSizesThatNoContainerHas(t *testing.T) {
	key, s, _ := sample(t)
	for _, size := range []int64{-1, 0, 37, 38, 41, headLength + RecordSize + 1, headLength + RecordSize + 17, s.Size() - 1, s.Size() + 1} {
		if _, err := Open(key, content(s.Size()+1), size); err == nil {
			t.Errorf("%d bytes are opened", size)
		}
	}
}

// forge seals any plaintext, whatever it says.
func forge(key Key, plain []byte) []byte {
	r := newRecords(key, [16]byte{})
	b := head([16]byte{})
	for sequence := int64(0); ; sequence++ {
		n := min(len(plain), DataSize)
		data := append(append(make([]byte, 0, n+overhead), plain[:n]...), delimiter(n == len(plain)))
		b = append(b, r.seal(sequence, data)...)
		if plain = plain[n:]; len(plain) == 0 {
			return b
		}
	}
}

// RFC 8188 allows padding. Here it would leave a record with less than is read from it, and move all that follows.
func TestPaddingIsRefused(t *testing.T) {
	header := fmt.Sprintf(`{"v":1,"files":[{"path":"a","size":%d}]}`, DataSize)
	plain := append(binary.BigEndian.AppendUint32(nil, uint32(len(header))), header...)
	plain = append(plain, make([]byte, DataSize)...)
	for padded := range 2 {
		r, b := newRecords(Key{}, [16]byte{}), head([16]byte{})
		for i, data := range [][]byte{plain[:DataSize], plain[DataSize:]} {
			record := append(make([]byte, 0, len(data)+overhead), data...)
			if i == padded {
				record = append(record[:len(data)-9], delimiter(i == 1))
				record = record[:len(data)+1] // and zeros
			} else {
				record = append(record, delimiter(i == 1))
			}
			b = append(b, r.seal(int64(i), record)...)
		}
		o, err := Open(Key{}, bytes.NewReader(b), int64(len(b)))
		if err == nil {
			_, err = o.Content().ReadAt(make([]byte, 1), o.Size()-1)
		}
		if !errors.Is(err, ErrFormat) {
			t.Errorf("record %d: %v", padded, err)
		}
	}
}

func TestWhatNoHeaderIs(t *testing.T) {
	good := `{"v":1,"name":"n","files":[{"path":"a","size":0}]}`
	long := good + strings.Repeat(" ", 1<<20)
	framed := func(length uint32, rest string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, length), rest...)
	}
	for name, plain := range map[string][]byte{
		"longer than what there is":               framed(uint32(len(good))+1, good),
		"longer than what there is, many records": framed(1<<20, good),
		"without end":           framed(1<<32-1, good),
		"of more than 1 MiB":    framed(uint32(len(long)), long),
		"empty":                 framed(0, ""),
		"no header at all":      framed(2, "{}"),
		"not UTF-8":             framed(uint32(len(good)), strings.Replace(good, "n\"", "\xff\"", 1)),
		"three bytes":           {0, 0, 0},
		"longer than its files": framed(uint32(len(good)), good+"x"),
	} {
		b := forge(Key{}, plain)
		if o, err := Open(Key{}, bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v", name, o, err)
		}
	}
	if h, err := ParseHeader([]byte(good)); err != nil || h.Name != "n" {
		t.Errorf("a good one: %v, %v", h, err)
	}
	for _, files := range []string{
		`[{"path":"a","size":9007199254740991},{"path":"b","size":1}]`, // more bytes than numbers count
		`[{"path":"a","size":1e300}]`, `[{"path":"a","size":-1}]`, `[{"path":"a","size":0.5}]`,
		`[{"path":null,"size":1}]`, `[{"size":1}]`, `[null]`, `null`,
	} {
		if h, err := ParseHeader([]byte(`{"v":1,"files":` + files + `}`)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v", files, h, err)
		}
	}
	if _, err := ParseHeader([]byte(long)); !errors.Is(err, ErrFormat) {
		t.Errorf("parsed, of more than 1 MiB: %v", err)
	}
}

// Any container opens or gives one of the two errors, and what opens can be read and sealed again to the byte.
func FuzzOpen(f *testing.F) {
	header, err := Header{Name: "n", Files: []File{{Path: "a", Size: 2, Type: "a/b"}}}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	plain := append(append([]byte{0, 0, 0, byte(len(header))}, header...), "xy"...)
	f.Add(plain, true)
	f.Add([]byte{0, 0, 0, 0}, true)
	f.Add([]byte{255, 255, 255, 255, '{', '}'}, true)
	for _, v := range load(f).Parsed {
		f.Add(append([]byte{0, 0, byte(len(v.JSON) >> 8), byte(len(v.JSON))}, v.JSON...), true)
	}
	f.Add(forge(Key{}, plain), false)
	f.Fuzz(func(t *testing.T, b []byte, plain bool) {
		if plain {
			b = forge(Key{}, b)
		}
		o, err := Open(Key{}, bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrKey) && !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		all(t, o.Content(), o.Size())
		for i, file := range o.Header().Files {
			all(t, o.File(i), file.Size)
		}
		again, err := Again(Key{}, o.Salt(), o.RawHeader(), o.Content(), o.Size())
		if err != nil || !bytes.Equal(all(t, again, again.Size()), b) {
			t.Errorf("sealed again it is another one: %v", err)
		}
		if text, err := o.Header().Encode(); err != nil || !json.Valid(text) {
			t.Errorf("a header that cannot be written: %s, %v", text, err)
		}
	})
}

func BenchmarkSealed(b *testing.B) {
	const size = 16 << 20
	s, err := New(NewKey(), NewSalt(), Header{Name: "n", Files: []File{{Path: "a", Size: size}}}, content(size))
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{16 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%d KiB", n>>10), func(b *testing.B) {
			p := make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := s.ReadAt(p, int64(i*n%(size-n))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpened(b *testing.B) {
	const size = 16 << 20
	key := NewKey()
	s, err := New(key, NewSalt(), Header{Name: "n", Files: []File{{Path: "a", Size: size}}}, content(size))
	if err != nil {
		b.Fatal(err)
	}
	o, err := Open(key, bytes.NewReader(all(b, s, s.Size())), s.Size())
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 32<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := o.Content().ReadAt(p, int64(i*len(p)%(size-len(p)))); err != nil {
			b.Fatal(err)
		}
	}
}
