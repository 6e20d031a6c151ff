package edge

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

func TestCacheSurvivesRestart(t *testing.T) {
	t.Parallel()
	dir, cache := site(t, map[string][]byte{"a.png": random(100_000)}), t.TempDir()
	first := start(t, Options{CacheDir: cache})
	h := serveFolder(t, first, dir)
	carried(t, h, "/a.png")
	first.stats.take(beacon{Peers: 1000}, 3)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	// Were it read again, it would be found to be unreadable.
	kept := first.library.get("/a.png")
	second := start(t, Options{CacheDir: cache})
	if !second.library.recall("/a.png", func(a *asset) bool { return a.Stamp == kept.Stamp }) {
		t.Error("it is not known any more")
	}
	if second.Key() != first.Key() {
		t.Error("the owner's key is another")
	}
	if got := second.stats.figures.Total.Peers; got != 1000 {
		t.Errorf("%d bytes from peers, want 1000", got)
	}
}

// A page that is open while the program is started anew comes back at once, and goes on with those it knows.
func TestSwarmsSurviveRestart(t *testing.T) {
	t.Parallel()
	dir, cache := site(t, map[string][]byte{"a.png": random(1000)}), t.TempDir()
	first := start(t, Options{CacheDir: cache})
	h := serveFolder(t, first, dir)
	carried(t, h, "/a.png")
	sum, err := hex.DecodeString(ask(t, h, "/a.png").Torrents[0].InfoHash)
	if err = errors.Join(err, first.Close()); err != nil {
		t.Fatal(err)
	}
	// What had gone from the site by then was in none of its torrents.
	other := t.TempDir()
	gone := start(t, Options{CacheDir: other})
	h = serveFolder(t, gone, site(t, map[string][]byte{"gone.png": random(1000)}))
	testnet.Until(t, "the other asset", func() bool { return len(ask(t, h, "/gone.png").Assets) == 1 })
	if err = gone.Close(); err != nil {
		t.Fatal(err)
	}
	left := rows(t, other)
	left[0]["seen"] = left[0]["seen"].(float64) - 3600
	keepRows(t, cache, append(rows(t, cache), left...))
	var hash strings.Builder
	for _, b := range sum {
		hash.WriteRune(rune(b))
	}
	h = serveFolder(t, start(t, Options{CacheDir: cache}), dir)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = Prefix + "announce" // which Connect does not know
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	page := testnet.Connect(t, conn)
	announce, err := json.Marshal(map[string]any{"action": "announce", "info_hash": hash.String(), "peer_id": testnet.ID('p'), "left": 0})
	if err != nil {
		t.Fatal(err)
	}
	page.Send(string(announce))
	if m := page.Next(); m["failure reason"] != nil || m["complete"] != 1.0 {
		t.Errorf("it is told %v", m)
	}
}

// rows are what a cache keeps of assets.
func rows(t *testing.T, cache string) (all []map[string]any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(cache, "hashes.json"))
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func keepRows(t *testing.T, cache string, all []map[string]any) {
	t.Helper()
	data, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(filepath.Join(cache, "hashes.json"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Where files have other names with each deploy, those of long ago are not kept.
func TestCacheKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	deploy := func(files map[string][]byte) (kept []string) {
		e := start(t, Options{CacheDir: cache})
		f := &folder{edge: e, dir: site(t, files)}
		if err := errors.Join(f.enter(), f.scan(t.Context(), true)); err != nil {
			t.Fatal(err)
		}
		f.leave()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(cache, "hashes.json"))
		var all []asset
		if err = errors.Join(err, json.Unmarshal(data, &all)); err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			kept = append(kept, a.Path)
		}
		slices.Sort(kept)
		return kept
	}
	deploy(map[string][]byte{"a.1.png": random(1000), "b.png": random(1000)})
	if kept := deploy(map[string][]byte{}); !slices.Equal(kept, []string{"/a.1.png", "/b.png"}) {
		t.Errorf("of a folder whose disk is not there yet %v is kept", kept)
	}
	if kept := deploy(map[string][]byte{"a.2.png": random(1000), "b.png": random(1000)}); !slices.Equal(kept, []string{"/a.2.png", "/b.png"}) {
		t.Errorf("after another deploy %v is kept", kept)
	}
}

// Of a site behind an origin nobody knows what it has: what it has not been seen to have for long is kept no longer.
func TestCacheForgetsWhatNobodyAsksFor(t *testing.T) {
	t.Parallel()
	cache, data := t.TempDir(), random(1000)
	run := func(path string) []map[string]any {
		e := start(t, Options{CacheDir: cache})
		h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { given(w, `"1"`, data) }))
		do(h, "GET", path, "")
		testnet.Until(t, "the asset", func() bool { return e.library.get(path) != nil })
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		return rows(t, cache)
	}
	run("/long-ago.png")
	kept := run("/lately.png")
	if len(kept) != 2 {
		t.Fatalf("kept are %v", kept)
	}
	for _, a := range kept {
		if a["path"] == "/long-ago.png" {
			a["seen"] = time.Now().Add(-2 * unseen).Unix()
		}
	}
	keepRows(t, cache, kept)
	var paths []string
	for _, a := range run("/now.png") {
		paths = append(paths, a["path"].(string))
	}
	if slices.Sort(paths); !slices.Equal(paths, []string{"/lately.png", "/now.png"}) {
		t.Errorf("kept are %v", paths)
	}
}

// What could not be kept is kept when it can be again, also where nothing else has changed since.
func TestCacheThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir, cache := site(t, map[string][]byte{"a.png": random(1000)}), t.TempDir()
	e := start(t, Options{CacheDir: cache})
	h := serveFolder(t, e, dir)
	carried(t, h, "/a.png")
	if err := os.RemoveAll(cache); err != nil {
		t.Fatal(err)
	}
	if err := e.library.save(); err == nil {
		t.Fatal("hashes were kept where there is no folder")
	}
	if err := os.Mkdir(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := start(t, Options{CacheDir: cache}).library.known["/a.png"]; !ok {
		t.Error("the hashes are not there after a restart")
	}
}

func TestDamagedCache(t *testing.T) {
	cache := t.TempDir()
	kept := []any{asset{Path: "/a.png", Size: -1}, nil, asset{Path: "/b.png", Size: 5, Sums: []byte("AAA")}}
	for i, damage := range []func(*asset){
		func(a *asset) { a.SHA256 = a.SHA256[:3] }, func(a *asset) { a.Sums = a.Sums[:19] }, func(a *asset) { a.Hashes = a.Hashes[:19] },
	} {
		a, err := hashAll(asset{Path: fmt.Sprintf("/%d.png", i), Size: 5, Type: "image/png"}, strings.NewReader("image"))
		if err != nil {
			t.Fatal(err)
		}
		damage(a)
		kept = append(kept, a)
	}
	hashes, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"hashes.json": string(hashes), "figures.json": "{"} {
		if err := os.WriteFile(filepath.Join(cache, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e := start(t, Options{CacheDir: cache})
	if len(e.library.known) != 0 {
		t.Errorf("%d assets of a damaged cache", len(e.library.known))
	}
}
