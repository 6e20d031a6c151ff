package peer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where no other name will do and something has it meanwhile, that is said, and what has come is kept for when it is free.
func TestNameTakenMeanwhile(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run(map[bool]string{false: "public", true: "private"}[private], func(t *testing.T) {
			dir := t.TempDir()
			b := random(3_000_000, 3)
			seeder := start(t)
			shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), b)}, Private: private})
			in := func(o *Options) { o.DataDir = filepath.Join(dir, "state") }
			name := filepath.Join(dir, "to", "b")
			o := AddOptions{Dir: filepath.Dir(name), Name: "b", Exact: true, Peers: []string{seeder.Addr().String()}}
			taken := func(err error) {
				t.Helper()
				if !errors.Is(err, ErrTaken) {
					t.Errorf("taken: %v", err)
				}
				same(t, name, []byte("other"))
				if all, _ := os.ReadDir(filepath.Dir(name)); len(all) != 2 || all[0].Name() != partFolder {
					t.Errorf("there are %v", all)
				}
			}

			// While it comes.
			p := start(t, in)
			begun := o
			begun.Lazy = true
			tt := add(t, p, shared.Link(""), begun)
			if err := tt.Ready(soon(t)); err != nil {
				t.Fatal(err)
			}
			write(t, name, []byte("other"))
			taken(add(t, p, shared.Link(""), o).Done(soon(t)))
			_ = p.Close()

			// Between two processes.
			p = start(t, in)
			taken(add(t, p, shared.Link(""), o).Ready(soon(t)))
			_ = p.Close()
			_ = os.Remove(name)
			p = start(t, in)
			tt = add(t, p, shared.Link(""), o)
			done(t, tt)
			same(t, name, b)
			if got := tt.Stats().Downloaded; got > 0 {
				t.Errorf("%d bytes were fetched again", got)
			}
			_ = p.Close()

			// When it was there.
			write(t, name, []byte("else"))
			p = start(t, in)
			if err := add(t, p, shared.Link(""), o).Ready(soon(t)); !errors.Is(err, ErrTaken) {
				t.Errorf("changed: %v", err)
			}
			same(t, name, []byte("else"))
		})
	}
}

// Files that lie in their place already are verified, and not fetched again. Which those of a private torrent are is
// known when something of it has come.
func TestFilesInPlace(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run(map[bool]string{false: "public", true: "private"}[private], func(t *testing.T) {
			const name = "folder 2.1" // what is behind the dot is no ending
			from := t.TempDir()
			b := random(3_000_000, 3)
			write(t, filepath.Join(from, "a", "film.bin"), b)
			write(t, filepath.Join(from, "empty"), nil)
			seeder := start(t)
			shared := share(t, seeder, ShareOptions{Paths: []string{from}, Name: name, Private: private})
			peers := []string{seeder.Addr().String()}

			into := t.TempDir()
			here := write(t, filepath.Join(into, name, "a", "film.bin"), b)
			write(t, filepath.Join(into, name, "empty"), nil)
			p := start(t)
			tt := add(t, p, shared.Link(""), AddOptions{Dir: into, Exact: true, Peers: peers})
			done(t, tt)
			if tt.Root() != filepath.Join(into, name) {
				t.Errorf("it lies at %s", tt.Root())
			}
			if got := tt.Stats().Downloaded; got > 0 && !private {
				t.Errorf("%d bytes were fetched", got)
			}
			if all, _ := os.ReadDir(into); len(all) != 1 {
				t.Errorf("there is more: %v", all)
			}
			// It is one to fetch from.
			other, there := start(t), t.TempDir()
			_ = seeder.Close()
			done(t, add(t, other, shared.Link(""), AddOptions{Dir: there, Peers: []string{p.Addr().String()}}))
			same(t, filepath.Join(there, name, "a", "film.bin"), b)
			same(t, filepath.Join(there, name, "empty"), nil)

			// Of other contents, it is not the torrent's.
			b[2_999_999]++
			write(t, here, b)
			again := start(t)
			if err := add(t, again, shared.Link(""), AddOptions{Dir: into, Name: name, Exact: true, Peers: []string{other.Addr().String()}}).Ready(soon(t)); !errors.Is(err, ErrTaken) {
				t.Errorf("taken: %v", err)
			}
			same(t, here, b)
			// Nor is one that goes on behind its end.
			b[2_999_999]--
			write(t, here, append(bytes.Clone(b), "more"...))
			if err := add(t, start(t), shared.Link(""), AddOptions{Dir: into, Name: name, Exact: true, Peers: []string{other.Addr().String()}}).Ready(soon(t)); !errors.Is(err, ErrTaken) {
				t.Errorf("longer: %v", err)
			}
			beside := add(t, start(t), shared.Link(""), AddOptions{Dir: into, Peers: []string{other.Addr().String()}})
			done(t, beside)
			if beside.Root() != filepath.Join(into, name+" (2)") {
				t.Errorf("it lies at %s", beside.Root())
			}
		})
	}
}

// File systems that encrypt names take shorter ones: eCryptfs, which some NAS and homes are on, 143 bytes.
func TestShortNames(t *testing.T) {
	long := func(end string) string { return strings.Repeat("long ", 40) + end }
	for name, paths := range map[string][]string{"a file": {long("1.mp4")}, "a folder": {"box/" + long("1.mp4"), "box/" + long("2.mp4")}} {
		for _, private := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, private=%v", name, private), func(t *testing.T) {
				from, to := t.TempDir(), t.TempDir()
				for i, path := range paths {
					write(t, filepath.Join(from, path), random(100_000, byte(i)))
				}
				seeder := start(t)
				top, _, _ := strings.Cut(paths[0], "/")
				shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(from, top)}, Private: private})
				fetcher := start(t, func(o *Options) { o.namelen = func(string) int { return 143 } })
				done(t, add(t, fetcher, shared.Link(""), AddOptions{Dir: to, Peers: []string{seeder.Addr().String()}}))
				files := 0
				err := filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
					if len(filepath.Base(path)) > 143 && path != to {
						t.Errorf("%s is too long", path)
					}
					if err == nil && !d.IsDir() {
						files++
					}
					return err
				})
				if err != nil || files != len(paths) {
					t.Errorf("%d files, %v", files, err)
				}
			})
		}
	}
}
