package gate_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/gate"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := gate.NewLimiter(5)
		allowed := func(addr string, n int) (k int) {
			for range n {
				if l.Allow(netip.MustParseAddr(addr)) {
					k++
				}
			}
			return k
		}
		if n := allowed("192.0.2.1", 1000); n != 50 {
			t.Errorf("%d at once, want 50", n)
		}
		time.Sleep(2 * time.Second)
		if n := allowed("192.0.2.1", 1000); n != 10 {
			t.Errorf("%d after two seconds, want 10", n)
		}
		// A /64 is one, and others have nothing to do with it.
		if n := allowed("2001:db8::1", 30) + allowed("2001:db8::2", 1000); n != 50 {
			t.Errorf("%d from one /64, want 50", n)
		}
		for n := range 1000 {
			if a := fmt.Sprintf("198.51.%d.%d", n/250, n%250); allowed(a, 5) != 5 {
				t.Errorf("%s was refused for what others do", a)
			}
		}
		// Two thousand floods, and still only those are delayed who share both clocks with some of them.
		for n := range 2000 {
			allowed(fmt.Sprintf("198.18.%d.%d", n/250, n%250), 50)
		}
		delayed := 0
		for n := range 2000 {
			if allowed(fmt.Sprintf("203.0.%d.%d", n/250, n%250), 1) == 0 {
				delayed++
			}
		}
		if delayed > 30 { // two or so; were one clock enough, more than a hundred
			t.Errorf("%d of 2000 were refused for the floods of others", delayed)
		}
		if n := allowed("127.0.0.1", 1000); n != 1000 {
			t.Errorf("%d from this machine, want all", n)
		}
		if gate.NewLimiter(0).Allow(netip.MustParseAddr("192.0.2.1")) != true {
			t.Error("refused without a limit")
		}
	})
}

func TestLimiterDoesNotAllocate(t *testing.T) {
	l, a := gate.NewLimiter(1_000_000), netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() { l.Allow(a) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func hash(b byte) tracker.InfoHash { return tracker.InfoHash{b, 19: b} }

func line(b byte) string { return hash(b).String() + "\n" }

func write(t *testing.T, path, content string, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	when := time.Now().Add(-age)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}

func TestList(t *testing.T) {
	allow, deny := filepath.Join(t.TempDir(), "allow"), filepath.Join(t.TempDir(), "deny")
	write(t, allow, "# ours\n\n"+line(1)+strings.ToUpper(hash(0xab).String())+"  # a film\r\n"+line(2), 0)
	write(t, deny, line(2), 0)
	for _, c := range []struct {
		allow, deny string
		want        map[byte]bool
	}{
		{"", "", map[byte]bool{1: true, 2: true, 3: true, 0xab: true}},
		{allow, "", map[byte]bool{1: true, 2: true, 3: false, 0xab: true}},
		{"", deny, map[byte]bool{1: true, 2: false, 3: true, 0xab: true}},
		{allow, deny, map[byte]bool{1: true, 2: false, 3: false, 0xab: true}},
	} {
		l, err := gate.OpenList(c.allow, c.deny, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for b, want := range c.want {
			if got := l.Allow(hash(b)); got != want {
				t.Errorf("allow %q, deny %q: %x is %v, want %v", c.allow, c.deny, b, got, want)
			}
		}
	}
	for content, want := range map[string]string{
		line(1) + "123\n":                         "line 2 is not an infohash",
		strings.Repeat("x", 40):                   "line 1 is not an infohash",
		strings.Repeat("1", 38):                   "line 1 is not an infohash",
		strings.Repeat("1", 42):                   "line 1 is not an infohash",
		strings.Repeat("1", 100_000):              "line 1: ",
		hash(1).String() + " " + hash(2).String(): "line 1 is not an infohash",
	} {
		write(t, deny, content, 0)
		if _, err := gate.OpenList("", deny, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), deny) {
			t.Errorf("%.20q: %v, want %q", content, err, want)
		}
	}
	if _, err := gate.OpenList("missing", "", nil); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, allow := filepath.Join(t.TempDir(), "deny"), filepath.Join(t.TempDir(), "allow")
		write(t, path, line(1), time.Hour)
		write(t, allow, line(0)+line(1)+line(2)+line(3)+line(4), time.Hour)
		var log strings.Builder
		l, err := gate.OpenList(allow, path, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		hangup, changes, done := make(chan os.Signal), 0, make(chan struct{})
		go func() {
			l.Watch(ctx, hangup, func() { changes++ })
			close(done)
		}()
		later := func(wantChanges int, denied ...byte) {
			t.Helper()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if changes != wantChanges {
				t.Errorf("%d changes, want %d", changes, wantChanges)
			}
			for b := range byte(5) {
				if got, want := l.Allow(hash(b)), !strings.ContainsRune(string(denied), rune(b)); got != want {
					t.Errorf("%x is %v, want %v", b, got, want)
				}
			}
		}
		later(0, 1)
		write(t, path, line(1)+line(2), 50*time.Minute)
		later(1, 1, 2)
		write(t, path, line(1)+line(3), 40*time.Minute) // of the same length
		later(2, 1, 3)
		write(t, path, "garbage", 30*time.Minute)
		later(2, 1, 3)
		later(2, 1, 3)
		if n := strings.Count(log.String(), "line 1 is not an infohash"); n != 1 {
			t.Errorf("the log says %d times that the file is broken:\n%s", n, log.String())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		later(2, 1, 3)
		hangup <- os.Interrupt
		synctest.Wait()
		if !strings.Contains(log.String(), "no such file") {
			t.Errorf("asked to read a file that is missing, the log says\n%s", log.String())
		}
		write(t, path, line(4), 20*time.Minute)
		later(4, 4) // with the allow list, which was read when asked
		hangup <- os.Interrupt
		later(5, 4)
		write(t, allow, line(0)+line(1), 10*time.Minute)
		later(6, 2, 3, 4)
		stop()
		<-done
	})
}

func BenchmarkLimiter(b *testing.B) {
	l := gate.NewLimiter(50)
	b.RunParallel(func(p *testing.PB) {
		a := netip.MustParseAddr("192.0.2.1")
		for p.Next() {
			l.Allow(a)
			a = a.Next()
		}
	})
}

func TestUsers(t *testing.T) {
	dir := t.TempDir()
	secret, revoked := filepath.Join(dir, "secret"), filepath.Join(dir, "revoked")
	write(t, secret, "0123456789abcdef\n", 0)
	write(t, revoked, "# gone\nmallory # spammed\n", time.Hour)
	u, err := gate.OpenUsers(secret, revoked, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	path := func(user string) string {
		t.Helper()
		p, err := u.Path(user)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	alice := path("alice")
	for p, want := range map[string]error{
		alice + "/announce":           nil,
		alice + "/scrape":             nil,
		path("Bob_2-x") + "/announce": nil,
		alice:                         gate.ErrUser,
		path("mallory") + "/announce": gate.ErrUser,
		strings.Replace(alice, "alice", "bob", 1) + "/announce": gate.ErrUser,
		alice[:len(alice)-1] + "/announce":                      gate.ErrUser,
		alice + "x/announce":                                    gate.ErrUser,
		"/u/alice./announce":                                    gate.ErrUser,
		"/u/alice/announce":                                     gate.ErrUser,
		"/announce":                                             gate.ErrUser,
		"":                                                      gate.ErrUser,
		"/x" + alice + "/announce":                              gate.ErrUser,
	} {
		if err := u.Admit(p); err != want {
			t.Errorf("%s: %v, want %v", p, err, want)
		}
	}
	if got := u.Counts(); len(got) != 2 || got["alice"] != 2 || got["Bob_2-x"] != 1 {
		t.Errorf("counts %v", got)
	}
	if _, err := u.Path("no such/name"); err == nil {
		t.Error("a name with a slash")
	}
	if (*gate.Users)(nil).Admit("/announce") != nil {
		t.Error("a tracker for everybody refuses")
	}
	// A file of the revoked that is not understood revokes nobody, so a tracker does not start with it.
	broken := filepath.Join(dir, "broken")
	write(t, broken, "alice\nbob@example.org\n", 0)
	if _, err := gate.OpenUsers(secret, broken, nil); err == nil || !strings.Contains(err.Error(), "line 2 is not a user's name") {
		t.Errorf("a broken file of the revoked: %v", err)
	}
	if _, err := gate.OpenUsers(secret, filepath.Join(dir, "none"), nil); err == nil {
		t.Error("a missing file of the revoked")
	}
	// Another secret signs differently.
	write(t, secret, "fedcba9876543210", 0)
	if other, err := gate.OpenUsers(secret, "", nil); err != nil || other.Admit(alice+"/announce") != gate.ErrUser {
		t.Errorf("with another secret: %v", err)
	}
	write(t, secret, "short", 0)
	if _, err := gate.OpenUsers(secret, "", nil); err == nil || !strings.Contains(err.Error(), "openssl rand -hex 32") {
		t.Errorf("a short secret: %v", err)
	}
	if _, err := gate.OpenUsers("missing", "", nil); err == nil {
		t.Error("a missing secret")
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		done, told := make(chan struct{}), false
		go func() {
			u.Watch(ctx, nil, func() { told = true })
			close(done)
		}()
		write(t, revoked, "alice\n", 30*time.Minute)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !told || u.Admit(alice+"/announce") == nil || u.Serves(alice+"/announce") || u.Admit(path("mallory")+"/announce") != nil {
			t.Error("the file of the revoked was not read again")
		}
		stop()
		<-done
	})
}
