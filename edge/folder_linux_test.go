package edge

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// Builds that can be made again give all files one time: what is as long as before, and something else, is seen all the same.
func TestSameSizeAndTime(t *testing.T) {
	old, fresh := random(30_000), random(30_000)
	always := time.Unix(1, 0)
	build := func(path string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, always, always); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.png"), filepath.Join(dir, "b.png")
	build(a, old)
	build(b, old)
	h := serveFolder(t, start(t, Options{}), dir)
	testnet.Until(t, "the assets", func() bool { return len(ask(t, h, "/a.png", "/b.png").Assets) == 2 })
	before := ask(t, h, "/a.png", "/b.png").Assets

	build(a, fresh) // in its place, and by another one
	build(b+".new", fresh)
	if err := os.Rename(b+".new", b); err != nil {
		t.Fatal(err)
	}
	for path, asset := range before {
		if w := do(h, "GET", path, "", "If-None-Match", asset.ETag); w.Code != 200 || !bytes.Equal(w.Body.Bytes(), fresh) {
			t.Errorf("%s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
		testnet.Until(t, "the change", func() bool {
			now := ask(t, h, path)
			return now.Assets[path] != nil && now.Assets[path].SHA256 != asset.SHA256
		})
		check(t, ask(t, h, path), path, fresh)
	}
}

// Whatever is asked for, no file stays open behind it.
func TestFilesAreClosed(t *testing.T) {
	dir := site(t, map[string][]byte{
		"404.html": []byte("none"), "a.png": random(100), "in/index.html": []byte("in"), "empty/x.txt": nil, "odd/index.html/x.txt": nil,
	})
	open := func() (names []string) {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range all {
			if name, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && (name == dir || strings.HasPrefix(name, dir+string(filepath.Separator))) {
				names = append(names, name)
			}
		}
		return names
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it would close what was forgotten
	e := start(t, Options{})
	h := serveFolder(t, e, dir)
	carried(t, h, "/a.png")
	for range 20 {
		for target, want := range map[string]int{
			"/a.png": 200, "/a.png/": 404, "/in": 301, "/in/": 200, "/empty": 301, "/empty/": 404, "/odd/": 404, "/none": 404, "/.hidden": 404,
		} {
			if w := do(h, "GET", target, ""); w.Code != want {
				t.Errorf("%s: %d, want %d", target, w.Code, want)
			}
		}
	}
	// The folder itself is open, and at times once more for a look at it.
	testnet.Until(t, "files to be closed", func() bool { return len(open()) == 1 })
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if left := open(); len(left) > 0 {
		t.Errorf("open at the end: %q", left)
	}
}
