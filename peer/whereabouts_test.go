package peer

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	peer_store "github.com/anacrolix/dht/v2/peer-store"
	"github.com/anacrolix/torrent/bencode"

	"github.com/starling-p2p/starling/internal/testnet"
)

// moving is a peer's option, and leaves its network for another one.
func moving() (option func(*Options), move func()) {
	var at atomic.Pointer[[]netip.Addr]
	at.Store(&[]netip.Addr{netip.MustParseAddr("127.0.0.1")})
	option = func(o *Options) { o.addresses = func() ([]netip.Addr, error) { return *at.Load(), nil } }
	return option, func() { at.Store(&[]netip.Addr{netip.MustParseAddr("192.0.2.1")}) }
}

// sleeping is a peer's option, and has its machine sleep for a night: only the clock on the wall goes on meanwhile.
func sleeping() (option func(*Options), sleep func()) {
	var nights atomic.Int64
	option = func(o *Options) {
		o.addresses = func() ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")}, nil
		}
		o.wall = func() time.Time { return time.Now().Round(0).Add(time.Duration(nights.Load()) * 9 * time.Hour) }
	}
	return option, func() { nights.Add(1) }
}

// away are the ways in which a peer comes to have dead sockets, and trackers forget it.
var away = map[string]func() (option func(*Options), leave func()){"moved": moving, "slept": sleeping}

func TestMovedPeerIsFound(t *testing.T) {
	for how, leaving := range away {
		t.Run(how, func(t *testing.T) { movedPeerIsFound(t, leaving) })
	}
}

// Sockets that began before are dead, and nobody says so.
func movedPeerIsFound(t *testing.T, leaving func() (option func(*Options), leave func())) {
	server := tracker(t, "ws")
	way := newWay(t, strings.TrimSuffix(strings.TrimPrefix(server, "ws://"), "/announce"))
	moves, move := leaving()
	seeder, fetcher := start(t, links, moves), start(t, links)
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a"), random(1<<20, 1))
	shared := share(t, seeder, ShareOptions{Paths: []string{path}, Trackers: []string{"ws://" + way.Addr().String() + "/announce"}})
	testnet.Until(t, "the tracker knows it", func() bool { return shared.Stats().Trackers[0].Connected })
	way.silence()
	move()
	done(t, add(t, fetcher, hexOf(shared.ih), AddOptions{Trackers: []string{server}, Dir: filepath.Join(dir, "to")}))
}

// silentWay leads to a server. What goes over connections of before is lost after silence.
type silentWay struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	dead  map[net.Conn]bool
}

func newWay(t *testing.T, to string) *silentWay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &silentWay{Listener: l, dead: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.conns {
			_ = c.Close()
		}
	})
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				return
			}
			w.mu.Lock()
			w.conns = append(w.conns, near, far)
			w.mu.Unlock()
			go w.copy(near, far)
			go w.copy(far, near)
		}
	}()
	return w
}

func (w *silentWay) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		w.dead[c] = true
	}
}

func (w *silentWay) copy(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		w.mu.Lock()
		dead := w.dead[to]
		w.mu.Unlock()
		switch {
		case err != nil && !dead:
			_ = to.Close()
			return
		case err != nil:
			return
		case !dead:
			_, _ = to.Write(b[:n])
		}
	}
}

func TestMovedPeerIsAnnouncedAnew(t *testing.T) {
	for how, leaving := range away {
		t.Run(how, func(t *testing.T) { movedPeerIsAnnouncedAnew(t, leaving) })
	}
}

func movedPeerIsAnnouncedAnew(t *testing.T, leaving func() (option func(*Options), leave func())) {
	var announces atomic.Int64
	var keys sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		announces.Add(1)
		keys.Store(r.URL.Query().Get("key"), true)
		_, _ = w.Write(bencode.MustMarshal(map[string]any{"interval": 1800, "complete": 1, "incomplete": 0, "peers": ""}))
	}))
	defer server.Close()
	node := start(t, func(o *Options) { o.TCP = false; o.DHT = DHT{Enabled: true, Bootstrap: []string{"127.0.0.1:1"}} })
	moves, move := leaving()
	p := start(t, moves, func(o *Options) {
		o.DHT = DHT{Enabled: true, Bootstrap: []string{node.client.DhtServers()[0].Addr().String()}}
	})
	shared := share(t, p, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), random(1000, 1))}, Trackers: []string{server.URL}})
	known := func() bool { return len(node.dht.GetPeers(shared.ih)) > 0 }
	testnet.Until(t, "the tracker and the DHT know it", func() bool { return shared.Stats().Trackers[0].Connected && known() })
	node.dht.mu.Lock()
	node.dht.swarms = map[peer_store.InfoHash][]dhtPeer{}
	node.dht.mu.Unlock()
	move()
	testnet.Until(t, "they hear of it again", func() bool { return announces.Load() == 2 && known() })
	keys.Range(func(key, _ any) bool {
		if len(key.(string)) != 8 {
			t.Errorf("the key is %q", key)
		}
		return true
	})
}
