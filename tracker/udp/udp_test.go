package udp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/gate"
	trackerhttp "github.com/starling-p2p/starling/tracker/http"
	"github.com/starling-p2p/starling/tracker/udp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	magic    = 0x41727101980
	connect  = 0
	announce = 1
	scrape   = 2
	failure  = 3
)

// world is a tracker without a network.
type world struct {
	*testing.T
	store   *tracker.Store[int]
	handler *udp.Handler
}

func newWorld(t *testing.T, o udp.Options) *world {
	store := tracker.New[int](tracker.Options{Expiry: time.Hour, MaxPeers: 400, Allow: func(h tracker.InfoHash) bool { return h[0] != 'X' }})
	return &world{t, store, udp.New(store, o)}
}

// ask sends a packet from an address and returns the answer.
func (w *world) ask(from string, packet []byte) []byte {
	w.Helper()
	return w.handler.Answer(nil, packet, netip.AddrPortFrom(netip.MustParseAddr(from), 40000))
}

func header(id uint64, action uint32) []byte {
	b := binary.BigEndian.AppendUint64(nil, id)
	b = binary.BigEndian.AppendUint32(b, action)
	return append(b, "txid"...)
}

// body takes what comes after the header of an answer.
func (w *world) body(answer []byte, action uint32) []byte {
	w.Helper()
	if len(answer) < 8 || binary.BigEndian.Uint32(answer) != action || string(answer[4:8]) != "txid" {
		w.Fatalf("got %q, want an answer with action %d", answer, action)
	}
	return answer[8:]
}

func (w *world) connect(from string) uint64 {
	w.Helper()
	b := w.body(w.ask(from, header(magic, connect)), connect)
	if len(b) != 8 {
		w.Fatalf("a connection id of %d bytes", len(b))
	}
	return binary.BigEndian.Uint64(b)
}

// request is an announce, as BEP 15 has it.
type request struct {
	hash, id, event, ip, key uint32
	left                     uint64
	want                     int32
	port                     uint16
	options                  string
}

func fill(letter uint32) []byte { return bytes.Repeat([]byte{byte(letter)}, 20) }

func (r request) packet(connection uint64) []byte {
	b := header(connection, announce)
	b = append(append(b, fill(r.hash)...), fill(r.id)...)
	for _, n := range []uint64{1 << 40, r.left, 1 << 33} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, n := range []uint32{r.event, r.ip, r.key, uint32(r.want)} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return append(binary.BigEndian.AppendUint16(b, r.port), r.options...)
}

// announce connects, announces, and returns what the answer says; peers in order.
func (w *world) announce(from string, r request) (leechers, seeders uint32, peers []string) {
	w.Helper()
	b := w.body(w.ask(from, r.packet(w.connect(from))), announce)
	if interval := binary.BigEndian.Uint32(b); interval < 810 || interval > 990 {
		w.Errorf("interval %d", interval)
	}
	size := 18
	if netip.MustParseAddr(from).Is4() {
		size = 6
	}
	if (len(b)-12)%size != 0 || len(b) > 1280-40-8-8 {
		w.Fatalf("%d bytes of addresses", len(b)-12)
	}
	for p := b[12:]; len(p) > 0; p = p[size:] {
		ip, _ := netip.AddrFromSlice(p[:size-2])
		peers = append(peers, netip.AddrPortFrom(ip, binary.BigEndian.Uint16(p[size-2:])).String())
	}
	slices.Sort(peers)
	return binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), peers
}

func (w *world) wants(from string, r request, seeders, leechers uint32, peers ...string) {
	w.Helper()
	if l, s, p := w.announce(from, r); l != leechers || s != seeders || !slices.Equal(p, peers) {
		w.Errorf("%+v from %s: %d seeders, %d leechers, %v; want %d, %d, %v", r, from, s, l, p, seeders, leechers, peers)
	}
}

// Each row of the table in docs/tracker.md that speaks of UDP.
func TestConformance(t *testing.T) {
	for _, row := range []struct {
		name string
		test func(w *world)
	}{
		{"an answer has interval, leechers, seeders and peers", func(w *world) {
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, want: -1}, 1, 0)
			w.wants("192.0.2.2", request{hash: 'h', id: 'b', port: 2, want: -1, left: 9}, 1, 1, "192.0.2.1:1")
			w.wants("192.0.2.3", request{hash: 'h', id: 'c', port: 3, want: 0, left: 9}, 1, 2)
			w.wants("192.0.2.3", request{hash: 'h', id: 'c', port: 3, want: 1000, left: 1<<64 - 1}, 1, 2, "192.0.2.1:1", "192.0.2.2:2")
		}},
		{"IP families: split, by the packet's own", func(w *world) {
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, want: -1}, 1, 0)
			w.wants("2001:db8::1", request{hash: 'h', id: 'b', port: 2, want: -1}, 2, 0)
			w.wants("2001:db8::2", request{hash: 'h', id: 'c', port: 3, want: -1, left: 1}, 2, 1, "[2001:db8::1]:2")
			// On a socket for both families, IPv4 looks like this.
			mapped := netip.MustParseAddrPort("[::ffff:192.0.2.9]:9")
			id := binary.BigEndian.Uint64(w.body(w.handler.Answer(nil, header(magic, connect), mapped), connect))
			b := w.body(w.handler.Answer(nil, request{hash: 'h', id: 'd', port: 4, left: 1, want: -1}.packet(id), mapped), announce)
			if !bytes.Equal(b[12:], []byte{192, 0, 2, 1, 0, 1}) {
				w.Errorf("got %v", b)
			}
		}},
		{"a peer on a WebSocket is counted, and not told of", func(w *world) {
			if _, _, err := w.store.Announce(&tracker.Announce[int]{InfoHash: tracker.InfoHash(fill('h')), Left: tracker.Nothing}, nil); err != nil {
				w.Fatal(err)
			}
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, want: -1, left: 1}, 1, 1)
		}},
		{"numwant: 50 unless named, and no more than fit in 1,232 bytes", func(w *world) {
			for i := range 150 {
				w.announce(fmt.Sprintf("192.0.2.%d", i+1), request{hash: 'h', id: uint32(i), port: 1, left: 1})
				w.announce(fmt.Sprintf("2001:db8::%d", i+1), request{hash: 'h', id: uint32(i), port: 1, left: 1})
			}
			for _, c := range []struct {
				want      int32
				four, six int
			}{{-1, 50, 50}, {0, 0, 0}, {7, 7, 7}, {1 << 30, 150, 67}} {
				_, _, four := w.announce("198.51.100.1", request{hash: 'h', id: 'z', port: 1, left: 1, want: c.want})
				_, _, six := w.announce("2001:db8:1::1", request{hash: 'h', id: 'z', port: 1, left: 1, want: c.want})
				if len(slices.Compact(four)) != c.four || len(slices.Compact(six)) != c.six {
					w.Errorf("numwant %d: %d and %d peers, want %d and %d", c.want, len(four), len(six), c.four, c.six)
				}
			}
		}},
		{"event", func(w *world) {
			r := request{hash: 'h', id: 'a', port: 1, left: 5, event: 2}
			w.wants("192.0.2.1", r, 0, 1)
			r.event = 99
			w.wants("192.0.2.1", r, 0, 1)
			r.event, r.left = 1, 0
			w.wants("192.0.2.1", r, 1, 0)
			if c := w.store.Counts(tracker.InfoHash(fill('h'))); c.Downloaded != 1 {
				w.Errorf("%+v", c)
			}
			r.event = 3
			w.wants("192.0.2.1", r, 0, 0)
		}},
		{"ip is believed of those in this network alone", func(w *world) {
			w.wants("192.0.2.9", request{hash: 'h', id: 'a', port: 1, ip: 0xcb007109}, 1, 0)
			w.wants("10.0.0.1", request{hash: 'h', id: 'b', port: 1, ip: 0xcb007101}, 2, 0)
			w.wants("127.0.0.1", request{hash: 'h', id: 'z', port: 1, left: 1, want: -1}, 2, 1, "192.0.2.9:1", "203.0.113.1:1")
			w.wants("2001:db8::1", request{hash: 'h', id: 'c', port: 1, ip: 0xcb007109}, 3, 1)
			w.wants("127.0.0.1", request{hash: 'i', id: 'a', port: 1, ip: 0xcb007102}, 1, 0)
			w.wants("10.0.0.1", request{hash: 'i', id: 'b', port: 1, ip: 0xe0000001}, 2, 0) // multicast
			w.wants("10.0.0.2", request{hash: 'i', id: 'z', port: 1, left: 1, want: -1}, 2, 1, "10.0.0.1:1", "203.0.113.2:1")
			w.wants("fd00::1", request{hash: 'j', id: 'a', port: 1, ip: 0xcb007103}, 1, 0) // the field has room for IPv4 only
			w.wants("fd00::2", request{hash: 'j', id: 'z', port: 1, left: 1, want: -1}, 1, 1, "[fd00::1]:1")
		}},
		{"key proves who has moved", func(w *world) {
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, key: 7}, 1, 0)
			w.wants("192.0.2.2", request{hash: 'h', id: 'a', port: 1, key: 8}, 2, 0)
			w.wants("192.0.2.3", request{hash: 'h', id: 'a', port: 1, key: 7}, 2, 0)
			w.wants("192.0.2.9", request{hash: 'h', id: 'a', port: 1, event: 3}, 2, 0)
		}},
		{"half of a key proves nothing", func(w *world) {
			half := func(key uint32) uint16 { return uint16(tracker.KeyOf(fmt.Sprintf("%08X", key))) }
			guess := uint32(8)
			for half(guess) != half(7) {
				guess++
			}
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, key: 7}, 1, 0)
			w.wants("192.0.2.2", request{hash: 'h', id: 'a', port: 1, key: guess, event: 3}, 1, 0)
		}},
		{"a key is the same by HTTP", func(w *world) {
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, key: 0xBEEF}, 1, 0)
			r := httptest.NewRequest("GET", "/announce?key=0000BEEF&port=1&left=0&info_hash="+strings.Repeat("h", 20)+"&peer_id="+strings.Repeat("a", 20), nil)
			r.RemoteAddr = "192.0.2.2:1"
			trackerhttp.New(w.store, trackerhttp.Options{}).ServeHTTP(httptest.NewRecorder(), r)
			w.wants("192.0.2.9", request{hash: 'h', id: 'z', port: 1, left: 1, want: -1}, 1, 1, "192.0.2.2:1")
		}},
		{"port 0 cannot be reached: told of others, not counted", func(w *world) {
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1}, 1, 0)
			w.wants("192.0.2.2", request{hash: 'h', id: 'b', port: 0, left: 1, want: -1}, 1, 0, "192.0.2.1:1")
		}},
		{"scrape: unknown hash: zeros; at most 74 hashes", func(w *world) {
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, left: 1}, 0, 1)
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, event: 1}, 1, 0)
			w.wants("192.0.2.2", request{hash: 'h', id: 'b', port: 1, left: 1}, 1, 1)
			id := w.connect("192.0.2.1")
			b := w.body(w.ask("192.0.2.1", append(append(header(id, scrape), fill('z')...), fill('h')...)), scrape)
			want := make([]byte, 24)
			want[15], want[19], want[23] = 1, 1, 1
			if !bytes.Equal(b, want) {
				w.Errorf("got %v, want %v", b, want)
			}
			for n, want := range map[int]int{74: 74, 75: 74, 90: 74} {
				if b := w.body(w.ask("192.0.2.1", append(header(id, scrape), bytes.Repeat([]byte{'h'}, 20*n)...)), scrape); len(b) != 12*want {
					w.Errorf("%d hashes: %d bytes", n, len(b))
				}
			}
		}},
		{"options of BEP 41 do no harm", func(w *world) {
			for _, options := range []string{"\x00", "\x01\x01\x00", "\x02\x05/path\x00", "\x02\xff", "\x02", "\x7f\x03abc", strings.Repeat("\x02\xff"+strings.Repeat("x", 255), 7)} {
				w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1, options: options}, 1, 0)
			}
		}},
		{"failures say what to do", func(w *world) {
			b := w.body(w.ask("192.0.2.1", request{hash: 'X', id: 'a', port: 1}.packet(w.connect("192.0.2.1"))), failure)
			if string(b) != tracker.ErrDenied.Error() {
				w.Errorf("got %q", b)
			}
			b = w.body(w.ask("192.0.2.1", request{hash: 'h', id: 'a', port: 1}.packet(0xfffffffffffffff1)), failure)
			if !strings.Contains(string(b), "connect again") {
				w.Errorf("got %q", b)
			}
			w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1}, 1, 0)
			w.ask("192.0.2.1", append(header(w.connect("192.0.2.1"), scrape), fill('h')...))
			if n := w.handler.Stats(); n != (udp.Stats{Connects: 3, Announces: 2, Scrapes: 1, Failures: 1, Forged: 1}) {
				w.Errorf("%+v", n)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) { row.test(newWorld(t, udp.Options{})) })
	}
}

func TestConnectionID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, udp.Options{})
		if newWorld(t, udp.Options{}).connect("192.0.2.1") == w.connect("192.0.2.1") {
			t.Error("two trackers give the same id")
		}
		good := func(from string, id uint64) bool {
			t.Helper()
			answer := w.ask(from, append(header(id, scrape), fill('h')...))
			return len(answer) > 0 && binary.BigEndian.Uint32(answer) == scrape
		}
		for range 10 {
			id := w.connect("192.0.2.1")
			switch {
			case !good("192.0.2.1", id):
				t.Error("an id is not known to whom it was given")
			case good("192.0.2.2", id):
				t.Error("an id of another address")
			case good("192.0.2.1", id^1), good("192.0.2.1", id^1<<63), good("192.0.2.1", 0), good("192.0.2.1", magic):
				t.Error("an id that nobody gave")
			case id>>62 != 3:
				t.Errorf("the id %x could be a STUN or TURN message", id)
			}
			time.Sleep(2 * time.Minute)
			if !good("192.0.2.1", id) {
				t.Error("an id is to be good for two minutes")
			}
			time.Sleep(time.Minute)
			if good("192.0.2.1", id) {
				t.Error("an id was good for three minutes")
			}
			time.Sleep(7 * time.Second)
		}
	})
}

// Of IPv6 the minute must not make up for another network: of the first minute, the third and so on.
func TestConnectionIDsOfNetworks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, udp.Options{})
		ids := map[uint64]string{}
		for range 3 {
			for network := range 8 {
				from := fmt.Sprintf("2001:db8:0:%x::1", network)
				id := w.connect(from)
				if other, ok := ids[id]; ok {
					t.Errorf("%s has the id that %s had", from, other)
				}
				ids[id] = from
			}
			time.Sleep(time.Minute)
		}
	})
}

// What is too short for what it says it is gets no answer, whoever has an id for it.
func TestShortPackets(t *testing.T) {
	w := newWorld(t, udp.Options{})
	id := w.connect("192.0.2.1")
	for n := range 98 {
		p := request{hash: 'h', id: 'a', port: 1}.packet(id)[:n]
		if answer := w.ask("192.0.2.1", p); answer != nil {
			t.Errorf("an announce of %d bytes: %q", n, answer)
		}
		if n >= 36 {
			continue
		}
		if n >= 12 {
			p[11] = scrape
		}
		if answer := w.ask("192.0.2.1", p); answer != nil {
			t.Errorf("a scrape of %d bytes: %q", n, answer)
		}
	}
	if n := w.store.Stats(); n.Peers != 0 {
		t.Errorf("%+v", n)
	}
}

// What a forged source address gets is never longer than what was sent, and nothing is recorded for it.
func TestAmplification(t *testing.T) {
	w := newWorld(t, udp.Options{})
	for i := range 100 {
		w.announce(fmt.Sprintf("192.0.2.%d", i+1), request{hash: 'h', id: uint32(i), port: 1, left: 1})
	}
	before := w.store.Stats()
	for n := range 1500 {
		for _, id := range []uint64{magic, 0, 0xc000000000000000, 1<<64 - 1} {
			for action := range uint32(5) {
				p := append(request{hash: 'h', id: 'x', port: 1, left: 1, want: -1}.packet(id), make([]byte, 1500)...)[:n]
				if n >= 16 {
					copy(p, header(id, action))
				}
				if answer := w.ask("198.51.100.1", p); len(answer) > n {
					t.Fatalf("%d bytes with id %x and action %d were answered by %d", n, id, action, len(answer))
				}
			}
		}
	}
	if after := w.store.Stats(); after != before {
		t.Errorf("recorded without a connection id: %+v, before %+v", after, before)
	}
}

func TestFlood(t *testing.T) {
	w := newWorld(t, udp.Options{Limiter: gate.NewLimiter(5)})
	// Whoever forges an address cannot use up what its owner may do.
	for range 1000 {
		w.ask("192.0.2.1", header(magic, connect))
		w.ask("192.0.2.1", request{hash: 'h', id: 'f', port: 1}.packet(1<<64-1))
	}
	w.wants("192.0.2.1", request{hash: 'h', id: 'a', port: 1}, 1, 0)
	id := w.connect("192.0.2.1")
	answered := 0
	for range 1000 {
		if w.ask("192.0.2.1", append(header(id, scrape), fill('h')...)) != nil {
			answered++
		}
	}
	if answered < 49 || answered > 60 {
		t.Errorf("%d of a flood were answered", answered)
	}
	w.wants("192.0.2.2", request{hash: 'h', id: 'b', port: 1}, 2, 0)
	if n := w.handler.Stats(); n.Forged != 1000 || n.Refused != uint64(1000-answered) {
		t.Errorf("%+v", n)
	}
}

func TestMatch(t *testing.T) {
	w := newWorld(t, udp.Options{})
	id := w.connect("192.0.2.1")
	for _, c := range []struct {
		name   string
		packet []byte
		want   bool
	}{
		{"connect", header(magic, connect), true},
		{"announce", request{}.packet(id), true},
		{"scrape", append(header(id, scrape), fill('h')...), true},
		{"too short", header(magic, connect)[:15], false},
		{"announce with the magic for an id", header(magic, announce), false},
		{"of another kind", header(id, failure), false},
		{"announce without an id", header(1, announce), false},
		{"STUN", append([]byte("\x00\x01\x00\x00\x21\x12\xa4\x42"), fill(0)...), false},
		{"TURN's ChannelData", append([]byte("\x40\x00\x00\x10"), fill(0)...), false},
		{"DTLS", append([]byte("\x16\xfe\xfd"), fill(0)...), false},
		{"RTP", append([]byte("\x80\x60"), fill(0)...), false},
	} {
		if got := w.handler.Match(c.packet); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// The path of the announce URL, as BEP 41 has it, decides where a tracker is private.
func TestAdmit(t *testing.T) {
	w := newWorld(t, udp.Options{Admit: func(path string) error {
		if path != "/u/alice.x/announce" {
			return gate.ErrUser
		}
		return nil
	}})
	for _, c := range []struct {
		options string
		want    uint32
	}{
		{"\x02\x13/u/alice.x/announce", announce},
		{"\x02\x13/u/alice.x/announce\x00\x02\x01x", announce},
		{"\x01\x02\x05/u/al\x7f\x02zz\x01\x02\x0eice.x/announce\x02\x04?a=b", announce},
		{"", failure},
		{"\x02\x09/announce", failure},
		{"\x00\x02\x13/u/alice.x/announce", failure},
		{"\x00\x00\x02\x13/u/alice.x/announce", failure},
		{"\x02\x14/u/alice.x/announce", failure},
		{"\x02", failure},
	} {
		answer := w.ask("192.0.2.1", request{hash: 'h', id: 'a', port: 1, options: c.options}.packet(w.connect("192.0.2.1")))
		if got := binary.BigEndian.Uint32(answer); got != c.want {
			t.Errorf("%q: action %d, want %d: %q", c.options, got, c.want, answer)
		}
	}
	if b := w.body(w.ask("192.0.2.1", append(header(w.connect("192.0.2.1"), scrape), fill('h')...)), failure); !strings.Contains(string(b), "scrape it by HTTP") {
		t.Errorf("got %q", b)
	}
}

// FuzzAnswer sends any bytes from an address that has a connection id and from one that has none.
func FuzzAnswer(f *testing.F) {
	for _, p := range [][]byte{
		header(magic, connect), header(0, announce), append(header(0, scrape), fill('h')...),
		request{hash: 'h', id: 'a', port: 1, want: -1, left: 1}.packet(0), request{hash: 'h', id: 'a', port: 1, event: 3, options: "\x02\x05/path\x00"}.packet(0),
	} {
		f.Add(p, true)
		f.Add(p, false)
	}
	store := tracker.New[int](tracker.Options{Expiry: time.Hour, MaxPeers: 1000})
	handler := udp.New(store, udp.Options{})
	from := netip.MustParseAddrPort("[2001:db8::1]:1")
	f.Fuzz(func(t *testing.T, p []byte, connected bool) {
		answer := handler.Answer(nil, p, from)
		if len(answer) > len(p) {
			t.Fatalf("%d bytes were answered by %d", len(p), len(answer))
		}
		if !connected || len(p) < 16 {
			return
		}
		p = bytes.Clone(p) // the fuzzer's own is not to be changed
		copy(p, handler.Answer(nil, header(magic, connect), from)[8:16])
		answer = handler.Answer(nil, p, from)
		if len(answer) > 1232 || len(answer) > 0 && !bytes.Equal(answer[4:8], p[12:16]) {
			t.Fatalf("%x was answered by %x", p, answer)
		}
	})
}

func BenchmarkAnnounce(b *testing.B) {
	store := tracker.New[int](tracker.Options{Expiry: time.Hour})
	handler := udp.New(store, udp.Options{})
	var packets [1000][]byte
	var from [1000]netip.AddrPort
	for i := range packets {
		from[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 1)
		id := binary.BigEndian.Uint64(handler.Answer(nil, header(magic, connect), from[i])[8:])
		packets[i] = request{hash: uint32(i % 50), id: uint32(i / 50), port: 1, left: 1, want: 30}.packet(id)
	}
	answer := make([]byte, 0, 2048)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		answer = handler.Answer(answer[:0], packets[n%1000], from[n%1000])
		n++
	}
}
