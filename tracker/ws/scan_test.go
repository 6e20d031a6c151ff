package ws

import (
	"bytes"
	encoding "encoding/binary"
	"encoding/json"
	"errors"
	"hash/maphash"
	"io"
	"math/bits"
	"strings"
	"testing"
	"unicode/utf8"
)

func newScanner() *scanner { return &scanner{seed: maphash.MakeSeed()} }

func TestScanErrors(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"` + strings.Repeat("k", i) + `":0,`)
		}
		return `{` + b.String() + `"last":0}`
	}
	for _, c := range []struct {
		in   string
		want error
	}{
		{`{}`, nil},
		{" \t\r\n{ \"a\" : [ ] , \"b\" : { } } ", nil},
		{`{"offers":[1,null,{"offer":{},"offer_id":"a"},[]],"info_hash":["a"]}`, nil},
		{``, errSyntax},
		{`[]`, errObject},
		{`"action"`, errObject},
		{`{`, errSyntax},
		{`{"a"}`, errSyntax},
		{`{"a":1,}`, errSyntax},
		{`{"a":01}`, errSyntax},
		{`{"a":1.}`, errSyntax},
		{`{"a":-}`, errSyntax},
		{`{"a":1e}`, errSyntax},
		{`{"a":tru}`, errSyntax},
		{`{"a":"\x"}`, errSyntax},
		{`{"a":"\u12"}`, errSyntax},
		{`{"info_hash":["\u12`, errSyntax},
		{"{\"a\":\"\n\"}", errSyntax},
		{`{} {}`, errSyntax},
		{"\ufeff{}", errSyntax},
		{"{\"a\":\"\xff\"}", errUTF8},
		{"{\"a\":\"\xed\xa0\x80\"}", errUTF8},
		{`{"a":1,"a":2}`, errDuplicate},
		{`{"a":1,"\u0061":2}`, errDuplicate},
		{`{"x":{"a":1,"b":2,"a":3}}`, errDuplicate},
		{`{"offers":[{"offer":{},"offer_id":"a","offer":{}}]}`, errDuplicate},
		{`{"answer":{"sdp":"a","sdp":"b"}}`, errDuplicate},
		{`{"a":{"a":{"a":1}},"b":{"a":1}}`, nil},
		{`{"a":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + `}`, nil},
		{`{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`, errDepth},
		{`{"a":` + strings.Repeat("[", 60_000), errDepth},
		{many(maxKeys - 1), nil},
		{many(maxKeys), errDepth},
	} {
		if err := newScanner().scan([]byte(c.in)); !errors.Is(err, c.want) {
			t.Errorf("%.60q: got %v, want %v", c.in, err, c.want)
		}
	}
}

func TestBinary(t *testing.T) {
	var all [20]byte
	for i := range all {
		all[i] = byte(i * 13)
	}
	plain, _ := json.Marshal(string(runes(all[:])))
	escaped := []byte(`"`)
	for _, b := range all {
		escaped = append(escaped, []byte(`\u00`+string("0123456789abcdef"[b>>4])+string("0123456789ABCDEF"[b&15]))...)
	}
	escaped = append(escaped, '"')
	for _, raw := range [][]byte{plain, escaped} {
		if got, ok := binary(raw); !ok || got != all {
			t.Errorf("%s: got %x, %v", raw, got, ok)
		}
	}
	for _, raw := range []string{`""`, `"1234567890123456789"`, `"123456789012345678901"`, `"1234567890123456789Ā"`, `"1234567890123456789\ud800"`} {
		if _, ok := binary([]byte(raw)); ok {
			t.Errorf("%s passed for 20 bytes", raw)
		}
	}
}

func runes(b []byte) []rune {
	r := make([]rune, len(b))
	for i := range b {
		r[i] = rune(b[i])
	}
	return r
}

// FuzzScan compares the scanner with encoding/json: both must take or refuse a message, and find the same values.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"action":"announce","info_hash":"aaaaaaaaaaaaaaaaaaaa","peer_id":"-WW0300-\u0000\u00ff\n\\ééééééé","left":null,"numwant":5,"offers":[{"offer":{"type":"offer","sdp":"v=0\r\n"},"offer_id":"bbbbbbbbbbbbbbbbbbbb"}]}`,
		`{"action":"announce","info_hash":"a","peer_id":"b","to_peer_id":"c","offer_id":"d","answer":{"type":"answer","sdp":"v=0"}}`,
		`{"action":"scrape","info_hash":["a","b",{"c":[]}]}`,
		`{"a":[{"b":-1.5e+3},true,false,null,""],"c":{"d":{}}}`,
		`{"a":1,"\u0061":2}`, "{\"\xff\":0}", `{"\ud83d\ude00":"\ud83d"}`, `[]`, `0`, `{"a":1`, ``,
	} {
		f.Add([]byte(seed))
	}
	s := newScanner()
	f.Fuzz(func(t *testing.T, data []byte) {
		err := s.scan(data)
		if errors.Is(err, errDepth) {
			return
		}
		if want := acceptable(data); (err == nil) != want {
			t.Fatalf("the scanner says %v, encoding/json says %v", err, want)
		}
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		for key, v := range map[string]value{
			"action": s.action, "info_hash": s.infoHash, "peer_id": s.peerID, "to_peer_id": s.toPeerID, "offer_id": s.offerID,
			"event": s.event, "left": s.left, "numwant": s.numWant, "offers": s.offersValue, "answer": s.answer,
		} {
			if got := s.raw(v); !bytes.Equal(got, want[key]) {
				t.Fatalf("%s: got %q, want %q", key, got, want[key])
			}
			if v.kind == text {
				var says string
				if err := json.Unmarshal(want[key], &says); err != nil {
					t.Fatal(err)
				}
				if got := unescape(nil, s.data[v.start+1:v.end-1]); string(got) != says {
					t.Fatalf("%s says %q, want %q", key, got, says)
				}
				b, ok := binary(s.raw(v))
				if r := []rune(says); ok && says != string(runes(b[:])) || !ok && len(r) == 20 && !strings.ContainsFunc(says, func(r rune) bool { return r > 0xff }) {
					t.Fatalf("%q became %x, %v", says, b, ok)
				}
			}
		}
		var offers, hashes []json.RawMessage
		if s.offersValue.kind == array {
			_ = json.Unmarshal(want["offers"], &offers)
		}
		if s.infoHash.kind == array {
			_ = json.Unmarshal(want["info_hash"], &hashes)
		}
		if s.offerCount != len(offers) || s.hashCount != len(hashes) {
			t.Fatalf("%d offers and %d hashes, want %d and %d", s.offerCount, s.hashCount, len(offers), len(hashes))
		}
		for i := range min(len(hashes), maxHashes) {
			if !bytes.Equal(s.raw(s.hashes[i]), hashes[i]) {
				t.Fatalf("hash %d: got %q, want %q", i, s.raw(s.hashes[i]), hashes[i])
			}
		}
		for i := range min(len(offers), maxOffers) {
			var member map[string]json.RawMessage
			_ = json.Unmarshal(offers[i], &member)
			if o := s.offers[i]; !bytes.Equal(s.raw(o.offer), member["offer"]) || !bytes.Equal(s.raw(o.id), member["offer_id"]) {
				t.Fatalf("offer %d: got %q and %q, want %q", i, s.raw(o.offer), s.raw(o.id), offers[i])
			}
		}
	})
}

// acceptable says whether data is one JSON object in UTF-8 in which no object has a key twice.
func acceptable(data []byte) bool {
	if !utf8.Valid(data) || !json.Valid(data) || !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var keys []map[string]bool // one for each object or array around; nil for an array
	isKey := false
	for {
		token, err := d.Token()
		if err == io.EOF {
			return true
		}
		if err != nil {
			return false
		}
		inside := func() { isKey = len(keys) > 0 && keys[len(keys)-1] != nil }
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				keys = append(keys, map[string]bool{})
			case '[':
				keys = append(keys, nil)
			default:
				keys = keys[:len(keys)-1]
			}
			inside()
		case string:
			if !isKey {
				inside()
				continue
			}
			if top := keys[len(keys)-1]; top[v] {
				return false
			} else {
				top[v] = true
			}
			isKey = false
		default:
			inside()
		}
	}
}

func BenchmarkScan(b *testing.B) {
	sdp := strings.Repeat(`a=candidate:1 1 udp 2122260223 192.168.1.2 54400 typ host\r\n`, 20)
	var offers []string
	for range 5 {
		offers = append(offers, `{"offer":{"type":"offer","sdp":"`+sdp+`"},"offer_id":"bbbbbbbbbbbbbbbbbbbb"}`)
	}
	data := []byte(`{"action":"announce","info_hash":"aaaaaaaaaaaaaaaaaaaa","peer_id":"cccccccccccccccccccc","left":1,"offers":[` + strings.Join(offers, ",") + `]}`)
	s := newScanner()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.scan(data); err != nil {
			b.Fatal(err)
		}
	}
}

// Eight bytes at once are looked at as they are one by one, whatever lies around.
func TestSpecial(t *testing.T) {
	for at := range 9 {
		for c := range 256 {
			for _, around := range []byte{' ', '!', '#', '[', ']', 0x7f} {
				b := bytes.Repeat([]byte{around}, 8)
				if at < 8 {
					b[at] = byte(c)
				}
				want := 0
				for want < 8 && b[want] >= ' ' && b[want] < utf8.RuneSelf && b[want] != '"' && b[want] != '\\' {
					want++
				}
				if got := bits.TrailingZeros64(special(encoding.LittleEndian.Uint64(b))) / 8; got != want {
					t.Fatalf("%q: %d, not %d", b, got, want)
				}
			}
		}
	}
}
