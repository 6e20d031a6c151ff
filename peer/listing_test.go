package peer

import (
	"path/filepath"
	"testing"
)

// What a file is, its name says, and not the tables of the system that it is shared from: pages and players go by that.
func TestTypes(t *testing.T) {
	dir := t.TempDir()
	want := map[string]string{"a.webm": "video/webm", "a.wav": "audio/wav", "a.weba": "audio/webm", "a.mp4": "video/mp4", "a.MKV": "video/x-matroska", "a.md": "text/markdown", "a": ""}
	for name := range want {
		write(t, filepath.Join(dir, "all", name), []byte(name))
	}
	p := start(t)
	for _, private := range []bool{false, true} {
		for _, f := range share(t, p, ShareOptions{Paths: []string{filepath.Join(dir, "all")}, Private: private}).Files() {
			if f.Type != want[f.Path] {
				t.Errorf("%s, private %t: %q", f.Path, private, f.Type)
			}
		}
	}
}
