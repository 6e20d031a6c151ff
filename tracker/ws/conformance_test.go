package ws_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// Each row of what the tracker does where others differ, by its name in docs/tracker.md.
func TestConformance(t *testing.T) {
	for _, row := range []struct {
		name string
		test func(w *world)
	}{
		{"Reply to an answer: no", func(w *world) {
			a, b := w.connect(), w.connect()
			w.counts(b, announce('b'))
			w.counts(a, announce('a', testnet.Offers(1)))
			w.got(b)
			b.Send(answer('b', 'a', 'A'))
			w.nothing(b)
		}},
		{"Reply to `stopped`: yes", func(w *world) {
			a, b := w.connect(), w.connect()
			w.counts(b, announce('b', `"left":0`))
			w.counts(a, announce('a', `"left":9`))
			a.Send(announce('a', `"event":"stopped"`, testnet.Offers(1)))
			want := testnet.Message{"action": "announce", "info_hash": hash, "complete": 1.0, "incomplete": 0.0}
			got := w.one(a)
			delete(got, "interval")
			if !reflect.DeepEqual(got, want) {
				w.Errorf("got %v, want %v", got, want)
			}
			w.nothing(b) // no offer of one that has stopped
			w.wantCounts(b, announce('b'), 1, 0)
		}},
		{"Order of reply and offers: reply first", func(w *world) {
			both := w.connect()
			w.counts(both, announce('b'))
			both.Send(announce('a', testnet.Offers(1)))
			if got := w.got(both); len(got) != 2 || got[0]["complete"] == nil || got[1]["offer"] == nil {
				w.Errorf("got %v, want a reply, then an offer", got)
			}
		}},
		{"Offers relayed: min(offers, cap, numwant where valid, peers−1)", func(w *world) {
			a := w.connect()
			var others []*testnet.Socket
			for i := range 30 {
				s := w.connect()
				w.counts(s, announce('0'+byte(i)))
				others = append(others, s)
			}
			for _, c := range []struct {
				offers  int
				numwant string
				want    int
			}{
				{0, `0`, 0}, {3, `50`, 3}, {5, `2`, 2}, {5, `0`, 0}, {5, `-1`, 5}, {5, `null`, 5}, {5, `"2"`, 5}, {5, `2.5`, 5}, {5, `1e99`, 5},
				{25, `100`, 20},
			} {
				a.Send(announce('a', testnet.Offers(c.offers), `"numwant":`+c.numwant))
				w.one(a)
				var ids []string
				for _, s := range others {
					got := w.got(s)
					if len(got) > 1 {
						w.Fatalf("one peer got %d offers of one announce", len(got))
					}
					for _, m := range got {
						offerID := m["offer_id"].(string)
						want := testnet.Message{
							"action": "announce", "info_hash": hash, "peer_id": testnet.ID('a'), "offer_id": offerID,
							"offer": map[string]any{"type": "offer", "sdp": fmt.Sprintf("sdp %d", offerID[0]-'A')},
						}
						if !reflect.DeepEqual(m, want) {
							w.Fatalf("got %v, want %v", m, want)
						}
						ids = append(ids, offerID)
					}
				}
				slices.Sort(ids)
				if len(slices.Compact(ids)) != c.want {
					w.Errorf("%d offers, numwant %s: %d were passed on, want %d", c.offers, c.numwant, len(ids), c.want)
				}
			}
			for _, s := range others[2:] {
				s.Close()
			}
			synctest.Wait()
			a.Send(announce('a', testnet.Offers(9)))
			w.one(a)
			if got := len(w.got(others[0])) + len(w.got(others[1])); got != 2 {
				w.Errorf("%d offers were passed on to two peers", got)
			}
		}},
		{"Choice of peers: distinct, never the announcer; never seeder to seeder", func(w *world) {
			seeder, seeder2, leecher := w.connect(), w.connect(), w.connect()
			w.counts(seeder2, announce('t', `"left":0`))
			w.counts(leecher, announce('l', `"left":5`))
			seeder.Send(announce('s', `"left":0`, testnet.Offers(3)))
			w.one(seeder)
			w.nothing(seeder2)
			if w.one(leecher)["peer_id"] != testnet.ID('s') {
				w.Error("the leecher did not get the seeder's offer")
			}
			leecher.Send(announce('l', `"left":5`, testnet.Offers(3)))
			w.one(leecher)
			for _, s := range []*testnet.Socket{seeder, seeder2} {
				if w.one(s)["peer_id"] != testnet.ID('l') {
					w.Error("a seeder did not get the leecher's offer")
				}
			}
		}},
		{"Unknown `to_peer_id`: silent", func(w *world) {
			a := w.connect()
			w.counts(a, announce('a'))
			a.Send(answer('a', 'x', 'A'))
			w.nothing(a)
			w.wantCounts(a, announce('a'), 0, 1)
		}},
		{"Unsolicited or expired answer: relay only while that offer is outstanding (120 s)", func(w *world) {
			a, b, c := w.connect(), w.connect(), w.connect()
			w.counts(c, announce('c', `"left":0`))
			w.counts(b, announce('b', `"left":0`))
			offer := func() {
				w.counts(a, announce('a', `"left":1`, `"numwant":2`, testnet.Offers(2)))
			}
			offer()
			id := w.one(b)["offer_id"].(string)[0]
			w.one(c)
			for _, bad := range []struct {
				from    *testnet.Socket
				message string
			}{
				{b, answer('b', 'a', 'z')},                                // an offer that was never made
				{b, answer('b', 'a', 'A'+('B'-id))},                       // one that was made to another
				{c, answer('b', 'a', id)},                                 // in another's name
				{b, answer('b', 'c', id)},                                 // to another
				{b, strings.Replace(answer('b', 'a', id), "hh", "gg", 1)}, // in another swarm
			} {
				bad.from.Send(bad.message)
				w.nothing(a, b, c)
			}
			b.Send(answer('b', 'a', id))
			want := testnet.Message{
				"action": "announce", "info_hash": hash, "peer_id": strings.Repeat("b", 20), "offer_id": strings.Repeat(string(rune(id)), 20),
				"answer": map[string]any{"type": "answer", "sdp": "yes"},
			}
			if got := w.one(a); !reflect.DeepEqual(got, want) {
				w.Errorf("got %v, want %v", got, want)
			}
			b.Send(answer('b', 'a', id))
			w.nothing(a)

			offer()
			id = w.one(b)["offer_id"].(string)[0]
			time.Sleep(119 * time.Second)
			b.Send(answer('b', 'a', id))
			w.one(a)
			offer()
			id = w.one(b)["offer_id"].(string)[0]
			time.Sleep(121 * time.Second)
			b.Send(answer('b', 'a', id))
			w.nothing(a)
		}},
		{"Unknown `event`: an ordinary update", func(w *world) {
			a := w.connect()
			for _, event := range []string{`"<regular>"`, `"paused"`, `"started"`, `""`, `null`, `7`} {
				w.wantCounts(a, announce('a', `"event":`+event, `"left":0`), 1, 0)
			}
		}},
		{"`left: null` (webtorrent magnets): leecher", func(w *world) {
			w.wantCounts(w.connect(), announce('a', `"left":null`), 0, 1)
		}},
		{"`left: -1` (anacrolix magnets): leecher", func(w *world) {
			w.wantCounts(w.connect(), announce('a', `"left":-1`), 0, 1)
			w.wantCounts(w.connect(), announce('b', `"left":18446744073709551615`), 0, 2)
		}},
		{"`left` absent: keep state; new peer: leecher", func(w *world) {
			a := w.connect()
			w.wantCounts(a, announce('a'), 0, 1)
			w.wantCounts(a, announce('a', `"left":0`), 1, 0)
			w.wantCounts(a, announce('a'), 1, 0)
		}},
		{"Seeder that announces left > 0: reverts", func(w *world) {
			a := w.connect()
			w.wantCounts(a, announce('a', `"left":0`), 1, 0)
			w.wantCounts(a, announce('a', `"left":5`), 0, 1)
		}},
		{"Same peer_id on a new socket: takes over where the old one is dead, comes from the same address or had the same `key`", func(w *world) {
			first := w.from("192.0.2.1")
			w.counts(first, announce('a', `"left":0`))
			same := w.from("192.0.2.1")
			w.wantCounts(same, announce('a'), 1, 0)
			first.Close()
			w.wantCounts(same, announce('a'), 1, 0) // the old socket's end does not take the peer along

			other := w.from("192.0.2.2")
			w.wantFailure(other, announce('a'), "announce", hash, "in use")
			w.wantCounts(same, announce('a'), 1, 0)
			same.Close()
			synctest.Wait()
			w.wantCounts(other, announce('a', `"left":0`), 1, 0)

			// Its network is gone and nobody was told: once somebody else asks for its place, it has to show itself.
			other.Mute()
			moved := w.from("198.51.100.1")
			w.wantFailure(moved, announce('a'), "announce", hash, "in use")
			time.Sleep(50 * time.Second)
			w.wantCounts(moved, announce('a', `"left":0`), 1, 0)

			// Who has its key need not wait for that.
			key := func(k string) string { return `"left":0,"key":"` + k + `"` }
			mine, theirs, short := key(strings.Repeat("k", 16)), key(strings.Repeat("l", 16)), key("k")
			w.wantCounts(moved, announce('a', mine), 1, 0)
			w.wantFailure(w.from("192.0.2.3"), announce('a', theirs), "announce", hash, "in use")
			again := w.from("203.0.113.1")
			w.wantCounts(again, announce('a', mine), 1, 0)
			w.wantCounts(again, announce('b', short), 2, 0)
			w.wantFailure(w.from("192.0.2.3"), announce('b', short), "announce", hash, "in use")
		}},
		{"Several peer_ids on one socket: all supported, all cleaned up", func(w *world) {
			both, a := w.connect(), w.connect()
			w.wantCounts(both, announce('b'), 0, 1)
			w.wantCounts(both, announce('c', `"left":0`), 1, 1)
			w.wantCounts(a, announce('a', testnet.Offers(2)), 1, 2)
			var offered []string
			for _, m := range w.got(both) {
				offered = append(offered, m["offer_id"].(string)[:1])
			}
			slices.Sort(offered)
			if !slices.Equal(offered, []string{"A", "B"}) {
				w.Errorf("the two peers got offers %v", offered)
			}
			both.Close()
			synctest.Wait()
			w.wantCounts(a, announce('a'), 0, 1)
		}},
		{"Bad JSON: failure with action; close when repeated", func(w *world) {
			a := w.connect()
			for range 5 { // a good message in between forgives
				w.wantFailure(a, `{"action":`, "announce", zeros, "not JSON")
				w.wantFailure(a, fmt.Sprintf(`{"action":"announce","info_hash":%q,"x":1,"x":2}`, hash), "announce", hash, "twice")
				w.wantCounts(a, announce('a'), 0, 1)
			}
			w.wantFailure(a, `{"action":"scrape",`, "scrape", zeros, "not JSON")
			w.wantFailure(a, "{\"action\":\"announce\",\"x\":\"\xff\"}", "announce", zeros, "UTF-8")
			w.wantFailure(a, `[]`, "announce", zeros, "object")
			synctest.Wait()
			if code, ended := a.Ended(); !ended || code != 1008 {
				w.Errorf("ended %v with %d, want 1008", ended, code)
			}
		}},
		{"Scrape of an unknown hash: zeros; of all: refused; `downloaded`: a real counter; at most 255 hashes", func(w *world) {
			a, b := w.connect(), w.connect()
			w.counts(a, announce('a', `"left":0`))
			w.counts(b, announce('b', `"left":5`))
			w.counts(b, announce('b', `"left":0`, `"event":"completed"`))
			w.counts(b, announce('b', `"left":0`, `"event":"completed"`))
			b.Send(fmt.Sprintf(`{"action":"scrape","info_hash":[%q,%q]}`, hash, testnet.ID('x')))
			want := testnet.Message{"action": "scrape", "files": map[string]any{
				hash:            map[string]any{"complete": 2.0, "incomplete": 0.0, "downloaded": 1.0},
				testnet.ID('x'): map[string]any{"complete": 0.0, "incomplete": 0.0, "downloaded": 0.0},
			}}
			if got := w.one(b); !reflect.DeepEqual(got, want) {
				w.Errorf("got %v, want %v", got, want)
			}
			b.Send(fmt.Sprintf(`{"action":"scrape","info_hash":%q}`, hash))
			if got := w.one(b)["files"].(map[string]any); len(got) != 1 || got[hash] == nil {
				w.Errorf("one hash: got %v", got)
			}
			many := func(n int) string {
				var hashes []string
				for i := range n {
					hashes = append(hashes, fmt.Sprintf("%q", fmt.Sprintf("%020d", i)))
				}
				return `{"action":"scrape","info_hash":[` + strings.Join(hashes, ",") + `]}`
			}
			b.Send(many(255))
			if got := w.one(b)["files"].(map[string]any); len(got) != 255 {
				w.Errorf("%d files for 255 hashes", len(got))
			}
			for _, refused := range []string{`{"action":"scrape"}`, `{"action":"scrape","info_hash":null}`, `{"action":"scrape","info_hash":[]}`, many(256)} {
				w.wantFailure(b, refused, "scrape", zeros, "name the torrents")
			}
			w.wantFailure(b, `{"action":"scrape","info_hash":["short"]}`, "scrape", zeros, "20 bytes")
		}},
		{"`offers: null`, `offers: []`: accepted", func(w *world) {
			a := w.connect()
			w.wantCounts(a, announce('a', `"offers":null`), 0, 1)
			w.wantCounts(a, announce('a', `"offers":[]`), 0, 1)
			for _, bad := range []string{`7`, `"x"`, `{}`, `[7]`, `[{}]`, `[{"offer":"sdp","offer_id":"x"}]`, `[{"offer":{}}]`, `[{"offer":{},"offer_id":7}]`} {
				w.wantFailure(a, announce('a', `"offers":`+bad), "announce", hash, "offers")
			}
		}},
		{"IP families: mixed on WebSocket", func(w *world) {
			four, six := w.from("192.0.2.1"), w.from("2001:db8::1")
			w.counts(four, announce('a'))
			w.counts(six, announce('b', testnet.Offers(1)))
			if w.one(four)["offer"] == nil {
				w.Error("no offer came from IPv6 to IPv4")
			}
		}},
		{"Interval: 120 s with jitter", func(w *world) {
			a := w.connect()
			seen := map[float64]bool{}
			for range 200 {
				a.Send(announce('a'))
				n := w.one(a)["interval"].(float64)
				if n < 108 || n > 132 {
					w.Fatalf("interval %v", n)
				}
				seen[n] = true
			}
			if len(seen) < 10 {
				w.Errorf("only %d different intervals", len(seen))
			}
		}},
		{"Peer expiry: 2 × interval; empty swarms deleted", func(w *world) {
			a, b := w.connect(), w.connect()
			w.counts(a, announce('a'))
			time.Sleep(200 * time.Second)
			w.wantCounts(b, announce('b'), 0, 2)
			time.Sleep(100 * time.Second)
			w.wantCounts(b, announce('b'), 0, 1)
			time.Sleep(300 * time.Second)
			if s := w.store.Stats(); s.Swarms != 0 {
				w.Errorf("left: %+v", s)
			}
			w.wantCounts(a, announce('a'), 0, 1) // the socket is still good
		}},
		{"Idle socket: ping after 30 to 45 s, before proxies cut it", func(w *world) {
			a, dead := w.connect(), w.connect()
			dead.Mute()
			pings := func(s *testnet.Socket) (n int) {
				synctest.Wait()
				for _, f := range s.Frames() {
					if f.Opcode == testnet.Ping {
						n++
					}
				}
				return n
			}
			time.Sleep(29 * time.Second)
			if n := pings(a); n != 0 {
				w.Errorf("%d pings within 29 s", n)
			}
			time.Sleep(18 * time.Second)
			if n := pings(a); n != 1 {
				w.Errorf("%d pings within 47 s", n)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if _, ended := dead.Ended(); !ended {
				w.Error("a socket that does not answer pings stays")
			}
			time.Sleep(time.Hour)
			w.wantCounts(a, announce('a'), 0, 1)
		}},
		{"Longest message: 128 KiB", func(w *world) {
			a := w.connect()
			fill := func(n int) string {
				m := announce('a', `"x":""`)
				return strings.Replace(m, `"x":""`, `"x":"`+strings.Repeat("x", n-len(m))+`"`, 1)
			}
			longest := fill(128 << 10)
			w.wantCounts(a, longest, 0, 1)
			// In parts it is as long; what comes between them does not count.
			a.Frame(false, testnet.Text, []byte(longest[:128<<10-1]))
			a.Frame(true, testnet.Ping, make([]byte, 125))
			a.Frame(true, testnet.Continuation, []byte(longest[128<<10-1:]))
			w.one(a)
			b := w.connect()
			for _, one := range testnet.Header(true, testnet.Text, 128<<10) {
				b.Raw([]byte{one})
			}
			b.Raw([]byte(longest))
			w.one(b)
			b.Frame(false, testnet.Text, []byte(longest[:128<<10-1]))
			b.Raw(testnet.Header(true, testnet.Continuation, 2))
			a.Raw(testnet.Header(true, testnet.Text, 128<<10+1))
			synctest.Wait()
			for _, s := range []*testnet.Socket{a, b} {
				if code, ended := s.Ended(); !ended || code != 1009 {
					w.Errorf("ended %v with %d, want 1009", ended, code)
				}
			}
		}},
		{"Slow receiver: bounded queue; drop offers, never replies", func(w *world) {
			slow, fast := w.connect(), w.connect()
			w.counts(slow, announce('s'))
			slow.Hold()
			big := strings.Repeat("x", 50_000)
			const rounds = 30
			for range rounds {
				fast.Send(announce('f', `"offers":[{"offer":{"sdp":"`+big+`"},"offer_id":"i"}]`))
				w.one(fast)
			}
			stats := w.tracker.Stats()
			if stats.Dropped == 0 || stats.Dropped == rounds {
				w.Errorf("%d of %d offers were dropped", stats.Dropped, rounds)
			}
			// What it asks for itself is answered, however late: it is not read meanwhile.
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				for range 100 {
					slow.Send(announce('s'))
				}
			}()
			synctest.Wait()
			slow.Release()
			<-asked
			got := w.got(slow)
			if n := len(of("complete", got)); n != 100 {
				w.Errorf("%d of 100 replies came", n)
			}
			if n := len(of("offer", got)); n != rounds-int(stats.Dropped) {
				w.Errorf("%d offers came, %d of %d were dropped", n, stats.Dropped, rounds)
			}

			// One that takes nothing at all is given up.
			slow.Hold()
			for range 2 {
				w.counts(fast, announce('f', testnet.Offers(1)))
			}
			time.Sleep(time.Minute)
			w.wantCounts(fast, announce('f'), 0, 1)
			if n := w.tracker.Stats().Slow; n != 1 {
				w.Errorf("%d slow sockets were closed, want one", n)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) { inWorld(t, ws.Options{Interval: interval}, row.test) })
	}
}

func TestTransport(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(w *world)
	}{
		{"text and binary frames, in parts or whole; text back", func(w *world) {
			a := w.connect()
			message := []byte(announce('a'))
			a.Frame(true, testnet.Binary, message)
			w.one(a)
			a.Frame(false, testnet.Text, message[:10])
			a.Frame(true, testnet.Ping, []byte("between"))
			a.Frame(false, testnet.Continuation, message[10:20])
			a.Frame(true, testnet.Continuation, message[20:])
			synctest.Wait()
			got := a.Frames()
			if len(got) != 2 || got[0].Opcode != testnet.Pong || string(got[0].Payload) != "between" || got[1].Opcode != testnet.Text {
				w.Errorf("got %v", got)
			}
		}},
		{"permessage-deflate is declined, and no subprotocol chosen", func(w *world) {
			a := testnet.Connect(w, w.pipes.Dial(w, "192.0.2.1"), "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Sec-WebSocket-Protocol: x")
			for _, name := range []string{"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"} {
				if v := a.Response.Header.Get(name); v != "" {
					w.Errorf("%s: %s", name, v)
				}
			}
			w.wantCounts(a, announce('a'), 0, 1)
		}},
		{"binary strings: one code point, one byte", func(w *world) {
			a, b := w.connect(), w.connect()
			raw := func(spell func(r rune) string) string {
				var out strings.Builder
				for i := range 20 {
					out.WriteString(spell(rune(i*13 + 1)))
				}
				return out.String()
			}
			escaped := raw(func(r rune) string { return fmt.Sprintf(`\u%04x`, r) })
			mixed := raw(func(r rune) string {
				if r < ' ' || r == '"' || r == '\\' {
					return fmt.Sprintf(`\u%04X`, r)
				}
				return string(r)
			})
			w.wantCounts(a, strings.Replace(announce('a'), hash, escaped, 1), 0, 1)
			w.wantCounts(b, strings.Replace(announce('b'), hash, mixed, 1), 0, 2)
			for _, bad := range []string{hash[1:], hash + "h", hash[1:] + "Ā", ""} {
				w.wantFailure(a, strings.Replace(announce('a'), hash, bad, 1), "announce", zeros, "info_hash is not 20 bytes")
			}
			w.wantFailure(a, strings.Replace(announce('a'), testnet.ID('a'), "a", 1), "announce", hash, "peer_id is not 20 bytes")
			w.wantFailure(a, strings.Replace(answer('a', 'b', 'A'), testnet.ID('b'), "b", 1), "announce", hash, "to_peer_id is not 20 bytes")
			w.wantFailure(a, `{"action":"announce"}`, "announce", zeros, "info_hash")
			w.wantFailure(a, `{}`, "announce", zeros, "action")
			w.wantFailure(a, `{"action":"dance","info_hash":"`+hash+`"}`, "announce", hash, "action")
			w.wantFailure(a, announce('a', `"answer":7,"to_peer_id":"`+testnet.ID('b')+`","offer_id":"x"`), "announce", hash, "answer is not an object")
			w.wantFailure(a, announce('a', `"answer":{},"to_peer_id":"`+testnet.ID('b')+`"`), "announce", hash, "offer_id")
		}},
		{"an offer_id is opaque, and one however it is spelt", func(w *world) {
			a, b := w.connect(), w.connect()
			w.counts(b, announce('b'))
			w.counts(a, announce('a', `"offers":[{"offer":{},"offer_id":"é\/😀"}]`))
			if got := w.one(b)["offer_id"]; got != "é/😀" {
				w.Fatalf("got %q", got)
			}
			b.Send(announce('b', `"to_peer_id":"`+testnet.ID('a')+`","offer_id":"\u00E9/\ud83d\uDE00","answer":{}`))
			w.one(a)
			// With its quotes it is 256 bytes at most: machines of a cluster tell it to one another.
			longest := strings.Repeat("x", 254)
			w.counts(a, announce('a', `"offers":[{"offer":{},"offer_id":"`+longest+`"}]`))
			if got := w.one(b)["offer_id"]; got != longest {
				w.Errorf("got %q", got)
			}
			w.wantFailure(a, announce('a', `"offers":[{"offer":{},"offer_id":"`+longest+`x"}]`), "announce", hash, "offers")
			w.wantFailure(b, announce('b', `"to_peer_id":"`+testnet.ID('a')+`","offer_id":"`+longest+`x","answer":{}`), "announce", hash, "offer_id")
			w.nothing(a, b)
		}},
		{"an SDP travels as it came", func(w *world) {
			a, b := w.connect(), w.connect()
			w.counts(b, announce('b'))
			for _, long := range []int{0, 100, 1000, 70_000} {
				raw := `{ "sdp" : "v=0\r\n\u0041\/ü` + strings.Repeat("x", long) + `" ,"x":[1.50e+1, {} ] , "type":"offer"}`
				w.counts(a, announce('a', `"offers":[{"offer_id":"x", "offer":`+raw+`}]`))
				synctest.Wait()
				if got := b.Frames(); len(got) != 1 || !strings.HasSuffix(string(got[0].Payload), `,"offer":`+raw+`}`) {
					w.Errorf("%d bytes more: got %.100q", long, got)
				}
			}
		}},
		{"Peers that announce by HTTP or UDP: counted, and not made offers to", func(w *world) {
			a, b := w.connect(), w.connect()
			peer := tracker.AddrAnnounce{InfoHash: tracker.InfoHash([]byte(hash)), Addr: netip.MustParseAddrPort("192.0.2.77:1"), Left: tracker.Nothing}
			if _, _, err := w.store.AnnounceAddr(&peer, nil); err != nil {
				w.Fatal(err)
			}
			w.wantCounts(b, announce('b', `"left":1`), 1, 1)
			a.Send(announce('a', `"left":1`, testnet.Offers(5)))
			part := func(complete, incomplete float64) map[string]any {
				return map[string]any{"complete": complete, "incomplete": incomplete}
			}
			want := map[string]any{"ipv4": part(1, 0), "ipv6": part(0, 0), "webrtc": part(0, 2)}
			if m := w.one(a); !reflect.DeepEqual(m["kinds"], want) {
				w.Errorf("got %v, want kinds %v", m, want)
			}
			w.one(b)
			a.Send(fmt.Sprintf(`{"action":"scrape","info_hash":%q}`, hash))
			file := w.one(a)["files"].(map[string]any)[hash].(map[string]any)
			if !reflect.DeepEqual(file["kinds"], want) || file["downloaded"] != 0.0 {
				w.Errorf("got %v, want kinds %v", file, want)
			}
			peer.Event = tracker.Stopped
			if _, _, err := w.store.AnnounceAddr(&peer, nil); err != nil {
				w.Fatal(err)
			}
		}},
		{"requests that a proxy has spoilt", func(w *world) {
			const whole = "GET /announce HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
			for _, c := range []struct{ is, becomes, says string }{
				{"GET", "POST", "begins with GET"},
				{"Version: 13", "Version: 8", "version 13"},
				{"keep-alive, Upgrade", "keep-alive", "Connection does not say Upgrade"},
				{"Key: AAAAAAAAAAAAAAAAAAAAAA==", "Key:", "Sec-WebSocket-Key is missing"},
			} {
				conn := w.pipes.Dial(w, "192.0.2.1")
				go io.WriteString(conn, strings.Replace(whole, c.is, c.becomes, 1))
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					w.Fatal(err)
				}
				text, _ := io.ReadAll(response.Body)
				if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), c.says) {
					w.Errorf("%s: %s, %s", c.becomes, response.Status, text)
				}
				_ = conn.Close()
			}
		}},
		{"a request that is no WebSocket", func(w *world) {
			conn := w.pipes.Dial(w, "192.0.2.1")
			go fmt.Fprint(conn, "GET /announce HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			b := make([]byte, 4096)
			n, _ := conn.Read(b)
			if !strings.HasPrefix(string(b[:n]), "HTTP/1.1 426 ") {
				w.Errorf("got %s", b[:n])
			}
			_ = conn.Close()
		}},
	} {
		t.Run(c.name, func(t *testing.T) { inWorld(t, ws.Options{Interval: interval}, c.test) })
	}
}
