package rendezvous

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func bytes20(first byte) (b [20]byte) {
	for i := range b {
		b[i] = first + byte(i)*13
	}
	return b
}

func TestBinary(t *testing.T) {
	for _, first := range []byte{0, 34, 92, 128, 255} {
		b := binary(bytes20(first))
		data, err := json.Marshal(b)
		if err != nil || !utf8.Valid(data) {
			t.Fatalf("%q, %v", data, err)
		}
		var text string
		if err := json.Unmarshal(data, &text); err != nil || utf8.RuneCountInString(text) != 20 {
			t.Errorf("%q: %v", data, err)
		}
		for i, r := range []rune(text) {
			if r != rune(b[i]) {
				t.Errorf("%q: code point %d is %U", data, i, r)
			}
		}
		if id, ok := ownID(data); !ok || id != b {
			t.Errorf("%x came back as %x", b, id)
		}
	}
	for _, bad := range []string{`""`, `"1234567890123456789"`, `"123456789012345678901"`, `"1234567890123456789Ā"`, `7`, `[]`, `"1234567890123456789\ud800"`, "\"1234567890123456789\xff\"", ``} {
		if _, ok := ownID(json.RawMessage(bad)); ok {
			t.Errorf("%s passed for 20 bytes", bad)
		}
	}
}

const someHash = `"info_hash":"aaaaaaaaaaaaaaaaaaaa"`

func TestParse(t *testing.T) {
	id := `"peer_id":"bbbbbbbbbbbbbbbbbbbb"`
	for _, c := range []struct {
		in   string
		want func(m message) bool
	}{
		{`{"action":"announce",` + someHash + `,"interval":120,"complete":3,"incomplete":4,"min interval":1.5}`, func(m message) bool { return *m.reply == reply{120, 1.5, 3, 4} }},
		{`{"action":"announce",` + someHash + `}`, func(m message) bool { return *m.reply == reply{-1, -1, -1, -1} }},
		{`{"action":"announce",` + someHash + `,"interval":"soon","complete":-3,"incomplete":1e300,"offer":null}`, func(m message) bool { return *m.reply == reply{-1, -1, -1, -1} }},
		{`{"action":"announce",` + someHash + `,"failure reason":"no"}`, func(m message) bool { return m.failure == "no" }},
		{`{` + someHash + `,"failure reason":""}`, func(m message) bool { return m.failure == "no reason given" }},
		{`{` + someHash + `,"failure reason":"\u001b[31m` + strings.Repeat("é", 500) + `"}`, func(m message) bool {
			return utf8.RuneCountInString(m.failure) == 200 && utf8.ValidString(m.failure) && !strings.Contains(m.failure, "\x1b")
		}},
		{`{"action":"announce",` + someHash + `,` + id + `,"offer_id":"\u0000é\ud800","offer":{"type":"offer","sdp":"v=0"}}`, func(m message) bool {
			return m.offer == "v=0" && m.peerID[0] == 'b' && string(m.offerID) == `"\u0000é\ud800"` && m.answer == ""
		}},
		{`{"action":"announce",` + someHash + `,` + id + `,"offer_id":"x","answer":{"type":"answer","sdp":"v=0"}}`, func(m message) bool { return m.answer == "v=0" && m.offer == "" }},
		{`{"action":"scrape","files":{}}`, nil},
		{`{"action":"announce"}`, nil},
		{`{"action":"announce","info_hash":"short"}`, nil},
		{`{"action":"announce",` + someHash + `,"offer_id":"x","offer":{"type":"offer","sdp":"v=0"}}`, nil},
		{`{"action":"announce",` + someHash + `,` + id + `,"offer_id":7,"offer":{"type":"offer","sdp":"v=0"}}`, nil},
		{`{"action":"announce",` + someHash + `,` + id + `,"offer":{"type":"offer","sdp":"v=0"}}`, nil},
		{`{"action":"announce",` + someHash + `,` + id + `,"offer_id":"x","offer":{"type":"answer","sdp":"v=0"}}`, nil},
		{`{"action":"announce",` + someHash + `,` + id + `,"offer_id":"x","offer":{"type":"offer"}}`, nil},
		{`{"action":"announce",` + someHash + `,` + id + `,"offer_id":"x","offer":"v=0"}`, nil},
		{`{"action":"announce",` + someHash + `,` + id + `,"offer_id":"` + strings.Repeat("x", 300) + `","offer":{"type":"offer","sdp":"v=0"}}`, nil},
		{`{"action":"announce",` + someHash + `,"x":"` + strings.Repeat("x", longestMessage) + `"}`, nil},
		{`[]`, nil}, {`null`, nil}, {``, nil}, {`{`, nil}, {`hello`, nil},
	} {
		m, err := parse([]byte(c.in))
		if c.want == nil && err == nil {
			t.Errorf("%.100s passed", c.in)
		}
		if c.want != nil && (err != nil || m.infoHash[0] != 'a' || !c.want(m)) {
			t.Errorf("%.100s: %+v, %v", c.in, m, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"action":"announce",` + someHash + `,"interval":120,"complete":3,"incomplete":4}`,
		`{"action":"announce",` + someHash + `,"peer_id":"bbbbbbbbbbbbbbbbbbbb","offer_id":"\u00ff","offer":{"type":"offer","sdp":"v=0"}}`,
		`{"action":"announce",` + someHash + `,"failure reason":"\u009b no"}`, `{"info_hash":1e999}`, `[[[[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data)
		if err != nil {
			return
		}
		kinds := 0
		for _, is := range []bool{m.reply != nil, m.failure != "", m.offer != "", m.answer != ""} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			t.Fatalf("it is %d things: %+v", kinds, m)
		}
		if utf8.RuneCountInString(m.failure) > longestReason || len(m.offerID) > longestOfferID {
			t.Fatal("it is too long")
		}
		if m.offer == "" {
			return
		}
		// What is sent back is JSON, and has the id as it came.
		back := encode(answerMessage{Action: "announce", OfferID: m.offerID, Answer: description{"answer", "v=0"}})
		var said struct {
			ID string `json:"offer_id"`
		}
		var came string
		if err := json.Unmarshal(back, &said); err != nil {
			t.Fatalf("%s: %v", back, err)
		}
		if err := json.Unmarshal(m.offerID, &came); err != nil || came != said.ID || bytes.ContainsAny(back, "\n") {
			t.Fatalf("%s came back as %s", m.offerID, back)
		}
	})
}
