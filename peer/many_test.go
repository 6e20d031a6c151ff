package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// A folder of 10,000 files is shared and fetched with few of them open at once.
func TestManyFiles(t *testing.T) {
	const n = 10_000
	dir := t.TempDir()
	for i := range n {
		path := filepath.Join(dir, "box", fmt.Sprint(i%100), fmt.Sprint(i))
		if i < 100 {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, []byte(fmt.Sprint("file ", i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	seeder, fetcher := start(t), start(t)
	began := time.Now()
	shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(dir, "box")}})
	t.Logf("shared after %v", time.Since(began))
	if open := len(seeder.handles.open); open > maxHandles {
		t.Errorf("%d files are open", open)
	}
	began = time.Now()
	fetched := add(t, fetcher, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}})
	done(t, fetched)
	t.Logf("fetched after %v", time.Since(began))
	for _, i := range []int{0, 1, 4999, n - 1} {
		same(t, filepath.Join(dir, "to/box", fmt.Sprint(i%100), fmt.Sprint(i)), []byte(fmt.Sprint("file ", i)))
	}
}

// Torrents that nobody asks for are not loaded; who asks gets them, and is followed by nothing.
func TestIdle(t *testing.T) {
	const n = 200
	trackers := []string{tracker(t, "ws")}
	both := func(o *Options) { o.WebRTC, o.LinkListen = true, "127.0.0.1:0" }
	seeder := start(t, both)
	dir := t.TempDir()
	var all []*Torrent
	for i := range n {
		path := write(t, filepath.Join(dir, fmt.Sprint(i)), []byte(fmt.Sprint("file ", i)))
		all = append(all, share(t, seeder, ShareOptions{Paths: []string{path}, Trackers: trackers, Private: i%2 == 0}))
	}
	if loaded := len(seeder.client.Torrents()); loaded != 0 {
		t.Errorf("%d torrents are loaded", loaded)
	}
	for _, change := range []func(*Options){links, func(*Options) {}} {
		fetcher := start(t, change)
		to := t.TempDir()
		for _, i := range []int{0, 1, n - 2, n - 1} {
			done(t, add(t, fetcher, all[i].Link("h"), AddOptions{Dir: to, Peers: []string{seeder.Addr().String()}}))
			same(t, filepath.Join(to, fmt.Sprint(i)), []byte(fmt.Sprint("file ", i)))
		}
		_ = fetcher.Close()
	}
	testnet.Until(t, "they are unloaded", func() bool { return len(seeder.client.Torrents()) == 0 })
}

func TestWebSeed(t *testing.T) {
	dir := t.TempDir()
	data := random(1<<20, 1)
	asked := make(chan string, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := data
		if r.URL.Path == "/lies" {
			from = make([]byte, len(data))
		}
		asked <- r.URL.Path + " " + r.Header.Get("Range")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(from))
	}))
	defer server.Close()
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}, WebSeeds: []string{server.URL + "/a"}})
	file := write(t, filepath.Join(dir, "a.torrent"), shared.TorrentFile())
	b := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "b"), data)}})
	unseeded := write(t, filepath.Join(dir, "b.torrent"), b.TorrentFile())
	_ = seeder.Close() // nobody else has it
	fetched := add(t, start(t), file, AddOptions{Dir: filepath.Join(dir, "to"), WebSeeds: []string{server.URL + "/a"}})
	done(t, fetched)
	same(t, filepath.Join(dir, "to/a"), data)
	if s := fetched.Stats(); s.Downloaded < int64(len(data)) {
		t.Errorf("%d bytes were counted, of %d", s.Downloaded, len(data))
	}
	// The engine begins with more than a piece, when it looks at web seeds.
	if got, want := <-asked, fmt.Sprintf("/a bytes=0-%d", fetched.meta.pieceLength-1); got != want {
		t.Errorf("the first request is for %q, want %q, at once", got, want)
	}

	// One that lies, and one that is away, keep nobody from the next.
	seeds := []string{server.URL + "/lies", "http://127.0.0.1:1/a", server.URL + "/a"}
	fetched = add(t, start(t), unseeded, AddOptions{Dir: filepath.Join(dir, "too"), WebSeeds: seeds})
	done(t, fetched)
	same(t, filepath.Join(dir, "too/b"), data)
}

// A folder's web seed has its files below its URL; pieces lie across them.
func TestWebSeedOfAFolder(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	files := map[string][]byte{"box/a b.txt": random(100_001, 1), "box/in/c": random(300_001, 2), "box/none": nil, "box/z": random(7, 3)}
	for name, data := range files {
		write(t, filepath.Join(dir, name), data)
	}
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(dir, "box")}})
	file := write(t, filepath.Join(dir, "box.torrent"), shared.TorrentFile())
	_ = seeder.Close()
	fetched := add(t, start(t), file, AddOptions{Dir: filepath.Join(dir, "to"), WebSeeds: []string{server.URL + "/"}})
	done(t, fetched)
	for name, data := range files {
		same(t, filepath.Join(dir, "to", name), data)
	}
}

// Readers come first, wherever they are, and a lazy torrent fetches nothing else.
func TestLazy(t *testing.T) {
	for _, private := range []bool{false, true} {
		dir := t.TempDir()
		seeder, fetcher := start(t), start(t)
		data := random(48<<20, 1)
		shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}, Private: private})
		fetched := add(t, fetcher, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}, Lazy: true})
		if err := fetched.Ready(soon(t)); err != nil {
			t.Fatal(err)
		}
		r := fetched.Files()[0].NewReader(soon(t))
		at := int64(len(data) - 100_000)
		if _, err := r.Seek(-100_000, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, data[at:]) {
			t.Fatalf("read %d bytes, %v", len(got), err)
		}
		if s := fetched.Stats(); s.BytesDone > s.Bytes/2 {
			t.Errorf("%d bytes of %d were fetched for it", s.BytesDone, s.Bytes)
		}
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 1000)
		if _, err := io.ReadFull(r, buffer); err != nil || !bytes.Equal(buffer, data[:1000]) {
			t.Fatalf("after going back: %v", err)
		}
		_ = r.Close()
		if _, err := r.Read(buffer); err == nil {
			t.Error("a closed reader reads")
		}
		// One that waits is let go.
		ctx, stop := context.WithCancel(t.Context())
		_ = seeder.Close()
		r = fetched.Files()[0].NewReader(ctx)
		_, _ = r.Seek(24<<20, io.SeekStart)
		time.AfterFunc(10*time.Millisecond, stop)
		if _, err := r.Read(buffer); err == nil {
			t.Error("it reads what nobody has")
		}
	}
}

func TestLimits(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t, func(o *Options) { o.UploadLimit = 1 << 20 })
	data := random(2<<20, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}})
	began := time.Now()
	done(t, add(t, start(t), shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}}))
	if took := time.Since(began); took < 1500*time.Millisecond { // 2 MiB, of which a burst goes at once
		t.Errorf("it took %v", took)
	}
}

func TestUTP(t *testing.T) {
	needUTP(t)
	utp := func(o *Options) { o.TCP, o.UTP = false, true }
	dir := t.TempDir()
	seeder, fetcher := start(t, utp), start(t, utp)
	data := random(1<<20, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}})
	done(t, add(t, fetcher, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}}))
}

func needUTP(t *testing.T) {
	t.Helper()
	if !haveUTP {
		t.Skip("SKIPPED: uTP needs a C compiler, and CGO_CPPFLAGS=-DNDEBUG")
	}
}

// Who knows nobody but a third is told of the seeder.
func TestPEX(t *testing.T) {
	pex := func(o *Options) { o.PEX = true }
	dir := t.TempDir()
	seeder, middle, fetcher := start(t, pex), start(t, pex), start(t, pex)
	data := random(1<<20, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}})
	m := add(t, middle, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "m"), Lazy: true, Peers: []string{seeder.Addr().String()}})
	if err := m.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	done(t, add(t, fetcher, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{middle.Addr().String()}}))
}

// Nothing is left behind.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		p, err := New(Options{DataDir: t.TempDir(), Listen: "127.0.0.1:0", LinkListen: "127.0.0.1:0", TCP: true, UTP: true, WebRTC: true, PEX: true, DHT: DHT{Enabled: true, Bootstrap: []string{"127.0.0.1:1"}}})
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Close()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if _, err := p.Share(t.Context(), ShareOptions{Paths: []string{"."}}); err == nil {
			t.Error("a closed peer shares")
		}
	}
	testnet.Until(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// fakeRouter maps ports.
type fakeRouter struct{ mapped, removed chan portKey }

func (r fakeRouter) add(_ context.Context, key portKey, _ time.Duration) (int, error) {
	r.mapped <- key
	return key.port + 1, nil
}

func (r fakeRouter) remove(_ context.Context, key portKey, outside int) error {
	r.removed <- key
	return nil
}

func TestPortMapping(t *testing.T) {
	p := start(t)
	r := fakeRouter{make(chan portKey, 4), make(chan portKey, 4)}
	m := &mapper{p: p, routers: func(context.Context) []router { return []router{r} }, mapped: map[portKey]int{}}
	p.finders.mapper = m
	p.goWork(m.run)
	_, text, _ := net.SplitHostPort(p.Addr().String())
	key := <-r.mapped
	if key.protocol != "tcp" || fmt.Sprint(key.port) != text {
		t.Errorf("mapped %v, want %s", key, text)
	}
	<-r.mapped
	testnet.Until(t, "the port outside is known", func() bool { return p.publicPort() == key.port+1 })
	_ = p.Close()
	if len(r.removed) != 2 {
		t.Errorf("%d mappings were taken back, want 2", len(r.removed))
	}
}
