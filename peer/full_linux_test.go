package peer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/starling-p2p/starling/internal/testnet"
)

// smallDisk is a folder with room for 3 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	small := t.TempDir()
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	return small
}

// A full disk pauses, says so, once, and goes on when there is room.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	small := smallDisk(t)
	ballast := write(t, filepath.Join(small, "ballast"), make([]byte, 2<<20))

	var log strings.Builder
	seeder, fetcher := start(t), start(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	data := random(2<<20, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}})
	fetched := add(t, fetcher, shared.Link("h"), AddOptions{Dir: filepath.Join(small, "to"), Peers: []string{seeder.Addr().String()}})
	testnet.Until(t, "it is said", func() bool { return fetched.Stats().Problem != nil })
	if err := fetched.Stats().Problem; !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("it says %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	done(t, fetched)
	same(t, filepath.Join(small, "to/a"), data)
	if err := fetched.Stats().Problem; err != nil {
		t.Errorf("it still says %v", err)
	}
	_ = fetcher.Close()
	// Who asks for Problem would show it twice.
	if strings.Contains(log.String(), "paused") {
		t.Errorf("the log warns too: %s", &log)
	}
}

// A disk that is full when the first peer begins leaves nothing that keeps later ones from it.
func TestDiskFullAtFirst(t *testing.T) {
	small := smallDisk(t)
	ballast := write(t, filepath.Join(small, "ballast"), make([]byte, 3<<20-12<<10))
	if p, err := New(Options{DataDir: filepath.Join(small, "data")}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v, %v", p, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{DataDir: filepath.Join(small, "data")})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
}

// What cannot be written for another reason than a full disk is said with that, and goes on like it.
func TestDiskReadOnly(t *testing.T) {
	small := smallDisk(t)
	seeder := start(t)
	data := random(1<<20, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), data)}})
	p := start(t)
	o := AddOptions{Dir: filepath.Join(small, "to"), Peers: []string{seeder.Addr().String()}, Lazy: true}
	fetched := add(t, p, shared.Link("h"), o)
	if err := fetched.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", small, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	o.Lazy = false
	add(t, p, shared.Link("h"), o)
	testnet.Until(t, "it is said", func() bool { return fetched.Stats().Problem != nil })
	if err := fetched.Stats().Problem; !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "let this program write there") {
		t.Errorf("it says %v", err)
	}
	if err := syscall.Mount("", small, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	done(t, fetched)
	same(t, filepath.Join(small, "to/a"), data)
}

// It is said what to do for each cause.
func TestUnsaved(t *testing.T) {
	for cause, want := range map[error]string{
		syscall.ENOSPC: "make room", syscall.EDQUOT: "make room", syscall.EACCES: "let this program write", syscall.EROFS: "let this program write",
		syscall.EFBIG: "files that large", syscall.ENAMETOOLONG: "shorter", syscall.EMFILE: "ulimit", syscall.ENOENT: "leave its folder",
		syscall.EIO: "sound", errors.New("odd"): "sound",
	} {
		err := &UnsavedError{Err: &os.PathError{Op: "write", Path: "a", Err: cause}}
		if said := err.Error(); !strings.HasPrefix(said, "what comes cannot be saved: write a: ") || !strings.Contains(said, want) || !errors.Is(err, cause) {
			t.Errorf("%v: %s", cause, said)
		}
	}
}

// Where there is no room to decrypt what has come, what was decrypted does not keep the disk full.
func TestNoRoomToDecrypt(t *testing.T) {
	small := smallDisk(t)
	seeder := start(t)
	data := random(2<<20, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), data)}, Private: true})
	fetched := add(t, start(t), shared.Link("h"), AddOptions{Dir: filepath.Join(small, "to"), Peers: []string{seeder.Addr().String()}})
	testnet.Until(t, "it is said", func() bool { return fetched.Stats().Problem != nil })
	if err := fetched.Stats().Problem; !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "all has come") {
		t.Errorf("it says %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(small, "to", partFolder, hexOf(shared.ih))); err != nil || len(left) != 1 {
		t.Errorf("there are %v, %v", left, err)
	}
	// It is tried again.
	if err := syscall.Mount("tmpfs", small, "tmpfs", syscall.MS_REMOUNT, "size=6m"); err != nil {
		t.Fatal(err)
	}
	done(t, fetched)
	if err := fetched.Stats().Problem; err != nil {
		t.Errorf("it still says %v", err)
	}
}

// What was shared and what has come leave nothing open.
func TestFilesAreClosed(t *testing.T) {
	for _, private := range []bool{false, true} {
		dir := t.TempDir()
		seeder, fetcher := start(t), start(t)
		for i := range 10 {
			write(t, filepath.Join(dir, "box", fmt.Sprint(i)), random(100_000, byte(i)))
		}
		shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(dir, "box")}, Private: private})
		fetched := add(t, fetcher, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}})
		done(t, fetched)
		_, _ = shared.Close(), fetched.Close()
		testnet.Until(t, "they are closed", func() bool {
			open, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				t.Fatal(err)
			}
			return !slices.ContainsFunc(open, func(fd os.DirEntry) bool {
				to, _ := os.Readlink("/proc/self/fd/" + fd.Name())
				return strings.HasPrefix(to, dir)
			})
		})
	}
}

// What is only read is not decrypted on disk besides, for which there may be no room.
func TestToRead(t *testing.T) {
	for _, private := range []bool{false, true} {
		into := filepath.Join(smallDisk(t), "to")
		seeder := start(t)
		data := random(2<<20, 1)
		shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), data)}, Private: private})
		fetched := add(t, start(t), shared.Link("h"), AddOptions{Dir: into, Peers: []string{seeder.Addr().String()}, Lazy: true, ToRead: true})
		if err := fetched.Ready(soon(t)); err != nil {
			t.Fatal(err)
		}
		r := fetched.Files()[0].NewReader(soon(t))
		got, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("private %v: read %d bytes, %v", private, len(got), err)
		}
		done(t, fetched)
		if err := fetched.Stats().Problem; err != nil {
			t.Errorf("private %v: %v", private, err)
		}
		if there, err := os.ReadDir(into); err != nil || len(there) != 1 || there[0].Name() != partFolder {
			t.Errorf("private %v: there are %v, %v", private, there, err)
		}
	}
}
