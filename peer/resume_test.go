package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/seal"
)

func TestInUse(t *testing.T) {
	p := start(t)
	o := p.o
	if _, err := New(o); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second peer on the same data folder: %v, want ErrInUse", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

// How long ago a folder was used is not how long ago that began.
func TestFolderInUseStaysYoung(t *testing.T) {
	still, _ := moving() // it costs less to look at
	p := start(t, still, func(o *Options) { o.tick = 100 * time.Microsecond })
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(p.o.DataDir, old, old); err != nil {
		t.Fatal(err)
	}
	testnet.Until(t, "it is as young as it is", func() bool {
		info, err := os.Stat(p.o.DataDir)
		return err == nil && time.Since(info.ModTime()) < time.Minute
	})
}

// Two that fetch the same to one folder would spoil it for both.
func TestBusy(t *testing.T) {
	seeder, dir := start(t), t.TempDir()
	data := random(1<<20, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}, Private: true})
	peers := []string{seeder.Addr().String()}
	into := t.TempDir()
	first := add(t, start(t), shared.Link(""), AddOptions{Dir: into, Name: "one", Lazy: true, Peers: peers})
	if err := first.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	second := AddOptions{Dir: into, Name: "two", Peers: peers}
	p := start(t)
	if err := add(t, p, shared.Link(""), second).Ready(soon(t)); !errors.Is(err, ErrBusy) {
		t.Fatalf("while another fetches it: %v, want ErrBusy", err)
	}
	_ = p.Close()
	_ = first.Close()
	done(t, add(t, start(t), shared.Link(""), second))
	same(t, filepath.Join(into, "two"), data)
}

// Anybody who knows an infohash can make a link to it with a wrong key: what is here stays whole, and open to the right one.
func TestLinksWithAWrongKey(t *testing.T) {
	seeder, data := start(t), random(1<<20, 1)
	path := write(t, filepath.Join(t.TempDir(), "a"), data)
	shared := share(t, seeder, ShareOptions{Paths: []string{path}, Private: true})
	right := shared.Link("")
	r, err := ParseRef(right)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(right, "."+r.Key.String(), "."+strings.Repeat("A", 22), 1)
	state, into := t.TempDir(), AddOptions{Dir: t.TempDir(), Peers: []string{seeder.Addr().String()}}
	in := func(o *Options) { o.DataDir = state }
	p := start(t, in)
	done(t, add(t, p, right, into))
	_ = p.Close()
	_ = seeder.Close()

	p = start(t, in)
	if _, err := p.Add(soon(t), wrong, into); !errors.Is(err, seal.ErrKey) {
		t.Errorf("%v, want ErrKey", err)
	}
	_ = p.Close()
	p = start(t, in)
	done(t, add(t, p, right, into))
	done(t, add(t, start(t), right, AddOptions{Dir: t.TempDir(), Peers: []string{p.Addr().String()}}))
}

func TestShareAgain(t *testing.T) {
	for _, private := range []bool{false, true} {
		dir, data := t.TempDir(), t.TempDir()
		path := write(t, filepath.Join(dir, "a"), random(1<<20, 1))
		in := func(o *Options) { o.DataDir = data }
		hashed := false
		o := ShareOptions{Paths: []string{path}, Private: private, Progress: func(int64, int64) { hashed = true }}

		p := start(t, in)
		link := share(t, p, o).Link("h")
		_ = p.Close()
		if !hashed {
			t.Error("it was not hashed at first")
		}
		hashed = false
		p = start(t, in)
		if again := share(t, p, o).Link("h"); again != link || hashed {
			t.Errorf("shared again it is %s, hashed %v, want %s, not hashed", again, hashed, link)
		}
		_ = p.Close()

		// As a copy that a backup gave back.
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		write(t, path, random(1<<20, 1))
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{true, false} { // it is hashed once
			hashed = false
			p = start(t, in)
			if again := share(t, p, o).Link("h"); again != link || hashed != want {
				t.Errorf("shared from a backup it is %s, hashed %v, want %s, %v", again, hashed, link, want)
			}
			_ = p.Close()
		}

		write(t, path, random(1<<20, 2))
		p = start(t, in)
		if other := share(t, p, o).Link("h"); other == link {
			t.Error("other bytes have the same link")
		}
		_ = p.Close()
	}
}

// A stick that is put in again has other numbers for its files, as FAT and exFAT keep none. They need not be read again.
func TestShareAgainUnderAnotherNumber(t *testing.T) {
	data := t.TempDir()
	in := func(o *Options) { o.DataDir = data }
	hashed := false
	o := ShareOptions{
		Paths:    []string{write(t, filepath.Join(t.TempDir(), "a"), random(1<<20, 1))},
		Progress: func(int64, int64) { hashed = true },
	}
	p := start(t, in)
	shared := share(t, p, o)
	link, ih := shared.Link("h"), shared.InfoHash()
	_ = shared.Close()
	noted := p.state.get(sharedProgressBucket, ih[:])
	for i := range 8 {
		noted[5+stampLength-1-i] ^= 0xff // the number comes last
	}
	if err := p.state.put(entry{sharedProgressBucket, ih[:], noted}); err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	hashed = false
	if again := share(t, start(t, in), o).Link("h"); again != link || hashed {
		t.Errorf("shared again it is %s, hashed %v, want %s, not hashed", again, hashed, link)
	}
}

// Of a folder that is shared anew whenever it has changed, what it was is not kept for ever: neither from one start of the
// program to the next, nor while it runs. What is open still is.
func TestStateOfWhatChangesStaysSmall(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	for i := range 300 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), random(10, byte(i)))
	}
	t.Run("across starts", func(t *testing.T) {
		staysSmall(t, dir, data, func() {
			p := start(t, func(o *Options) { o.DataDir = data })
			share(t, p, ShareOptions{Paths: []string{dir}, Private: true})
			_ = p.Close()
		})
	})
	t.Run("while it runs", func(t *testing.T) {
		data := t.TempDir()
		p := start(t, func(o *Options) { o.DataDir = data })
		other := write(t, filepath.Join(t.TempDir(), "a"), random(10, 1))
		first := share(t, p, ShareOptions{Paths: []string{other}})
		write(t, other, random(10, 2))
		var last *Torrent
		staysSmall(t, dir, data, func() {
			now := share(t, p, ShareOptions{Paths: []string{dir}, Private: true})
			if last != nil {
				_ = last.Close()
			}
			last = now
		})
		_ = share(t, p, ShareOptions{Paths: []string{other}}).Close()
		if first.TorrentFile() == nil {
			t.Error("of what is open its metadata is forgotten")
		}
	})
}

// staysSmall fails where what is known in that data folder grows with each change of dir.
func staysSmall(t *testing.T, dir, data string, share func()) {
	t.Helper()
	size := func(changes byte) int64 {
		t.Helper()
		for i := range changes {
			write(t, filepath.Join(dir, "0"), random(10+int(i), changes))
			share()
		}
		info, err := os.Stat(filepath.Join(data, "state.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	few := size(4)
	if many := size(20); many > 2*few {
		t.Errorf("%d bytes after 24 changes, %d after 4", many, few)
	}
}

// A file that is written to while it is hashed has no link: nobody could fetch what it names.
func TestShareOfWhatChanges(t *testing.T) {
	long := time.Now().Add(-time.Hour)
	for what, change := range map[string]func(path string) error{
		"touched": func(path string) error { return os.Chtimes(path, long, long) },
		"shorter": func(path string) error { return os.Truncate(path, 1000) },
	} {
		for _, private := range []bool{false, true} {
			p := start(t)
			data := random(1<<20, 1)
			path := write(t, filepath.Join(t.TempDir(), "a"), data)
			_, err := p.Share(soon(t), ShareOptions{Paths: []string{path}, Private: private, Progress: func(int64, int64) {
				if err := change(path); err != nil {
					t.Error(err)
				}
			}})
			if err == nil || !strings.Contains(err.Error(), path+" changed while it was read") || len(p.Torrents()) != 0 {
				t.Errorf("%s, private=%v: %v, and %d torrents", what, private, err, len(p.Torrents()))
			}
		}
	}
	path := write(t, filepath.Join(t.TempDir(), "a"), random(10, 1))
	if _, err := start(t).Share(soon(t), ShareOptions{Paths: []string{path}, Private: true, WebSeeds: []string{"https://example.org/"}}); err == nil {
		t.Error("a web seed of sealed files is taken")
	}
}

// What somebody has left in the folder for parts does not come to lie among the files.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	write(t, filepath.Join(dir, "box/a"), random(1<<20, 1))
	write(t, filepath.Join(dir, "box/b"), random(10, 2))
	shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(dir, "box")}, Private: true})
	to := filepath.Join(dir, "to")
	part := filepath.Join(to, partFolder, hexOf(shared.ih), filesFolder, "box")
	write(t, filepath.Join(part, "a"), random(2<<20, 3))
	write(t, filepath.Join(part, "more"), random(10, 4))
	done(t, add(t, start(t), shared.Link("h"), AddOptions{Dir: to, Peers: []string{seeder.Addr().String()}}))
	same(t, filepath.Join(to, "box/a"), random(1<<20, 1))
	if all, err := os.ReadDir(filepath.Join(to, "box")); err != nil || len(all) != 2 {
		t.Errorf("there are %v, %v", all, err)
	}
}

// partly is a torrent of whose first file a megabyte has come.
func partly(t *testing.T, p *Peer, link string, o AddOptions) *Torrent {
	t.Helper()
	tt := add(t, p, link, o)
	if err := tt.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	r := tt.Files()[0].NewReader(soon(t))
	defer func() { _ = r.Close() }()
	if _, err := io.ReadFull(r, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return tt
}

// What has come in part, and was changed while nobody looked, is not believed.
func TestSpoiledPart(t *testing.T) {
	for _, private := range []bool{false, true} {
		dir := t.TempDir()
		seeder := start(t)
		data := random(4<<20, 1)
		shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}, Private: private})
		in := func(o *Options) { o.DataDir = filepath.Join(dir, "state") }
		o := AddOptions{Dir: filepath.Join(dir, "to"), Lazy: true, Peers: []string{seeder.Addr().String()}}
		p := start(t, in)
		tt := partly(t, p, shared.Link("h"), o)
		_ = p.Close()

		part := filepath.Join(o.Dir, partFolder, hexOf(shared.ih), filesFolder, "a")
		if private {
			part = filepath.Join(o.Dir, partFolder, hexOf(shared.ih), containerName)
		}
		f, err := os.OpenFile(part, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, 1000), 500_000); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()

		p = start(t, in)
		o.Lazy = false
		tt = add(t, p, shared.Link("h"), o)
		done(t, tt)
		same(t, filepath.Join(dir, "to/a"), data)
		// But what is right of it is not fetched again.
		if got := tt.Stats().Downloaded; got > int64(len(data))-1<<19 {
			t.Errorf("%d bytes were fetched, of %d", got, len(data))
		}
	}
}

// What has come in part, and was removed while it is fetched, is fetched again: at once, or by the next process.
func TestPartTakenAway(t *testing.T) {
	for how, take := range map[string]func(folder, file string) error{
		"alone":           func(_, file string) error { return os.Remove(file) },
		"with its folder": func(folder, _ string) error { return os.RemoveAll(folder) },
	} {
		for _, private := range []bool{false, true} {
			for _, again := range []bool{false, true} {
				if how != "alone" && !again {
					continue // there is nowhere to fetch it to
				}
				t.Run(fmt.Sprintf("%s, private %t, again %t", how, private, again), func(t *testing.T) {
					dir := t.TempDir()
					seeder := start(t)
					data := random(4<<20, 1)
					write(t, filepath.Join(dir, "box/a"), data)
					write(t, filepath.Join(dir, "box/b"), data[:100])
					shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(dir, "box")}, Private: private})
					in := func(o *Options) { o.DataDir = filepath.Join(dir, "state") }
					o := AddOptions{Dir: filepath.Join(dir, "to"), Lazy: true, Peers: []string{seeder.Addr().String()}}
					p := start(t, in)
					partly(t, p, shared.Link("h"), o)
					folder := filepath.Join(o.Dir, partFolder)
					file := filepath.Join(folder, hexOf(shared.ih), filesFolder, "box/a")
					if private {
						file = filepath.Join(folder, hexOf(shared.ih), containerName)
					}
					if err := take(folder, file); err != nil {
						t.Fatal(err)
					}
					if again {
						_ = p.Close()
						p = start(t, in)
					}
					o.Lazy = false
					done(t, add(t, p, shared.Link("h"), o))
					same(t, filepath.Join(dir, "to/box/a"), data)
					same(t, filepath.Join(dir, "to/box/b"), data[:100])
				})
			}
		}
	}
}

// What was fetched to one place is not taken for what is to be fetched to another, or under another name.
func TestToAnotherPlace(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	data := random(1<<18, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}})
	for _, o := range []AddOptions{{Dir: filepath.Join(dir, "one")}, {Dir: filepath.Join(dir, "two")}, {Dir: filepath.Join(dir, "two"), Name: "b"}} {
		o.Peers = []string{seeder.Addr().String()}
		p := start(t, func(o *Options) { o.DataDir = filepath.Join(dir, "state") })
		tt := add(t, p, shared.Link("h"), o)
		done(t, tt)
		want := filepath.Join(o.Dir, "a")
		if o.Name != "" {
			want = filepath.Join(o.Dir, o.Name)
		}
		if tt.Root() != want {
			t.Errorf("it lies at %s, want %s", tt.Root(), want)
		}
		same(t, want, data)
		_ = p.Close()
	}
}

// Keys lie in the data folder, for nobody else to read; and a torrent with a key is not the one without.
func TestKeysAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	p := start(t, func(o *Options) { o.DataDir = dir })
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "state.db"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %o", path, info.Mode(), err, want)
		}
	}
	hash := strings.Repeat("ab", 20)
	tt := add(t, p, hash+"."+seal.NewKey().String()+"&ws=https%3A%2F%2Fw.example%2Fa", AddOptions{WebSeeds: []string{"https://w.example/b"}})
	if strings.Contains(tt.Link("h"), "w.example") {
		t.Errorf("a web seed of sealed bytes: %s", tt.Link("h"))
	}
	if _, err := p.Add(t.Context(), hash, AddOptions{}); err == nil {
		t.Error("without its key it is taken for the same")
	}
}

// A link with another key opens nothing, also where the files lie there already; what it would make of them is no piece of
// the torrent.
func TestAnotherKey(t *testing.T) {
	dir := t.TempDir()
	seeder, p := start(t), start(t)
	data := random(1<<18, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}, Private: true})
	o := AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}}
	right := shared.Link("h")
	wrong := strings.Replace(right, shared.key.String(), seal.NewKey().String(), 1)
	fetched := add(t, p, right, o)
	done(t, fetched)
	if _, err := p.Add(t.Context(), wrong, o); err == nil {
		t.Error("while it is open, a link with another key is taken for the same")
	}
	_ = fetched.Close()
	if _, err := p.Add(t.Context(), wrong, o); !errors.Is(err, seal.ErrKey) {
		t.Errorf("another key: %v, want ErrKey", err)
	}
	again := add(t, p, right, o)
	done(t, again)
	if want := filepath.Join(o.Dir, "a"); again.Root() != want {
		t.Errorf("it lies at %s, want %s", again.Root(), want)
	}
	same(t, again.Root(), data)
}

// Nobody waits for what is hashed when the peer is closed, and an error says that it was.
func TestShareWhileClosed(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a"), random(32<<20, 1))
	p := start(t)
	var once sync.Once
	var hashed, all int64
	_, err := p.Share(soon(t), ShareOptions{Paths: []string{path}, Progress: func(done, of int64) {
		once.Do(func() { _ = p.Close() })
		hashed, all = done, of
	}})
	if !errors.Is(err, ErrClosed) || hashed == all {
		t.Errorf("%d of %d bytes are hashed, and the error is %v, want ErrClosed", hashed, all, err)
	}
	if _, err := p.Share(soon(t), ShareOptions{Paths: []string{path}}); !errors.Is(err, ErrClosed) {
		t.Errorf("once it is closed: %v, want ErrClosed", err)
	}
}

// Whatever comes to have the name at the last moment is not written over.
func TestRenameNew(t *testing.T) {
	dir := t.TempDir()
	from := write(t, filepath.Join(dir, "from"), []byte("from"))
	to := write(t, filepath.Join(dir, "to"), []byte("to"))
	if err := renameNew(from, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("%v, want %v", err, os.ErrExist)
	}
	same(t, to, []byte("to"))
	if err := renameNew(from, filepath.Join(dir, "new")); err != nil {
		t.Error(err)
	}
}

// What was fetched is seeded by the next process, from where it lies.
func TestFetchedIsSeeded(t *testing.T) {
	for _, private := range []bool{false, true} {
		dir, data := t.TempDir(), t.TempDir()
		seeder := start(t)
		write(t, filepath.Join(dir, "box/a"), random(1<<20, 1))
		write(t, filepath.Join(dir, "box/b"), random(1<<10, 2))
		shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(dir, "box")}, Private: private})
		link := shared.Link("h")
		in := func(o *Options) { o.DataDir = data }
		to := filepath.Join(dir, "to")

		p := start(t, in)
		done(t, add(t, p, link, AddOptions{Dir: to, Peers: []string{seeder.Addr().String()}}))
		_ = p.Close()
		_ = seeder.Close()

		p = start(t, in)
		for range cap(p.hashes) { // it need not be hashed again
			p.hashes <- struct{}{}
		}
		tt := add(t, p, link, AddOptions{Dir: to})
		done(t, tt)
		third := start(t)
		done(t, add(t, third, link, AddOptions{Dir: filepath.Join(dir, "third"), Peers: []string{p.Addr().String()}}))
		same(t, filepath.Join(dir, "third/box/a"), random(1<<20, 1))
		if private && tt.Root() != filepath.Join(to, "box") {
			t.Errorf("it lies in %s", tt.Root())
		}
	}
}

// Where older progress was written down than what there is, the next process hashes the rest, and seeds all of it.
func TestOldProgress(t *testing.T) {
	for _, private := range []bool{false, true} {
		dir := t.TempDir()
		seeder, third := start(t), start(t)
		data := random(1<<20, 1)
		shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}, Private: private})
		link := shared.Link("h")
		in := func(o *Options) { o.DataDir = filepath.Join(dir, "state") }
		o := AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}}
		p := start(t, in)
		tt := add(t, p, link, o)
		done(t, tt)
		kept, ok := parseProgress(p.state.get(progressBucket, tt.ih[:]), 1, tt.pieces())
		if !ok {
			t.Fatal("no progress is written down")
		}
		kept.done.clear(3)
		if err := p.state.put(entry{progressBucket, tt.ih[:], kept.encode()}); err != nil {
			t.Fatal(err)
		}
		_ = p.Close()

		p = start(t, in)
		done(t, add(t, p, link, AddOptions{Dir: o.Dir}))
		got := add(t, third, link, AddOptions{Dir: filepath.Join(dir, "third"), Peers: []string{p.Addr().String()}})
		done(t, got)
		same(t, got.Root(), data)
	}
}

// What looks other than it did is hashed before it is believed; who waits sees how far that is.
func TestTouched(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run(fmt.Sprintf("private=%v", private), func(t *testing.T) {
			dir := t.TempDir()
			seeder := start(t)
			data := random(1<<20, 1)
			shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}, Private: private})
			in := func(o *Options) { o.DataDir = filepath.Join(dir, "state") }
			o := AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}}
			p := start(t, in)
			done(t, add(t, p, shared.Link("h"), o))
			_ = p.Close()

			path := filepath.Join(dir, "to/a")
			long := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
			p = start(t, in)
			for range cap(p.hashes) {
				p.hashes <- struct{}{}
			}
			tt := add(t, p, shared.Link("h"), o)
			testnet.Until(t, "it says how much there is to hash", func() bool { return tt.Stats().Bytes > 0 })
			if s := tt.Stats(); s.Bytes < int64(len(data)) || s.BytesDone != 0 {
				t.Errorf("%d of %d bytes, when none were hashed", s.BytesDone, s.Bytes)
			}
			for range cap(p.hashes) {
				<-p.hashes
			}
			done(t, tt)
			if got := tt.Stats(); got.BytesDone != got.Bytes || got.Downloaded > 0 || tt.Root() != path {
				t.Errorf("it lies at %s, with %+v", tt.Root(), got)
			}
			_ = p.Close()

			// Other contents of the same size stay as they are.
			other := random(1<<20, 2)
			write(t, path, other)
			p = start(t, in)
			tt = add(t, p, shared.Link("h"), o)
			done(t, tt)
			same(t, path, other)
			same(t, filepath.Join(dir, "to/a (2)"), data)
			_ = p.Close()
		})
	}
}

// A process that is killed at any moment leaves nothing that is taken for verified and is not.
func TestKilled(t *testing.T) {
	if args := os.Getenv("STARLING_TEST_FETCH"); args != "" {
		fetchUntilKilled(t, strings.Split(args, "\n"))
		return
	}
	for _, private := range []bool{false, true} {
		dir := t.TempDir()
		seeder := start(t, func(o *Options) { o.UploadLimit = 20 << 20 })
		data := random(12<<20, 1)
		path := write(t, filepath.Join(dir, "box/a"), data)
		write(t, filepath.Join(dir, "box/b"), random(1<<20, 2))
		shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Dir(path)}, Private: private})
		link, state, to := shared.Link("h"), filepath.Join(dir, "state"), filepath.Join(dir, "to")

		kills := 0
		for ; kills < 40; kills++ {
			c := exec.Command(os.Args[0], "-test.run=^TestKilled$")
			c.Env = append(os.Environ(), "STARLING_TEST_FETCH="+strings.Join([]string{state, to, link, seeder.Addr().String()}, "\n"))
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			finished := false
			deadline := time.AfterFunc(time.Duration(20+13*kills+kills*kills)*time.Millisecond, func() { _ = c.Process.Kill() })
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if lines.Text() == "done" {
					finished = true
					_ = c.Process.Kill()
				}
			}
			deadline.Stop()
			_ = c.Wait()
			checkClaims(t, state, to, link, private)
			if finished {
				break
			}
		}
		t.Logf("killed %d times", kills)
		same(t, filepath.Join(to, "box/a"), data)
	}
}

// A process that is killed when the files have just got their names, before or after that is written down, leaves nothing
// to be fetched again, and nothing that nobody needs.
func TestKilledWhenNamed(t *testing.T) {
	for i := range 4 {
		private, written := i&1 != 0, i&2 != 0
		t.Run(fmt.Sprintf("private=%v, written=%v", private, written), func(t *testing.T) {
			dir := t.TempDir()
			seeder := start(t)
			data := random(1<<20, 1)
			path := write(t, filepath.Join(dir, "box/a"), data)
			write(t, filepath.Join(dir, "box/b"), random(1<<10, 2))
			shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Dir(path)}, Private: private})
			in := func(o *Options) { o.DataDir = filepath.Join(dir, "state") }
			to := filepath.Join(dir, "to")

			p := start(t, in)
			tt := add(t, p, shared.Link("h"), AddOptions{Dir: to, Peers: []string{seeder.Addr().String()}})
			done(t, tt)
			_ = p.Close()
			_ = seeder.Close()

			// As it is at that moment.
			r := tt.record
			r.Placed = written
			s, err := openState(filepath.Join(dir, "state"))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.put(recordEntry(addedBucket, tt.ih, &r)); err != nil {
				t.Fatal(err)
			}
			_ = s.close()
			left := write(t, filepath.Join(tt.partDir(&r), containerName), make([]byte, 1000))

			tt = add(t, start(t, in), shared.Link("h"), AddOptions{Dir: to})
			done(t, tt)
			same(t, filepath.Join(tt.Root(), "a"), data)
			if tt.Root() != filepath.Join(to, "box") {
				t.Errorf("it lies in %s", tt.Root())
			}
			if _, err := os.Stat(left); err == nil {
				t.Errorf("%s is still there", left)
			}
		})
	}
}

func fetchUntilKilled(t *testing.T, args []string) {
	p, err := New(Options{DataDir: args[0], Listen: "127.0.0.1:0", TCP: true})
	if err != nil {
		t.Fatal(err)
	}
	tt, err := p.Add(t.Context(), args[2], AddOptions{Dir: args[1], Peers: []string{args[3]}})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range time.Tick(5 * time.Millisecond) {
			tt.flush(false)
		}
	}()
	if err := tt.Done(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("done")
	select {}
}

// checkClaims hashes what a peer would take for verified.
func checkClaims(t *testing.T, state, to, link string, private bool) {
	t.Helper()
	p, err := New(Options{DataDir: state}) // without any way to others
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	r, err := ParseRef(link)
	if err != nil {
		t.Fatal(err)
	}
	info := p.state.get(infoBucket, r.InfoHash[:])
	if info == nil {
		return
	}
	m, err := parseInfo(info)
	if err != nil {
		t.Fatal(err)
	}
	was := p.state.record(addedBucket, r.InfoHash)
	tt := p.newTorrent(r.InfoHash, addedBucket, *was)
	if err := tt.understand(info); err != nil {
		t.Fatal(err)
	}
	s := tt.data()
	good, err := p.verify(t.Context(), s.from, m, info, allOf(m.pieces))
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.pieces {
		if has, _ := s.has(i, i+1); has && !good.has(i) {
			t.Errorf("piece %d is taken for verified and is not", i)
		}
	}
	tt.end()
}
