package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/starling-p2p/starling/internal/egress"
	"github.com/starling-p2p/starling/internal/testnet"
)

// local is a server on this machine that a stranger's link names. It notes what it is asked.
type local struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newLocal(t *testing.T, answer http.HandlerFunc) *local {
	l := &local{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.asked = append(l.asked, r.URL.Path)
		l.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

// was says whether it was asked for that, or for anything.
func (l *local) was(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.asked {
		if p == path || path == "" {
			return true
		}
	}
	return false
}

// disguised is its address as it does not look like this machine's, and leads there all the same.
func (l *local) disguised() string { return strings.Replace(l.URL, "127.0.0.1", "0.0.0.0", 1) }

// A stranger's link has nobody ask web seeds on his own machine; who names them himself does.
func TestLinksToLocalWebSeeds(t *testing.T) {
	dir := t.TempDir()
	data := random(1<<18, 1)
	seeder := start(t)
	file := write(t, filepath.Join(dir, "a"), data)
	victim := newLocal(t, http.NotFound)
	shared := share(t, seeder, ShareOptions{Paths: []string{file}, WebSeeds: []string{victim.URL + "/a", victim.disguised() + "/b"}})
	torrent := write(t, filepath.Join(dir, "a.torrent"), shared.TorrentFile())
	_ = seeder.Close()
	web := newLocal(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	fetched := add(t, start(t), torrent, AddOptions{Dir: filepath.Join(dir, "to"), WebSeeds: []string{web.URL + "/a"}})
	done(t, fetched)
	same(t, filepath.Join(dir, "to/a"), data)
	if victim.was("/a") || victim.was("/b") {
		t.Errorf("asked for %q", victim.asked)
	}
}

// Some servers refuse whoever names himself as HTTP libraries do.
func TestAgent(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "a"), random(1<<18, 1))
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{file}})
	torrent := shared.TorrentFile()
	_ = seeder.Close()
	server := newLocal(t, func(w http.ResponseWriter, r *http.Request) {
		switch agent := r.UserAgent(); {
		case !strings.HasPrefix(agent, "Starling/"):
			t.Errorf("%s is asked for by %q", r.URL.Path, agent)
			http.Error(w, "who are you?", http.StatusForbidden)
		case r.URL.Path == "/a":
			http.ServeFile(w, r, file)
		case r.URL.Path == "/a.torrent":
			_, _ = w.Write(torrent)
		default:
			http.NotFound(w, r)
		}
	})
	fetcher := start(t, func(o *Options) { o.WebRTC, o.LinkListen = true, "127.0.0.1:0" })
	fetched := add(t, fetcher, server.URL+"/a.torrent", AddOptions{
		Dir: filepath.Join(dir, "to"), WebSeeds: []string{server.URL + "/a"},
		Trackers: []string{server.URL + "/announce", strings.Replace(server.URL, "http", "ws", 1) + "/socket"},
	})
	done(t, fetched)
	for _, path := range []string{"/announce", "/socket"} {
		testnet.Until(t, path+" is asked for", func() bool { return server.was(path) })
	}
}

// A name leads where its owner likes: to a .torrent file, and then to this machine (DNS rebinding). That it had such a file
// to give opens nothing here.
func TestNamesThatLeadElsewhereLater(t *testing.T) {
	dir := t.TempDir()
	data := random(1<<18, 2)
	file := write(t, filepath.Join(dir, "a"), data)
	var torrent []byte
	var moved atomic.Bool
	victim := newLocal(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/a.torrent" {
			http.NotFound(w, r)
			return
		}
		moved.Store(true)
		w.Header().Set("Connection", "close")
		_, _ = w.Write(torrent)
	})
	theirs := strings.Replace(victim.URL, "127.0.0.1", "films.example", 1)
	seeder := start(t)
	torrent = share(t, seeder, ShareOptions{Paths: []string{file}, WebSeeds: []string{theirs + "/a"}}).TorrentFile()
	_ = seeder.Close()

	p := start(t)
	p.ways.Connect = func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
		if !moved.Load() {
			d = &net.Dialer{} // somewhere far away
		}
		return d.DialContext(ctx, network, strings.Replace(address, "films.example", "127.0.0.1", 1))
	}
	web := newLocal(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	fetched := add(t, p, theirs+"/a.torrent", AddOptions{Dir: filepath.Join(dir, "to"), WebSeeds: []string{web.URL + "/a"}})
	done(t, fetched)
	same(t, filepath.Join(dir, "to/a"), data)
	if !victim.was("/a.torrent") || victim.was("/a") {
		t.Errorf("asked for %q", victim.asked)
	}
}

// A tracker on this machine is asked where the link says openly that it is one, and for nothing but what trackers answer.
func TestLinksToLocalTrackers(t *testing.T) {
	tracker := newLocal(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/announce":
			_, _ = w.Write([]byte("d8:intervali1800e5:peers0:e"))
		case "/":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}
	})
	ws := strings.Replace(tracker.URL, "http", "ws", 1)
	for _, c := range []struct {
		url  string
		own  bool
		asks string // "": nothing
	}{
		{url: tracker.URL + "/announce", asks: "/announce"},
		{url: tracker.URL + "/shutdown"},
		{url: tracker.URL + "/announce?now=1"},
		{url: tracker.disguised() + "/announce"},
		{url: strings.Replace(tracker.disguised(), "http", "udp", 1) + "/announce"},
		{url: "http://169.254.169.254/announce"},
		{url: tracker.URL + "/own/announce", own: true, asks: "/own/announce"},
		{url: tracker.disguised() + "/too/announce", own: true, asks: "/too/announce"},
		{url: ws + "/announce", asks: "/announce"},
		{url: strings.Replace(ws, "127.0.0.1", "0.0.0.0", 1) + "/announce"},
	} {
		t.Run(c.url, func(t *testing.T) {
			tracker.mu.Lock()
			tracker.asked = nil
			tracker.mu.Unlock()
			p := start(t, func(o *Options) { o.WebRTC = strings.HasPrefix(c.url, "ws"); o.LinkListen = "127.0.0.1:0" })
			o := AddOptions{Dir: t.TempDir()}
			if c.own {
				o.Trackers = []string{c.url}
			}
			fetched := add(t, p, "magnet:?xt=urn:btih:"+strings.Repeat("a", 40)+"&tr="+url.QueryEscape(c.url), o)
			var tracked Tracker
			testnet.Until(t, "it has been asked, or not", func() bool {
				all := fetched.Stats().Trackers
				if len(all) != 1 {
					return false
				}
				tracked = all[0]
				return tracked.Connected || tracked.Err != nil
			})
			if c.asks != "" && !tracker.was(c.asks) || c.asks == "" && (tracker.was("") || !errors.Is(tracked.Err, egress.ErrNear)) {
				t.Errorf("asked for %q; %v", tracker.asked, tracked.Err)
			}
		})
	}

	// Where a tracker redirects, the same holds.
	p := start(t)
	fetched := add(t, p, "magnet:?xt=urn:btih:"+strings.Repeat("b", 40)+"&tr="+url.QueryEscape(tracker.URL+"/"), AddOptions{Dir: t.TempDir()})
	testnet.Until(t, "it has been asked", func() bool { all := fetched.Stats().Trackers; return len(all) == 1 && all[0].Err != nil })
	if !tracker.was("/") || tracker.was("/elsewhere") {
		t.Errorf("asked for %q", tracker.asked)
	}
}

// However many trackers a link names, those that the user has named are asked.
func TestLinksToManyTrackers(t *testing.T) {
	own := newLocal(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("d8:intervali1800e5:peers0:e")) })
	link := "magnet:?xt=urn:btih:" + strings.Repeat("d", 40)
	for i := range 2 * maxURLs {
		link += "&tr=" + url.QueryEscape(fmt.Sprintf("http://127.0.0.1:9/%d", i)) // where no link may lead
	}
	fetched := add(t, start(t), link, AddOptions{Dir: t.TempDir(), Trackers: []string{own.URL + "/announce"}})
	if fetched.Trackers()[0] != own.URL+"/announce" {
		t.Fatalf("asked first: %s", fetched.Trackers()[0])
	}
	testnet.Until(t, "it is asked", func() bool { return own.was("/announce") })
}

// Of WebSockets the URL tells, however it is written, before anything is connected to.
func TestLinksToLocalWebSockets(t *testing.T) {
	victim := newLocal(t, http.NotFound)
	p := start(t, func(o *Options) { o.WebRTC, o.LinkListen = true, "127.0.0.1:0" })
	bad := strings.Replace(victim.URL, "http", "WS", 1) + "/shutdown"
	good := newLocal(t, http.NotFound)
	link := "magnet:?xt=urn:btih:" + strings.Repeat("c", 40) + "&tr=" + url.QueryEscape(bad) + "&tr=" + url.QueryEscape(strings.Replace(good.URL, "http", "ws", 1)+"/announce")
	fetched := add(t, p, link, AddOptions{Dir: t.TempDir()})
	testnet.Until(t, "the others are asked", func() bool {
		return good.was("/announce") && len(fetched.Stats().Trackers) > 0 && fetched.Stats().Trackers[0].Err != nil
	})
	if victim.was("") {
		t.Errorf("asked for %q", victim.asked)
	}
}
