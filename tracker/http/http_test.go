package http_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/torrent/bencode"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/gate"
	trackerhttp "github.com/starling-p2p/starling/tracker/http"
)

type dict = map[string]any

// world is a tracker without a network.
type world struct {
	*testing.T
	store  *tracker.Store[int]
	server *trackerhttp.Server
}

func newWorld(t *testing.T, o trackerhttp.Options) *world {
	store := tracker.New[int](tracker.Options{Expiry: time.Hour, MaxPeers: 300, Allow: func(h tracker.InfoHash) bool { return h[0] != 'X' }})
	return &world{t, store, trackerhttp.New(store, o)}
}

// ask sends a request from an address and returns what the answer says.
func (w *world) ask(from, url string) dict {
	w.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	path, query, _ := strings.Cut(url, "?")
	r.URL.Path, r.URL.RawQuery = path, query
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(from), 40000).String()
	answer := httptest.NewRecorder()
	w.server.ServeHTTP(answer, r)
	var d dict
	if err := bencode.Unmarshal(answer.Body.Bytes(), &d); err != nil || answer.Code != 200 {
		w.Fatalf("%d %q: %v", answer.Code, answer.Body.String(), err)
	}
	if again, _ := bencode.Marshal(d); string(again) != answer.Body.String() {
		w.Fatalf("%q is not as it should be bencoded: %q", answer.Body.String(), again)
	}
	return d
}

const hash = "hhhhhhhhhhhhhhhhhhhh"

// announce is the request of the peer with this letter, with more parameters at the end.
func announce(peer byte, more ...string) string {
	return fmt.Sprintf("/announce?info_hash=%s&peer_id=%s&port=%d&%s", hash, strings.Repeat(string(rune(peer)), 20), 1000+int(peer), strings.Join(more, "&"))
}

func (w *world) fails(from, url, reason string) {
	w.Helper()
	if got := w.ask(from, url); !strings.Contains(fmt.Sprint(got["failure reason"]), reason) {
		w.Errorf("%.120s: got %v, want the reason %q", url, got, reason)
	}
}

func (w *world) counts(from, url string, complete, incomplete int64) dict {
	w.Helper()
	got := w.ask(from, url)
	if got["complete"] != complete || got["incomplete"] != incomplete {
		w.Errorf("%.120s: got %v, want %d complete and %d incomplete", url, got, complete, incomplete)
	}
	return got
}

// Each row of the table in docs/tracker.md that speaks of HTTP.
func TestConformance(t *testing.T) {
	for _, row := range []struct {
		name string
		test func(w *world)
	}{
		{"an answer has counts, intervals, peers and the client's own address", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=0"), 1, 0)
			got := w.counts("192.0.2.2", announce('b', "left=5"), 1, 1)
			interval := got["interval"].(int64)
			if interval < 810 || interval > 990 {
				w.Errorf("interval %d", interval)
			}
			delete(got, "interval")
			want := dict{
				"complete": int64(1), "incomplete": int64(1), "downloaded": int64(0), "min interval": int64(180),
				"external ip": "\xc0\x00\x02\x02", "peers": "\xc0\x00\x02\x01\x04\x49",
			}
			if !reflect.DeepEqual(got, want) {
				w.Errorf("got %q, want %q", got, want)
			}
		}},
		{"compact=0: a list of dictionaries, with no_peer_id=1 without ids", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=0"), 1, 0)
			want := dict{"ip": "192.0.2.1", "port": int64(1097), "peer id": "aaaaaaaaaaaaaaaaaaaa"}
			if got := w.ask("192.0.2.2", announce('b', "compact=0"))["peers"]; !reflect.DeepEqual(got, []any{want}) {
				w.Errorf("got %v", got)
			}
			delete(want, "peer id")
			if got := w.ask("192.0.2.2", announce('b', "compact=0", "no_peer_id=1"))["peers"]; !reflect.DeepEqual(got, []any{want}) {
				w.Errorf("got %v", got)
			}
		}},
		{"IP families: split, and IPv6 in peers6", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=0"), 1, 0)
			w.counts("2001:db8::1", announce('b', "left=0"), 2, 0)
			got := w.counts("2001:db8::2", announce('c', "left=1"), 2, 1)
			if got["peers"] != "" || got["peers6"] != "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x04\x4a" {
				w.Errorf("got %q", got)
			}
			if got["external ip"] != "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" {
				w.Errorf("external ip %q", got["external ip"])
			}
			want := dict{"ip": "2001:db8::1", "port": int64(1098)}
			if got := w.ask("2001:db8::2", announce('c', "compact=0", "no_peer_id=1"))["peers"]; !reflect.DeepEqual(got, []any{want}) {
				w.Errorf("got %v", got)
			}
		}},
		{"a peer on a WebSocket is counted, and not told of", func(w *world) {
			if _, _, err := w.store.Announce(&tracker.Announce[int]{InfoHash: tracker.InfoHash([]byte(hash)), Left: tracker.Nothing}, nil); err != nil {
				w.Fatal(err)
			}
			got := w.counts("192.0.2.1", announce('a', "left=1"), 1, 1)
			want := dict{
				"webrtc": dict{"complete": int64(1), "incomplete": int64(0)},
				"ipv4":   dict{"complete": int64(0), "incomplete": int64(1)},
				"ipv6":   dict{"complete": int64(0), "incomplete": int64(0)},
			}
			if got["peers"] != "" || !reflect.DeepEqual(got["kinds"], want) {
				w.Errorf("got %v", got)
			}
			files := w.ask("192.0.2.1", "/scrape?info_hash="+hash)["files"].(dict)
			if !reflect.DeepEqual(files[hash].(dict)["kinds"], want) {
				w.Errorf("got %v", files)
			}
		}},
		{"numwant: 50 unless named, at most 200", func(w *world) {
			for i := range 250 {
				w.ask(fmt.Sprintf("192.0.2.%d", i+1), fmt.Sprintf("/announce?info_hash=%s&peer_id=%020d&port=1&left=1", hash, i))
			}
			for numwant, want := range map[string]int{"": 50, "numwant=7": 7, "numwant=0": 0, "numwant=-1": 50, "numwant=x": 50, "numwant=9999": 200, "numwant=99999999999": 50} {
				peers := w.ask("198.51.100.1", announce('z', numwant))["peers"].(string)
				seen := map[string]bool{}
				for i := 0; i < len(peers); i += 6 {
					seen[peers[i:i+6]] = true
				}
				if len(seen) != want || len(peers) != 6*want {
					w.Errorf("%q: %d bytes with %d peers, want %d", numwant, len(peers), len(seen), want)
				}
			}
		}},
		{"event", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=5", "event=started"), 0, 1)
			w.counts("192.0.2.1", announce('a', "left=5", "event=paused"), 0, 1)
			w.counts("192.0.2.1", announce('a', "left=0", "event=completed"), 1, 0)
			if got := w.counts("192.0.2.1", announce('a', "left=0", "event=completed"), 1, 0); got["downloaded"] != int64(1) {
				w.Errorf("got %v", got)
			}
			w.counts("192.0.2.1", announce('a', "left=0", "event=stopped"), 0, 0)
			w.counts("192.0.2.1", "/announce?info_hash="+hash+"&peer_id="+hash+"&event=stopped", 0, 0) // without a port
		}},
		{"left: absent keeps its state, what is no number is a leecher", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=0"), 1, 0)
			w.counts("192.0.2.1", announce('a'), 1, 0)
			for _, left := range []string{"-1", "x", "18446744073709551616", "9223372036854775807"} {
				w.counts("192.0.2.1", announce('a', "left="+left), 0, 1)
			}
		}},
		{"ip is believed of those in this network alone", func(w *world) {
			w.counts("192.0.2.9", announce('a', "left=0", "ip=203.0.113.9"), 1, 0)
			w.counts("10.0.0.1", announce('b', "left=0", "ip=203.0.113.1"), 2, 0)
			w.counts("127.0.0.1", announce('c', "left=0", "ip=2001%3Adb8%3A%3A7"), 3, 0)
			w.counts("127.0.0.1", announce('d', "left=0", "ip=localhost"), 4, 0)
			w.counts("127.0.0.1", announce('e', "left=0", "ip=0.0.0.0"), 5, 0)
			w.counts("127.0.0.1", announce('f', "left=0", "ip=224.0.0.1"), 6, 0)
			w.counts("169.254.0.1", announce('g', "left=0", "ip=203.0.113.2"), 7, 0)
			var got []string
			for _, p := range w.ask("127.0.0.1", announce('z', "compact=0"))["peers"].([]any) {
				got = append(got, p.(dict)["ip"].(string))
			}
			slices.Sort(got)
			if want := []string{"127.0.0.1", "127.0.0.1", "127.0.0.1", "192.0.2.9", "203.0.113.1", "203.0.113.2"}; !slices.Equal(got, want) {
				w.Errorf("got %v, want %v", got, want)
			}
		}},
		{"key proves who has moved", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=0", "key=secret"), 1, 0)
			w.counts("192.0.2.2", announce('a', "left=0", "key=guess"), 2, 0)
			w.counts("192.0.2.3", announce('a', "left=0", "key=secret"), 2, 0)
			w.counts("192.0.2.9", announce('a', "event=stopped"), 2, 0)
		}},
		{"no key proves nothing", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=0"), 1, 0)
			w.counts("192.0.2.2", announce('a', "left=0"), 2, 0)
			w.counts("192.0.2.9", announce('a', "event=stopped"), 2, 0)
		}},
		{"of what comes twice the first counts", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=0", "left=7", "port=9"), 1, 0)
			if got := w.ask("192.0.2.2", announce('b'))["peers"]; got != "\xc0\x00\x02\x01\x04\x49" {
				w.Errorf("got %q", got)
			}
		}},
		{"port 0 cannot be reached: told of others, not counted", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=0"), 1, 0)
			got := w.counts("192.0.2.2", strings.Replace(announce('b', "left=1"), "port=1098", "port=0", 1), 1, 0)
			if len(got["peers"].(string)) != 6 {
				w.Errorf("got %q", got)
			}
		}},
		{"scrape: unknown hash: zeros; all: refused; downloaded: a real counter; at most 255 hashes", func(w *world) {
			w.counts("192.0.2.1", announce('a', "left=1"), 0, 1)
			w.counts("192.0.2.1", announce('a', "left=0", "event=completed"), 1, 0)
			other := "%00%01" + strings.Repeat("z", 18)
			got := w.ask("192.0.2.1", "/some/scrape?info_hash="+hash+"&info_hash="+other+"&info_hash="+hash)
			want := dict{
				"files": dict{
					hash:                                 dict{"complete": int64(1), "downloaded": int64(1), "incomplete": int64(0)},
					"\x00\x01" + strings.Repeat("z", 18): dict{"complete": int64(0), "downloaded": int64(0), "incomplete": int64(0)},
				},
				"flags": dict{"min_request_interval": int64(180)},
			}
			if !reflect.DeepEqual(got, want) {
				w.Errorf("got %v, want %v", got, want)
			}
			w.fails("192.0.2.1", "/scrape", "name the torrents")
			w.fails("192.0.2.1", "/scrape?info_hash=short", "info_hash is not 20 bytes")
			w.fails("192.0.2.1", "/scrape?"+strings.Repeat("info_hash="+hash+"&", 256), "at most 255")
			if files := w.ask("192.0.2.1", "/scrape?"+strings.Repeat("info_hash="+hash+"&", 255))["files"]; len(files.(dict)) != 1 {
				w.Errorf("got %v", files)
			}
		}},
		{"failures say what to do", func(w *world) {
			for query, want := range map[string]string{
				"":                  "info_hash is not 20 bytes",
				"info_hash=" + hash: "peer_id is not 20 bytes",
				"info_hash=" + strings.Repeat("0", 40) + "&peer_id=" + hash + "&port=1":     "info_hash is not 20 bytes",
				"info_hash=" + hash[1:] + "%zz&peer_id=" + hash + "&port=1":                 "info_hash is not 20 bytes",
				"info_hash=" + hash[1:] + "%6&peer_id=" + hash + "&port=1":                  "info_hash is not 20 bytes",
				"info_hash=" + hash + "&peer_id=" + hash:                                    "port is not a number",
				"info_hash=" + hash + "&peer_id=" + hash + "&port=65536":                    "port is not a number",
				"info_hash=" + hash + "&info_hash=" + hash + "&peer_id=" + hash + "&port=1": "info_hash comes twice",
				"info_hash=XXXXXXXXXXXXXXXXXXXX&peer_id=" + hash + "&port=1":                "does not serve this torrent",
			} {
				w.fails("192.0.2.1", "/announce?"+query, want)
			}
			if got := w.ask("192.0.2.1", "/announce?info_hash=XXXXXXXXXXXXXXXXXXXX&port=1&peer_id="+hash)["retry in"]; got != "never" {
				w.Errorf("retry in %v", got)
			}
			if got := w.ask("192.0.2.1", "/announce?info_hash=short&port=1")["retry in"]; got != nil {
				w.Errorf("to one that makes no sense: retry in %v", got)
			}
			if n := w.server.Stats(); n.Failures != n.Announces || n.Announces == 0 {
				w.Errorf("%+v", n)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) { row.test(newWorld(t, trackerhttp.Options{})) })
	}
}

func TestHostile(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(w *world)
	}{
		{"a flood from one address, and others notice nothing", func(w *world) {
			for range 1000 {
				w.ask("192.0.2.66", "/scrape?info_hash="+hash)
			}
			w.fails("192.0.2.66", announce('f'), "too many requests from your address")
			if got := w.ask("192.0.2.66", announce('f'))["retry in"]; got != int64(5) {
				w.Errorf("retry in %v", got)
			}
			if n := w.server.Stats(); n.Scrapes < 50 || n.Scrapes > 60 || n.Refused != 1002-n.Scrapes {
				w.Errorf("%+v", n)
			}
		}},
		{"more peers than fit", func(w *world) {
			for i := range 299 {
				w.ask(fmt.Sprintf("198.51.%d.%d", i/250, i%250), fmt.Sprintf("/announce?info_hash=%020d&peer_id=%s&port=1", i, hash))
			}
			w.fails("198.51.100.1", announce('f'), "full")
			if got := w.ask("198.51.100.1", announce('f'))["retry in"]; got != int64(5) {
				w.Errorf("retry in %v", got)
			}
			if n := w.store.Stats(); n.Peers != 300 {
				w.Errorf("%+v", n)
			}
		}},
		{"control bytes, bencode and HTML in what is sent back", func(w *world) {
			w.counts("198.51.100.1", announce('f', "event=%00%0d%0a", "key=d4:spam&", "ip=%00"), 0, 1)
			w.fails("198.51.100.1", "/announce?info_hash=<script>e14:failure", "info_hash is not 20 bytes")
		}},
		{"a thousand parameters", func(w *world) {
			w.counts("198.51.100.1", announce('f', strings.Repeat("x=y&&=&", 1000)), 0, 1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, trackerhttp.Options{Limiter: gate.NewLimiter(5)})
			other := strings.ReplaceAll(announce('o'), "info_hash="+hash, "info_hash=oooooooooooooooooooo")
			w.counts("203.0.113.9", other, 0, 1)
			c.test(w)
			w.counts("203.0.113.9", other, 0, 1)
		})
	}
}

func TestMethods(t *testing.T) {
	w := newWorld(t, trackerhttp.Options{})
	answer := httptest.NewRecorder()
	w.server.ServeHTTP(answer, httptest.NewRequest("POST", announce('a'), nil))
	if answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("%d %v", answer.Code, answer.Header())
	}
}

func TestAnswersOfHTTP(t *testing.T) {
	w := newWorld(t, trackerhttp.Options{})
	get, head := httptest.NewRecorder(), httptest.NewRecorder()
	w.server.ServeHTTP(get, httptest.NewRequest("GET", "/scrape?info_hash="+hash, nil))
	w.server.ServeHTTP(head, httptest.NewRequest("HEAD", "/scrape?info_hash="+hash, nil))
	for _, answer := range []*httptest.ResponseRecorder{get, head} {
		want := http.Header{
			"Content-Type": {"text/plain"}, "Cache-Control": {"no-store"}, "Content-Length": {strconv.Itoa(get.Body.Len())},
		}
		if answer.Code != 200 || !reflect.DeepEqual(answer.Header(), want) {
			t.Errorf("%d %v, want %v", answer.Code, answer.Header(), want)
		}
	}
}

func TestOptions(t *testing.T) {
	w := newWorld(t, trackerhttp.Options{
		Interval: 100 * time.Second,
		Address:  func(*http.Request) netip.Addr { return netip.MustParseAddr("203.0.113.5") },
		Admit: func(path string) error {
			if path != "/announce" {
				return tracker.ErrDenied
			}
			return nil
		},
	})
	seen := map[int64]bool{}
	for range 100 {
		got := w.ask("192.0.2.1", announce('a'))
		if got["min interval"] != int64(60) || got["external ip"] != "\xcb\x00\x71\x05" {
			t.Fatalf("%q", got)
		}
		seen[got["interval"].(int64)] = true
	}
	for interval := range seen {
		if interval < 90 || interval > 110 {
			t.Errorf("interval %d", interval)
		}
	}
	if len(seen) < 5 {
		t.Errorf("all of them are told to come back at once: %v", seen)
	}
	w.fails("192.0.2.1", strings.Replace(announce('a'), "/announce", "/elsewhere", 1), tracker.ErrDenied.Error())
	if n := w.server.Stats(); n.Failures != 1 || n.Announces != 100 {
		t.Errorf("%+v", n)
	}
}

type nobody struct{ header http.Header }

func (n nobody) Header() http.Header         { return n.header }
func (n nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n nobody) WriteHeader(int)             {}

func BenchmarkAnnounce(b *testing.B) {
	store := tracker.New[int](tracker.Options{Expiry: time.Hour})
	server := trackerhttp.New(store, trackerhttp.Options{})
	r := httptest.NewRequest("GET", "/announce?info_hash="+strings.Repeat("%ab", 20)+"&peer_id=-TR4000-123456789012&port=51413&uploaded=0&downloaded=0&left=100&numwant=50&key=12345678&compact=1&supportcrypto=1&event=started", nil)
	addresses := make([]string, 1000)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("192.0.%d.%d:1000", i/250, i%250)
	}
	w := nobody{http.Header{}}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		r.RemoteAddr = addresses[n%len(addresses)]
		n++
		server.ServeHTTP(w, r)
	}
}
