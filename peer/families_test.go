package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// everywhere listens at IPv4 and IPv6 addresses.
func everywhere(o *Options) { o.Listen = ":0" }

// leading has a peer take a name for that of addresses of both families. Those that ask by whichever connects first get
// the IPv4 one.
func leading(p *Peer, four, six string) {
	p.ways.Connect = func(ctx context.Context, _ *net.Dialer, network, _ string) (net.Conn, error) {
		to := four
		if strings.HasSuffix(network, "6") {
			to = six
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
}

// listenBoth listens at 127.0.0.1 and ::1.
func listenBoth[L any](t *testing.T, listen func(network, address string) (L, error), network string) (four, six L) {
	t.Helper()
	four, err := listen(network+"4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	six, err = listen(network+"6", "[::1]:0")
	if err != nil {
		t.Skipf("SKIPPED: this machine has no IPv6: %v", err)
	}
	return four, six
}

// hearing is a tracker at an address of each family that notes what it is told.
type hearing struct {
	mu     sync.Mutex
	events map[string][]string // by family, but for what is neither of the three
	proof  []string            // peer_ids and keys
}

func (h *hearing) hear(family, event, proof string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if event != "" {
		h.events[family] = append(h.events[family], event)
	}
	if !slices.Contains(h.proof, proof) {
		h.proof = append(h.proof, proof)
	}
}

// all are the events of a family without that of completion, and how often there was that.
func (h *hearing) all(family string) (others string, completed int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := slices.Clone(h.events[family])
	events = slices.DeleteFunc(events, func(e string) bool { return e == "completed" })
	return strings.Join(events, " "), len(h.events[family]) - len(events)
}

// byHTTP and byUDP return where it is: 127.0.0.1 and ::1.
func (h *hearing) byHTTP(t *testing.T) (four, six string) {
	listen4, listen6 := listenBoth(t, net.Listen, "tcp")
	for family, l := range map[string]net.Listener{"4": listen4, "6": listen6} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			h.hear(family, q.Get("event"), fmt.Sprintf("%x %s", q.Get("peer_id"), q.Get("key")))
			_, _ = io.WriteString(w, "d8:intervali1800e5:peers0:e")
		}))
		_ = server.Listener.Close()
		server.Listener = l
		server.Start()
		t.Cleanup(server.Close)
	}
	return listen4.Addr().String(), listen6.Addr().String()
}

func (h *hearing) byUDP(t *testing.T) (four, six string) {
	listen4, listen6 := listenBoth(t, net.ListenPacket, "udp")
	for family, conn := range map[string]net.PacketConn{"4": listen4, "6": listen6} {
		t.Cleanup(func() { _ = conn.Close() })
		go func() {
			b := make([]byte, 2048)
			for {
				n, from, err := conn.ReadFrom(b)
				if err != nil {
					return
				}
				answer := append(slices.Clone(b[8:16]), "conn-id."...) // action, transaction
				if n >= 98 {
					event := []string{"", "completed", "started", "stopped"}[binary.BigEndian.Uint32(b[80:])]
					h.hear(family, event, fmt.Sprintf("%x %x", b[36:56], b[88:92]))
					answer = append(answer[:8], 0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0)
				}
				_, _ = conn.WriteTo(answer, from)
			}
		}()
	}
	return listen4.LocalAddr().String(), listen6.LocalAddr().String()
}

// A tracker that has addresses of both families knows a peer by both, each told once that it starts and that it stops;
// that it is one peer shows its key. That it has completed is said once.
func TestBothFamilies(t *testing.T) {
	for scheme, serve := range map[string]func(*hearing, *testing.T) (four, six string){"http": (*hearing).byHTTP, "udp": (*hearing).byUDP} {
		t.Run(scheme, func(t *testing.T) {
			h := &hearing{events: map[string][]string{}}
			four, six := serve(h, t)
			dir := t.TempDir()
			seeder := start(t)
			shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), random(100<<10, 1))}})
			p := start(t, everywhere)
			leading(p, four, six)
			fetched := add(t, p, hexOf(shared.ih), AddOptions{Dir: filepath.Join(dir, "to"), Trackers: []string{scheme + "://tracker.example/announce"}})
			said := func(what string) func() bool {
				return func() bool {
					by4, _ := h.all("4")
					by6, _ := h.all("6")
					return by4 == what && by6 == what
				}
			}
			testnet.Until(t, "it is known by both", said("started"))
			fetched.found.peers([]string{seeder.Addr().String()})
			done(t, fetched)
			testnet.Until(t, "one is told that it has all", func() bool { return completed(h) > 0 })
			_ = fetched.Close()
			testnet.Until(t, "both are told that it stops", said("started stopped"))
			if n := completed(h); n != 1 || len(h.proof) != 1 {
				t.Errorf("it has completed %d times, as %q", n, h.proof)
			}
		})
	}
}

func completed(h *hearing) int {
	_, by4 := h.all("4")
	_, by6 := h.all("6")
	return by4 + by6
}

// Our own tracker counts who is there by both families once, and so what it has fetched.
func TestBothFamiliesAreOnePeer(t *testing.T) {
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("SKIPPED: this machine has no IPv6: %v", err)
	}
	_ = six.Close()
	config := testnet.Config()
	config.Addr = ":0"
	at, err := url.Parse(testnet.Serve(t, config, nil))
	if err != nil {
		t.Fatal(err)
	}
	own := "http://127.0.0.1:" + at.Port() + "/announce"
	dir := t.TempDir()
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), random(100<<10, 1))}, Trackers: []string{own}})
	const many = 4
	for i := range many {
		p := start(t, everywhere)
		leading(p, "127.0.0.1:"+at.Port(), "[::1]:"+at.Port())
		fetched := add(t, p, hexOf(shared.ih), AddOptions{Dir: filepath.Join(dir, fmt.Sprint(i)), Trackers: []string{"http://tracker.example/announce"}})
		testnet.Until(t, "both have answered", func() bool {
			return !slices.ContainsFunc(waysOf(fetched), func(err error) bool { return err != nil })
		})
		fetched.found.peers([]string{seeder.Addr().String()})
		done(t, fetched)
		_ = p.Close()
	}
	if got, err := Scrape(soon(t), own, shared.ih); err != nil || got != (Counts{Seeders: 1, Downloads: many}) {
		t.Errorf("%+v, %v; want %d downloads, and the one seeder", got, err, many)
	}
}

// waysOf is what came of each way to the first tracker.
func waysOf(t *Torrent) (all []error) {
	a := t.p.finders.announcer
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.of[t] {
		for _, w := range e.ways {
			all = append(all, w.err)
		}
		return all
	}
	return []error{errUntried}
}

// Of a family that leads nowhere nobody speaks, as long as the other one works, and nobody tries it again for each torrent.
func TestFamilyThatLeadsNowhere(t *testing.T) {
	h := &hearing{events: map[string][]string{}}
	four, _ := h.byHTTP(t)
	p := start(t, everywhere, func(o *Options) { o.tick = time.Millisecond })
	var tried atomic.Int64
	p.ways.Connect = func(ctx context.Context, _ *net.Dialer, network, _ string) (net.Conn, error) {
		if strings.HasSuffix(network, "6") {
			tried.Add(1)
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ENETUNREACH}
		}
		return new(net.Dialer).DialContext(ctx, network, four)
	}
	dir := t.TempDir()
	shareOne := func(name string) *Torrent {
		return share(t, p, ShareOptions{Paths: []string{write(t, filepath.Join(dir, name), []byte(name))}, Trackers: []string{"http://tracker.example/announce"}})
	}
	connected := func(tt *Torrent) func() bool {
		return func() bool { s := tt.Stats().Trackers; return len(s) == 1 && s[0].Connected && s[0].Err == nil }
	}
	testnet.Until(t, "it is announced", connected(shareOne("first")))
	a := p.finders.announcer
	testnet.Until(t, "nobody tries the other way", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.silent) == 1
	})
	before := tried.Load()
	for i := range 20 {
		testnet.Until(t, "each is announced", connected(shareOne(fmt.Sprint(i))))
	}
	if n := tried.Load(); n != before {
		t.Errorf("it was tried %d times more", n-before)
	}
	a.moved()
	testnet.Until(t, "it is tried on another network", func() bool { return tried.Load() > before })
}

// A family by which nothing comes back holds up neither the other nor who ends.
func TestFamilyThatIsSilent(t *testing.T) {
	h := &hearing{events: map[string][]string{}}
	four, _ := h.byUDP(t)
	silent, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	p := start(t, everywhere)
	leading(p, four, silent.LocalAddr().String())
	dir := t.TempDir()
	var all []*Torrent
	for i := range 3 * announceWorkers {
		path := write(t, filepath.Join(dir, fmt.Sprint(i)), []byte(fmt.Sprint(i)))
		all = append(all, share(t, p, ShareOptions{Paths: []string{path}, Trackers: []string{"udp://tracker.example:80"}}))
	}
	since := time.Now()
	for _, tt := range all {
		testnet.Until(t, "it is announced", func() bool { return tt.Stats().Trackers[0].Connected })
	}
	if _, _, err := silent.ReadFrom(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range all {
		_ = tt.Close()
	}
	other := p.finders.announcer.lines["6"]
	testnet.Until(t, "nobody waits for an answer", func() bool { return len(other.turn) == 0 })
	if took := time.Since(since); took > announceTimeout*3/4 {
		t.Errorf("that took %v", took)
	}
}

// Where neither way leads anywhere, it is said why of that which there is.
func TestNeitherFamily(t *testing.T) {
	p := start(t, everywhere)
	p.ways.Connect = func(_ context.Context, _ *net.Dialer, network, address string) (net.Conn, error) {
		err := error(&net.AddrError{Err: "no suitable address found", Addr: address})
		if strings.HasSuffix(network, "6") {
			err = syscall.ECONNREFUSED
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	shared := share(t, p, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), []byte("a"))}, Trackers: []string{"http://tracker.example/announce"}})
	testnet.Until(t, "both have failed", func() bool { return shared.Stats().Trackers[0].Err != nil })
	if err := shared.Stats().Trackers[0].Err; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}
