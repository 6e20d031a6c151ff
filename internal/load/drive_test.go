package load

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// drive has a crowd join, announce and leave.
func drive(t *testing.T, address string, pumped bool) *run {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Options: Options{Connections: 20, Rate: 400, Duration: 250 * time.Millisecond, Offers: 2, Hot: 1}, start: time.Now(), living: t.Context(), sdp: sdp()}
	c, err := kinds[u.Scheme](r, u)
	if err != nil {
		t.Fatal(err)
	}
	if pumped {
		all := c.(*tcp)
		all.driver.close()
		all.driver = newPump(r, all.dial)
	}
	places, _, _ := deal(r.Options)
	if places = r.join(t.Context(), c, places); len(places) != 20 {
		t.Fatalf("%d joined: %s", len(places), r.first())
	}
	if _, err := r.load(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r.drain(t.Context())
	r.leave(c, places)
	c.close()
	if r.sent.Load() != 100 || r.replies.Load() != 100 || r.problem != "" {
		t.Errorf("%d of %d sent were replied to: %s", r.replies.Load(), r.sent.Load(), r.first())
	}
	return r
}

// Systems without epoll, and TLS, have goroutines for each connection.
func TestPump(t *testing.T) {
	r := drive(t, "ws"+strings.TrimPrefix(testnet.Serve(t, testnet.Config(), testnet.Files()), "http")+"/announce", true)
	if n := r.offered.Load(); n != 200 || r.answered.Load() != n {
		t.Errorf("%d offers and %d answers, not 200", n, r.answered.Load())
	}
}

// A tracker may close the connection after each answer, and tell its length or not.
func TestConnectionsThatAreNotKept(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"closed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			_, _ = w.Write([]byte("d8:intervali120ee"))
		},
		"chunks": func(w http.ResponseWriter, _ *http.Request) {
			for _, part := range []string{"d8:inter", "vali120ee"} {
				_, _ = w.Write([]byte(part))
				w.(http.Flusher).Flush()
			}
		},
		"until the end": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte("HTTP/1.0 200 OK\r\n\r\nd8:intervali120ee"))
				_ = conn.Close()
			}
		},
	} {
		for _, pumped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, %v", name, pumped), func(t *testing.T) {
				s := httptest.NewServer(answer)
				defer s.Close()
				drive(t, s.URL+"/announce", pumped)
			})
		}
	}
}

// A kept connection that is closed as the next request is on its way: it is asked again.
func TestClosedTooSoon(t *testing.T) {
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has("event") && n.Add(1)%3 == 0 {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
			return
		}
		_, _ = w.Write([]byte("d8:intervali120ee"))
	}))
	defer s.Close()
	u, _ := url.Parse(s.URL + "/announce")
	r := &run{Options: Options{Connections: 1, Rate: 100, Duration: 90 * time.Millisecond}, start: time.Now(), living: t.Context()}
	c, err := newRequesters(r, u)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	places, _, _ := deal(r.Options)
	if len(r.join(t.Context(), c, places)) != 1 {
		t.Fatal(r.first())
	}
	if _, err := r.load(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r.drain(t.Context())
	if r.sent.Load() != 9 || r.replies.Load() != 9 {
		t.Errorf("%d of %d: %s", r.replies.Load(), r.sent.Load(), r.first())
	}
}

func TestFrames(t *testing.T) {
	m := newMask()
	for _, size := range []int{0, 1, 125, 126, 5000, 65535} {
		text := strings.Repeat("x", size)
		b := m.frame(append(append([]byte("before"), gap[:]...), text...), len("before"), opText)
		b = b[len("before"):]
		if b[0] != final|opText || b[1]&masked == 0 {
			t.Fatalf("begins with %x", b[:2])
		}
		// As the tracker would send it, without a mask.
		start := 2
		if size > longest7 {
			start = 4
		}
		plain := append([]byte{b[0], b[1] &^ masked}, b[2:start]...)
		for i, c := range b[start+maskSize:] {
			plain = append(plain, c^m[i%maskSize])
		}
		for cut := range min(len(plain), 10) {
			if _, _, n, err := unframe(plain[:cut]); n != 0 || err != nil {
				t.Fatalf("%d bytes are taken for a frame: %v", cut, err)
			}
		}
		opcode, payload, n, err := unframe(append(plain, "more"...))
		if err != nil || opcode != opText || string(payload) != text || n != len(plain) {
			t.Errorf("%d: %d bytes in a frame of %d, %v", size, len(payload), n, err)
		}
	}
	for name, b := range map[string]string{"a fragment": "\x01\x01x", "a continuation": "\x80\x01x", "masked": "\x81\x81mask", "too long": "\x81\x7f\x00\x00\x00\x00\x10\x00\x00\x00"} {
		if _, _, _, err := unframe([]byte(b)); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestPingsAndClosing(t *testing.T) {
	s := &socket{sockets: &sockets{run: new(run), mask: newMask()}, place: new(place)}
	n, out, err := s.take([]byte("\x89\x02hi\x8a\x00\x88\x06\x03\xe8busy"), nil, true)
	if n != 14 || len(out) != 8 || out[0] != final|opPong || err == nil || !strings.Contains(err.Error(), `1000 "busy"`) {
		t.Errorf("%d bytes taken, %x, %v", n, out, err)
	}
}

func TestPauses(t *testing.T) {
	text := `# HELP go_gc_duration_seconds x
go_gc_duration_seconds{quantile="0.75"} 0.0001
go_gc_duration_seconds{quantile="1"} 0.0025
go_gc_duration_seconds_sum %[2]g
go_gc_duration_seconds_count %[1]d
`
	say := fmt.Sprintf(text, 5, 0.001)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(say)) }))
	defer s.Close()
	before, err := readPauses(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	say = fmt.Sprintf(text, 500, 0.0625)
	after, err := readPauses(t.Context(), s.URL)
	if got := paused(before, after); err != nil || *got != (Pauses{Collections: 495, Longest: 2.5, Of: 256, Mean: 0.125}) {
		t.Errorf("%+v, %v", got, err)
	}
	say = "up 1\n"
	if _, err := readPauses(t.Context(), s.URL); err == nil {
		t.Error("no pauses were taken for none")
	}
	if none, err := readPauses(context.Background(), ""); err != nil || paused(none, none) != nil {
		t.Error("pauses that nobody asked for")
	}
}

func TestLate(t *testing.T) {
	for p99, late := range map[float64]bool{0.1: false, 2: false, 2.1: true} {
		if got := own(moment{}, moment{}, Latency{P99: p99}); got.Late != late {
			t.Errorf("p99 %v ms: %v", p99, got.Late)
		}
	}
}
