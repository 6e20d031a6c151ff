package load_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lxzan/gws"
	"go.uber.org/goleak"

	"github.com/starling-p2p/starling/internal/load"
	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/udp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func small(url string) load.Options {
	return load.Options{URL: url, Connections: 40, Rate: 400, Duration: 250 * time.Millisecond, Offers: 3, Hot: 0.5}
}

func measure(t *testing.T, o load.Options) *load.Report {
	t.Helper()
	r, err := load.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWebSocket(t *testing.T) {
	o := small("ws" + strings.TrimPrefix(testnet.Serve(t, testnet.Config(), testnet.Files()), "http") + "/announce")
	o.PID = os.Getpid()
	r := measure(t, o)
	// 20 peers in the hot swarm; 1, 2, 4, 8 and 5 in those of the tail.
	if r.Connected != 40 || r.HotSwarm != 20 || r.Swarms != 6 || r.Lost != 0 || r.Problem != "" {
		t.Errorf("%+v", r)
	}
	if a := r.Announces; a.Sent != 100 || a.Count != 100 || a.Unsent+a.Failed != 0 || a.P50 <= 0 || a.P50 > a.P999 || a.P999 > a.Max {
		t.Errorf("announces: %+v", a)
	}
	if o := r.Offers; o.Sent != 300 || o.Expected == 0 || o.Expected > 300 || o.Delivered != o.Expected || o.Ratio != 1 {
		t.Errorf("offers: %+v", o)
	}
	if a := r.Answers; a.Sent != r.Offers.Delivered || a.Delivered != a.Sent || a.Ratio != 1 {
		t.Errorf("answers: %+v", a)
	}
	if want := 100 + 2*r.Offers.Delivered; r.Messages.Count != want {
		t.Errorf("%d messages, not %d", r.Messages.Count, want)
	}
	if r.OfferToAnswer.P50 <= 0 || r.Seconds < 0.25 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil && (r.Memory.Idle <= 0 || r.Memory.Busy <= 0) {
		t.Errorf("memory: %+v", r.Memory)
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil || !strings.Contains(out.String(), "100 of 100 replied to") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestHTTP(t *testing.T) {
	r := measure(t, small(testnet.Serve(t, testnet.Config(), testnet.Files())+"/announce"))
	if a := r.Announces; r.Connected != 40 || a.Count != 100 || a.Failed != 0 || r.Problem != "" || r.Offers.Sent != 0 || r.Messages.Count != 100 {
		t.Errorf("%+v", r)
	}
}

func TestUDP(t *testing.T) {
	store := tracker.New[int](tracker.Options{Expiry: time.Hour})
	paths := make(chan string, 1000)
	handler := udp.New(store, udp.Options{Admit: func(path string) error {
		paths <- path
		return nil
	}})
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- handler.Serve(conn) }()
	r := measure(t, small("udp://"+conn.LocalAddr().String()+"/u/alice/announce"))
	if a := r.Announces; r.Connected != 40 || a.Count != 100 || a.Failed != 0 || r.Problem != "" {
		t.Errorf("%+v", r)
	}
	if path := <-paths; path != "/u/alice/announce" {
		t.Errorf("the path is told as %q", path)
	}
	_ = conn.Close()
	<-served
}

// Joining alone measures memory, and nothing else.
func TestJoinOnly(t *testing.T) {
	o := small(testnet.Serve(t, testnet.Config(), testnet.Files()) + "/announce")
	o.Rate = 0
	if r := measure(t, o); r.Connected != 40 || r.Announces.Sent != 0 || r.Offers.Ratio != 1 {
		t.Errorf("%+v", r)
	}
}

// bad is a tracker that lets join, and then fails in its own way.
type bad struct {
	gws.BuiltinEventHandler
	each func(c *gws.Conn)
}

func (b *bad) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if strings.Contains(string(m.Bytes()), `"started"`) {
		_ = c.WriteString(`{ "action" : "announce", "interval" : 120 }`)
		return
	}
	b.each(c)
}

func misbehave(t *testing.T, each func(c *gws.Conn)) string {
	upgrader := gws.NewUpgrader(&bad{each: each}, nil)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := upgrader.Upgrade(w, r); err == nil {
			c.ReadLoop()
		}
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

func TestOffersThatDoNotArrive(t *testing.T) {
	t.Parallel() // it waits for what does not come
	r := measure(t, small(misbehave(t, func(c *gws.Conn) { _ = c.WriteString(`{"action":"announce","interval":120}`) })))
	if r.Announces.Count != 100 || r.Offers.Expected == 0 || r.Offers.Delivered != 0 || r.Offers.Ratio != 0 {
		t.Errorf("%+v", r)
	}
}

func TestAnnouncesThatFail(t *testing.T) {
	o := small(misbehave(t, func(c *gws.Conn) { _ = c.WriteString(`{"action":"announce","failure reason":"no \"room\""}`) }))
	o.Offers = 0
	r := measure(t, o)
	if a := r.Announces; a.Failed != 100 || a.Count != 0 || !strings.Contains(r.Problem, `an announce failed: no \"room`) {
		t.Errorf("%+v", r)
	}
}

func TestConnectionsThatAreClosed(t *testing.T) {
	t.Parallel() // it waits for what does not come
	var closed atomic.Bool
	url := misbehave(t, func(c *gws.Conn) {
		if closed.CompareAndSwap(false, true) {
			_ = c.NetConn().Close()
			return
		}
		_ = c.WriteString(`{"action":"announce","interval":120}`)
	})
	o := small(url)
	o.Connections, o.Offers, o.Rate, o.Duration = 1, 0, 100, 50*time.Millisecond
	if r := measure(t, o); r.Lost != 1 || r.Announces.Sent+r.Announces.Unsent != 5 || r.Announces.Count != 0 || r.Problem == "" {
		t.Errorf("%+v", r)
	}
}

func TestSomeAreRefused(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("event") == "started" && asked.Add(1)%2 == 0 {
			http.Error(w, "full", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("d8:intervali120ee"))
	}))
	t.Cleanup(s.Close)
	r := measure(t, small(s.URL+"/announce?user=alice"))
	if r.Connections != 40 || r.Connected != 20 || r.Problem != "connecting: 503 Service Unavailable" {
		t.Errorf("%+v", r)
	}
}

func TestNothingToMeasure(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	for _, scheme := range []string{"ws", "http"} {
		if _, err := load.Run(t.Context(), small(scheme+"://"+l.Addr().String())); err == nil || !strings.Contains(err.Error(), "nobody could join") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	o := small("ws://" + l.Addr().String())
	o.PID = 1 << 30
	if _, err := load.Run(t.Context(), o); err == nil {
		t.Error("a process that is not there was measured")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := load.Run(ctx, small("ws://"+l.Addr().String())); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestBounds(t *testing.T) {
	for name, change := range map[string]func(*load.Options){
		"is not an announce URL": func(o *load.Options) { o.URL = "tracker" },
		"is no scheme":           func(o *load.Options) { o.URL = "ftp://tracker" },
		"connections":            func(o *load.Options) { o.Connections = load.MaxConnections + 1 },
		"rate and duration":      func(o *load.Options) { o.Rate = 1e9 },
		"offers":                 func(o *load.Options) { o.Offers = load.MaxOffers + 1 },
		"hot":                    func(o *load.Options) { o.Hot = 1.1 },
		"settle":                 func(o *load.Options) { o.Settle = time.Hour },
	} {
		o := small("ws://tracker/announce")
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
