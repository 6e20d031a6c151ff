package peer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// start runs a peer that uses TCP on loopback and nothing else.
func start(t testing.TB, change ...func(*Options)) *Peer {
	t.Helper()
	o := Options{DataDir: t.TempDir(), Listen: "127.0.0.1:0", TCP: true, tick: 20 * time.Millisecond, Log: slog.New(slog.NewTextHandler(said(t), &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// said is the test's output for as long as the test runs: the engine's DHT has words to say even after it was closed.
func said(t testing.TB) io.Writer {
	w := &output{to: t.Output()}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.to = io.Discard
	})
	return w
}

type output struct {
	mu sync.Mutex
	to io.Writer
}

func (w *output) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(b)
}

func soon(t testing.TB) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(stop)
	return ctx
}

// random bytes, the same for the same seed.
func random(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func share(t testing.TB, p *Peer, o ShareOptions) *Torrent {
	t.Helper()
	tt, err := p.Share(soon(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return tt
}

func add(t testing.TB, p *Peer, ref string, o AddOptions) *Torrent {
	t.Helper()
	tt, err := p.Add(soon(t), ref, o)
	if err != nil {
		t.Fatal(err)
	}
	return tt
}

func done(t testing.TB, tt *Torrent) {
	t.Helper()
	if err := tt.Done(soon(t)); err != nil {
		t.Fatalf("%v, with %+v", err, tt.Stats())
	}
}

func same(t testing.TB, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s has %d bytes, %x, want %d, %x", path, len(got), sha256.Sum256(got), len(want), sha256.Sum256(want))
	}
}

func TestOverTCP(t *testing.T) {
	for _, private := range []bool{false, true} {
		name := map[bool]string{false: "public", true: "private"}[private]
		t.Run(name, func(t *testing.T) {
			seeder, fetcher := start(t), start(t)
			from, to := t.TempDir(), t.TempDir()
			film, text := random(3<<20+7, 1), []byte("hello")
			write(t, filepath.Join(from, "box/a/film.mp4"), film)
			write(t, filepath.Join(from, "box/empty"), nil)
			write(t, filepath.Join(from, "box/text.txt"), text)
			shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(from, "box")}, Private: private})
			fetched := add(t, fetcher, shared.Link("example.org"), AddOptions{Dir: to, Peers: []string{seeder.Addr().String()}})

			if err := fetched.Ready(soon(t)); err != nil {
				t.Fatal(err)
			}
			if n := len(fetched.Files()); n != 3 || fetched.Name() != "box" {
				t.Errorf("%d files of %q, want 3 of box", n, fetched.Name())
			}
			r := fetched.Files()[0].NewReader(soon(t))
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, film) {
				t.Errorf("read %d bytes, %v, want %d", len(got), err, len(film))
			}
			_ = r.Close()
			done(t, fetched)
			same(t, filepath.Join(to, "box/a/film.mp4"), film)
			same(t, filepath.Join(to, "box/empty"), nil)
			same(t, filepath.Join(to, "box/text.txt"), text)
			if _, err := os.Stat(filepath.Join(to, ".starling")); !os.IsNotExist(err) {
				t.Errorf("the folder for parts is still there: %v", err)
			}
		})
	}
}
