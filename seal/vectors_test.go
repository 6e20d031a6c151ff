package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"testing"
)

type vectors struct {
	RFC8188 []struct {
		Section, Key, Body, KeyID, Text string
		RecordSize                      int
	}
	Headers []struct {
		Header vectorHeader
		JSON   string
	}
	Containers []vectorContainer
	Refused    []struct {
		What, Key, Open string
		Container       int
		Flip, Cut       *int
		OK, Bad         [][2]int64
	}
	Parsed []struct {
		JSON   string
		Size   int64
		Header *vectorHeader
	}
}

type vectorHeader struct {
	Name  string
	Many  int
	Files []struct {
		Path, Type string
		Size       int64
	}
	Author string
}

type vectorContainer struct {
	What, MadeBy, Key, Salt, SHA256, Hex string
	Header                               vectorHeader
	Length                               int64
}

func load(t testing.TB) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v vectorHeader) header(t testing.TB) Header {
	t.Helper()
	h := Header{Name: v.Name}
	for i := range v.Many {
		h.Files = append(h.Files, File{Path: fmt.Sprintf("folder %d/file %d", i%7, i), Size: int64(i % 5)})
	}
	for _, f := range v.Files {
		h.Files = append(h.Files, File{Path: f.Path, Size: f.Size, Type: f.Type})
	}
	if v.Author != "" {
		var err error
		if h.Author, err = base64.RawURLEncoding.DecodeString(v.Author); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// content is what the vectors hold.
func content(size int64) *bytes.Reader {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return bytes.NewReader(b)
}

func (v vectorContainer) make(t testing.TB) (Key, *Sealed) {
	t.Helper()
	key, err := ParseKey(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	salt, err := hex.DecodeString(v.Salt)
	if err != nil {
		t.Fatal(err)
	}
	h := v.Header.header(t)
	size, err := h.size()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(key, [16]byte(salt), h, content(size))
	if err != nil {
		t.Fatal(err)
	}
	return key, s
}

func all(t testing.TB, from io.ReaderAt, size int64) []byte {
	t.Helper()
	b := make([]byte, size)
	if n, err := from.ReadAt(b, 0); n != len(b) || err != nil && err != io.EOF {
		t.Fatalf("read %d of %d bytes: %v", n, size, err)
	}
	return b
}

func TestRFC8188(t *testing.T) {
	for _, v := range load(t).RFC8188 {
		key, err := ParseKey(v.Key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := base64.RawURLEncoding.DecodeString(v.Body)
		if err != nil {
			t.Fatal(err)
		}
		r := newRecords(key, [16]byte(body))
		var text []byte
		rest := body[headLength+len(v.KeyID):]
		for sequence := int64(0); len(rest) > 0; sequence++ {
			record := rest[:min(len(rest), v.RecordSize)]
			rest = rest[len(record):]
			data, err := r.open(sequence, bytes.Clone(record), len(rest) == 0)
			if err != nil {
				t.Fatalf("section %s, record %d: %v", v.Section, sequence, err)
			}
			text = append(text, data...)
		}
		if string(text) != v.Text {
			t.Errorf("section %s: %q, want %q", v.Section, text, v.Text)
		}
		if v.KeyID == "" { // the other one is padded, which we never do
			sealed := r.seal(0, append([]byte(v.Text), delimiter(true)))
			if !bytes.Equal(sealed, body[headLength:]) {
				t.Errorf("section %s: sealed %x", v.Section, sealed)
			}
		}
	}
}

func TestHeaderVectors(t *testing.T) {
	for _, v := range load(t).Headers {
		got, err := v.Header.header(t).Encode()
		if err != nil || string(got) != v.JSON {
			t.Errorf("got  %s, %v\nwant %s", got, err, v.JSON)
		}
	}
}

func TestContainerVectors(t *testing.T) {
	for _, v := range load(t).Containers {
		t.Run(v.What, func(t *testing.T) {
			key, s := v.make(t)
			sealed := all(t, s, s.Size())
			if sum := sha256.Sum256(sealed); s.Size() != v.Length || hex.EncodeToString(sum[:]) != v.SHA256 {
				t.Fatalf("%d bytes with SHA-256 %x, want %d with %s", s.Size(), sum, v.Length, v.SHA256)
			}
			if v.Hex != "" && hex.EncodeToString(sealed) != v.Hex {
				t.Errorf("%x, want %s", sealed, v.Hex)
			}
			o, err := Open(key, bytes.NewReader(sealed), s.Size())
			if err != nil {
				t.Fatal(err)
			}
			if want := v.Header.header(t); !reflect.DeepEqual(o.Header(), want) {
				t.Errorf("header %v, want %v", o.Header(), want)
			}
			want := all(t, content(o.Size()), o.Size())
			if got := all(t, o.Content(), o.Size()); !bytes.Equal(got, want) {
				t.Error("the content is another one")
			}
			for i, f := range o.Header().Files {
				if got := all(t, o.File(i), f.Size); !bytes.Equal(got, want[:f.Size]) {
					t.Errorf("file %d is another one", i)
				}
				want = want[f.Size:]
			}
			again, err := Again(key, o.Salt(), o.RawHeader(), o.Content(), o.Size())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(all(t, again, again.Size()), sealed) {
				t.Error("sealed again it is another one")
			}
		})
	}
}

func TestRefusedVectors(t *testing.T) {
	v := load(t)
	code := func(err error) string {
		switch {
		case errors.Is(err, ErrKey):
			return "wrong-key"
		case errors.Is(err, ErrFormat):
			return "bad-torrent"
		case err != nil:
			return err.Error()
		}
		return ""
	}
	for _, r := range v.Refused {
		t.Run(r.What, func(t *testing.T) {
			key, s := v.Containers[r.Container].make(t)
			sealed := all(t, s, s.Size())
			if r.Key != "" {
				key, _ = ParseKey(r.Key)
			}
			if r.Flip != nil {
				sealed[*r.Flip] ^= 1
			}
			if r.Cut != nil {
				sealed = sealed[:*r.Cut]
			}
			o, err := Open(key, bytes.NewReader(sealed), int64(len(sealed)))
			if code(err) != r.Open {
				t.Fatalf("opening: %v, want %q", err, r.Open)
			}
			if err != nil {
				return
			}
			want := all(t, content(o.Size()), o.Size())
			for _, span := range r.OK {
				got := make([]byte, span[1]-span[0])
				if _, err := o.Content().ReadAt(got, span[0]); err != nil && err != io.EOF || !bytes.Equal(got, want[span[0]:span[1]]) {
					t.Errorf("reading %d: %v", span, err)
				}
			}
			for _, span := range r.Bad {
				n, err := o.Content().ReadAt(make([]byte, span[1]-span[0]), span[0])
				if code(err) != "bad-torrent" {
					t.Errorf("reading %d: %d, %v", span, n, err)
				}
			}
		})
	}
}

func TestParsedVectors(t *testing.T) {
	for _, v := range load(t).Parsed {
		h, size, err := parseHeader([]byte(v.JSON))
		if err == nil && size != v.Size {
			err = ErrFormat
		}
		if v.Header == nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%q: %v, %v; want it refused", v.JSON, h, err)
			}
			continue
		}
		if want := v.Header.header(t); err != nil || !reflect.DeepEqual(h, want) {
			t.Errorf("%q: %v, %v; want %v", v.JSON, h, err, want)
		}
	}
}
