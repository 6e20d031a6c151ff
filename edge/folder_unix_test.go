//go:build unix

package edge

import (
	"path/filepath"
	"syscall"
	"testing"
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
