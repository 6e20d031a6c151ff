package peer

import (
	"path/filepath"
	"testing"
)

// What has no bytes travels in a private container. A plain torrent of it has no pieces, and nobody would ever get it.
func TestNothingButNames(t *testing.T) {
	for _, names := range [][]string{{"a"}, {"a/b", "a/c/d"}} {
		dir := t.TempDir()
		for _, name := range names {
			write(t, filepath.Join(dir, name), nil)
		}
		seeder := start(t)
		o := ShareOptions{Paths: []string{filepath.Join(dir, "a")}}
		if shared, err := seeder.Share(soon(t), o); err == nil {
			t.Errorf("%q has a link: %s", names, shared.Link("h"))
		}
		o.Private = true
		done(t, add(t, start(t), share(t, seeder, o).Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}}))
		for _, name := range names {
			same(t, filepath.Join(dir, "to", name), nil)
		}
	}
}
