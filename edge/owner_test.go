package edge

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The figures are for the owner: with the key from anywhere, without it from this very machine alone, and not for what a
// proxy on it passes on, nor for pages whose name somebody else has lead here.
func TestOwner(t *testing.T) {
	cache := t.TempDir()
	e := start(t, Options{CacheDir: cache})
	for _, c := range []struct {
		from, host string
		header     []string
		want       int
	}{
		{"127.0.0.1:1", "localhost:8080", nil, 200},
		{"[::1]:1", "[::1]:8080", nil, 200},
		{"127.0.0.1:1", "evil.example", nil, 403},
		{"192.0.2.1:1", "localhost", nil, 403},
		{"127.0.0.1:1", "localhost", []string{"X-Forwarded-For", "127.0.0.1"}, 403},
		{"127.0.0.1:1", "localhost", []string{"Forwarded", "for=127.0.0.1"}, 403},
		{"127.0.0.1:1", "localhost", []string{"Connection", "upgrade"}, 403},
		{"192.0.2.1:1", "example.org", []string{"Authorization", "Bearer " + e.Key()}, 200},
		{"192.0.2.1:1", "example.org", []string{"Authorization", "Bearer " + e.Key() + "x"}, 403},
		{"192.0.2.1:1", "example.org", []string{"Authorization", "Bearer "}, 403},
	} {
		for _, path := range []string{"/.starling/figures.json", "/.starling/metrics"} {
			r := httptest.NewRequest("GET", path, nil)
			r.RemoteAddr, r.Host = c.from, c.host
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			w := httptest.NewRecorder()
			e.routes.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("%s from %s at %s with %q: %d, want %d", path, c.from, c.host, c.header, w.Code, c.want)
			}
			if figures := path == "/.starling/figures.json"; w.Body.Len() == 0 || figures && w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s from %s: %d bytes, %v", path, c.from, w.Body.Len(), w.Header())
			}
		}
	}
	r := httptest.NewRequest("GET", "https://localhost/.starling/figures.json", nil)
	r.RemoteAddr, r.TLS.ServerName = "127.0.0.1:1", "example.org"
	w := httptest.NewRecorder()
	if e.routes.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("through a proxy that passes TLS on: %d", w.Code)
	}
	info, err := os.Stat(filepath.Join(cache, "owner.key"))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
}

// A key that cannot be read is not replaced: the link that the owner has would be of no use.
func TestUnreadableKey(t *testing.T) {
	cache := t.TempDir()
	if err := os.Mkdir(filepath.Join(cache, "owner.key"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := newEdge(Options{CacheDir: cache}, built()); err == nil || !strings.Contains(err.Error(), "reading the owner's key") {
		t.Error(err)
	}
}
