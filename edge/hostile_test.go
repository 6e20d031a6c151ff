package edge

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// Who says what they have to say too slowly is not waited for.
func TestSlowBodies(t *testing.T) {
	for _, route := range []string{"lookup", "beacon"} {
		synctest.Test(t, func(t *testing.T) {
			e := start(t, Options{})
			server, network := &http.Server{Handler: e.routes}, testnet.NewPipes()
			go func() { _ = server.Serve(network) }() // until it is closed
			conn := network.Dial(t, "192.0.2.1")
			began := time.Now()
			if _, err := fmt.Fprintf(conn, "POST /.starling/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{", route); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, conn)
			if took := time.Since(began); took > bodyTime+5*time.Second {
				t.Errorf("%s: it took %s", route, took)
			}
			_, _ = conn.Close(), server.Close()
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A page whose name leads to this machine is not its owner's, though the owner's browser shows it.
func TestNamesOfStrangers(t *testing.T) {
	h := start(t, Options{}).mount(http.NotFoundHandler())
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1": 200, "[::1]:80": 200, "site.localhost": 200,
		"evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:8080": 403, "": 403, "192.0.2.1": 403,
	} {
		r := httptest.NewRequest("GET", "/.starling/figures.json", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:1234", host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}

// Where a folder's address lacks its slash, the browser is led to the same folder, whatever that is called, and to none
// elsewhere.
func TestFoldersWithoutTheirSlash(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("these are no names there")
	}
	files := map[string][]byte{}
	names := []string{"plain", "what?", "100%", "a:b", "#", `\evil.example`, "x y/100%", "é"}
	for _, name := range names {
		files[name+"/index.html"] = []byte(name)
	}
	h := serveFolder(t, start(t, Options{}), site(t, files))
	for _, name := range names {
		for _, query := range []string{"", "?a=1"} {
			target := (&url.URL{Path: "/" + name}).EscapedPath() + query
			w := do(h, "GET", target, "")
			to, err := url.Parse("http://x" + target)
			if err == nil {
				to, err = to.Parse(w.Header().Get("Location"))
			}
			if w.Code != 301 || err != nil || to.Host != "x" || "?"+to.RawQuery != "?"+strings.TrimPrefix(query, "?") {
				t.Errorf("%s: %d, to %q", target, w.Code, w.Header().Get("Location"))
				continue
			}
			if w := do(h, "GET", to.RequestURI(), ""); w.Code != 200 || w.Body.String() != name {
				t.Errorf("%s leads to %q: %d %q", target, to, w.Code, w.Body)
			}
		}
	}
}

func TestCacheWithinTheSite(t *testing.T) {
	dir := t.TempDir()
	for cache, want := range map[string]bool{"": false, "cache": false, "a/b": false, ".cache": true, "a/.b/c": true, "../elsewhere": true} {
		e := start(t, Options{CacheDir: filepath.Join(dir, cache)})
		if _, err := e.Folder(dir); (err == nil) != want {
			t.Errorf("%q: %v", cache, err)
		}
	}
}

// Whoever gets more than a player asks for gets it at once: little at a time it would take for ever.
func TestPlayWhatAnswersWithAll(t *testing.T) {
	film := random(2 << 20)
	for name, header := range map[string][]string{"a site without ranges": nil, "If-Range": {"If-Range", `"old"`}} {
		synctest.Test(t, func(t *testing.T) {
			e := start(t, Options{})
			a, err := hashAll(asset{Path: "/film.ogv", Size: int64(len(film)), Type: "video/ogg"}, bytes.NewReader(film))
			if err != nil {
				t.Fatal(err)
			}
			e.library.add(a)
			h := e.mount(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if header == nil {
					r.Header.Del("Range")
				}
				w.Header().Set("ETag", `"new"`)
				http.ServeContent(w, r, "film.ogv", time.Time{}, bytes.NewReader(film))
			}))
			began := time.Now()
			w := do(h, "GET", "/.starling/play/film.ogv", "", append([]string{"Range", "bytes=600000-"}, header...)...)
			if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), film) {
				t.Errorf("%s: %d, %d bytes", name, w.Code, w.Body.Len())
			}
			if took := time.Since(began); took > hold {
				t.Errorf("%s: it took %s", name, took)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Nothing that a stranger can say brings about more than an error, and nothing is for pages of other sites.
func TestStrangeRequests(t *testing.T) {
	film := random(100_000)
	dir := site(t, map[string][]byte{"film.mp4": film, "a b/%2e.png": film, "bücher.png": film})
	e := start(t, Options{})
	h := serveFolder(t, e, dir)
	testnet.Until(t, "the assets", func() bool { return len(ask(t, h, "/film.mp4", "/a b/%2e.png", "/bücher.png").Assets) == 3 })
	for _, route := range []string{"", "edge.js", "manifest.json", "lookup", "beacon", "figures.json", "metrics", "t/00.torrent", "w/starling/00", "play/film.mp4", "announce", "play/", "t/" + strings.Repeat("a", 5000)} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"} {
			w := do(h, method, "/.starling/"+route, strings.Repeat("[", 10_000), "Origin", "https://evil.example", "Access-Control-Request-Method", "GET")
			if w.Code >= 500 {
				t.Errorf("%s %s: %d", method, route, w.Code)
			}
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s: %s: %s", method, route, name, w.Header().Get(name))
				}
			}
		}
	}
	for target, want := range map[string]int{
		"/.starling/play/a%20b/%252e.png": 200, "/a%20b/%252e.png": 200, "/b%C3%BCcher.png": 200,
		"/film.mp4%00": 404, "/..%2f..%2fetc%2fpasswd": 404, `/..%5c..%5cetc`: 404, "/.starling/..%2f.git": 404, "/x/../.starling/lookup": 404, "/film.mp4/": 404,
	} {
		if w := do(h, "GET", target, ""); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	for asked, want := range map[string]int{
		"bytes=-500": 206, "bytes=99999-": 206, "bytes=100000-": 416, "bytes=99999999999999999999-": 416, "bytes=5-1": 416, "bytes=--5": 416, "bytes=0-0,5-9": 206,
		"bytes=" + strings.Repeat("0-,", 2000) + "0-": 200, "lines=0-": 416, "bytes=0-": 206,
	} {
		for _, path := range []string{"/film.mp4", "/.starling/play/film.mp4"} {
			if w := do(h, "GET", path, "", "Range", asked); w.Code != want || w.Body.Len() > len(film)+2000 {
				t.Errorf("%s of %.40s: %d with %d bytes, want %d", path, asked, w.Code, w.Body.Len(), want)
			}
			if w := do(h, "HEAD", path, "", "Range", asked); w.Code != want {
				t.Errorf("HEAD %s of %.40s: %d, want %d", path, asked, w.Code, want)
			}
		}
	}
}
