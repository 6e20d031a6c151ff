//go:build unix

package edge

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/starling-p2p/starling/internal/testnet"
)

// What is no file is not waited for.
func TestPipeInFolder(t *testing.T) {
	dir := site(t, map[string][]byte{"a.png": random(100)})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.png"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := serveFolder(t, start(t, Options{}), dir)
	for target, want := range map[string]int{"/pipe.png": 404, "/a.png": 200, "/": 404} {
		if w := do(h, "GET", target, ""); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}

// A deploy may make the folder anew, or have a link lead to another one: what is in it then is served, and known.
func TestFolderInPlaceOfAnother(t *testing.T) {
	old, fresh := random(30_000), random(20_000)
	for name, c := range map[string]struct{ begin, deploy func(at string) error }{
		"made anew": {
			func(at string) error { return os.Rename(site(t, map[string][]byte{"a.png": old, "b.png": old}), at) },
			func(at string) error {
				if err := os.RemoveAll(at); err != nil {
					return err
				}
				return os.Rename(site(t, map[string][]byte{"a.png": fresh}), at)
			},
		},
		"a link": {
			func(at string) error { return os.Symlink(site(t, map[string][]byte{"a.png": old, "b.png": old}), at) },
			func(at string) error {
				if err := os.Symlink(site(t, map[string][]byte{"a.png": fresh}), at+".new"); err != nil {
					return err
				}
				return os.Rename(at+".new", at)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(t.TempDir(), "site")
			if err := c.begin(at); err != nil {
				t.Fatal(err)
			}
			h := serveFolder(t, start(t, Options{}), at)
			testnet.Until(t, "the assets", func() bool { return len(ask(t, h, "/a.png", "/b.png").Assets) == 2 })
			if err := c.deploy(at); err != nil {
				t.Fatal(err)
			}
			if w := do(h, "GET", "/a.png", ""); w.Code != 200 || !bytes.Equal(w.Body.Bytes(), fresh) {
				t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
			}
			testnet.Until(t, "what has gone to be forgotten", func() bool { return len(ask(t, h, "/b.png").Assets) == 0 })
			testnet.Until(t, "the new one", func() bool { return len(ask(t, h, "/a.png").Assets) == 1 })
			check(t, ask(t, h, "/a.png"), "/a.png", fresh)
		})
	}
}

// A link to a file of the site is that file; one that leads out of it, or nowhere, is nothing.
func TestLinksWithinFolder(t *testing.T) {
	data := random(20_000)
	dir := site(t, map[string][]byte{".store/1": data, "z.png": data})
	for name, to := range map[string]string{"a.png": ".store/1", "out.png": filepath.Join(site(t, map[string][]byte{"x": data}), "x"), "none.png": "gone"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	h := serveFolder(t, start(t, Options{}), dir)
	testnet.Until(t, "the file", func() bool { return len(ask(t, h, "/z.png").Assets) == 1 })
	check(t, ask(t, h, "/a.png"), "/a.png", data)
	for target, want := range map[string]int{"/a.png": 200, "/out.png": 404, "/none.png": 404} {
		if w := do(h, "GET", target, ""); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	if n := len(ask(t, h, "/out.png", "/none.png").Assets); n > 0 {
		t.Errorf("%d of those that lead nowhere are named", n)
	}
}
