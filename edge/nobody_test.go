package edge

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/starling-p2p/starling/internal/testnet"
)

// inFront has an Edge in front of a server that is somewhere else.
func inFront(t *testing.T, origin http.HandlerFunc) (*Edge, http.Handler) {
	t.Helper()
	server := httptest.NewServer(origin)
	t.Cleanup(server.Close)
	proxy, err := Proxy(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.(*httputil.ReverseProxy).Transport.(*http.Transport).CloseIdleConnections)
	e := start(t, Options{})
	return e, e.Handler(proxy)
}

// given answers with data as an asset.
func given(w http.ResponseWriter, etag string, data []byte) {
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	_, _ = w.Write(data)
}

// What only some networks may have is nobody's asset: where the edge asks itself, it is from none that anybody trusts.
func TestWhatIsForSomeAddresses(t *testing.T) {
	data := random(20_000)
	var refused atomic.Bool
	e := start(t, Options{})
	h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _ := netip.ParseAddrPort(r.RemoteAddr)
		if a := from.Addr(); r.URL.Path == "/office/a.png" && !a.IsLoopback() && !a.IsPrivate() {
			refused.Store(true)
			http.Error(w, "Only in the office.", http.StatusForbidden)
			return
		}
		given(w, `"1"`, data)
	}))
	from := func(address, path string) {
		r, _ := http.NewRequest("GET", "http://example.com"+path, nil)
		r.RemoteAddr = address
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	from("10.0.0.7:1234", "/office/a.png")
	from("10.0.0.7:1234", "/b.png")
	testnet.Until(t, "what is for everybody", func() bool { return len(ask(t, h, "/b.png").Assets) == 1 })
	testnet.Until(t, "the edge to be refused the other", func() bool { return refused.Load() })
	if len(ask(t, h, "/office/a.png").Assets) > 0 {
		t.Error("what is for the office alone is told to everybody")
	}
}

// Large files take long to read; meanwhile the site is asked about others as ever, and small ones become assets.
func TestLargeFilesKeepNobodyWaiting(t *testing.T) {
	data := random(20_000)
	reading := make(chan struct{}, 8)
	e := start(t, Options{})
	h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a.png" {
			given(w, `"1"`, data)
			return
		}
		w.Header().Set("Content-Type", "video/webm")
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", fmt.Sprint(1<<30))
		w.WriteHeader(http.StatusOK)
		if r.RemoteAddr == "192.0.2.1:1234" {
			return // a visitor, who has seen enough
		}
		reading <- struct{}{}
		<-r.Context().Done()
	}))
	for i := range 2 {
		do(h, "GET", fmt.Sprintf("/%d.webm", i), "")
	}
	<-reading
	do(h, "GET", "/a.png", "")
	testnet.Until(t, "the small one", func() bool { return len(ask(t, h, "/a.png").Assets) == 1 })
}

// A slash that is written %2F makes another path: what lies there is not told for what lies at the one with a slash.
func TestEscapedSlash(t *testing.T) {
	one, other := random(20_000), random(20_000)
	e := start(t, Options{})
	h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() == "/a/b.png" {
			given(w, `"1"`, one)
		} else {
			given(w, `"2"`, other)
		}
	}))
	do(h, "GET", "/a/b.png", "")
	carried(t, h, "/a/b.png")
	for range maxStrikes {
		do(h, "GET", "/a%2Fb.png", "")
		check(t, ask(t, h, "/a/b.png"), "/a/b.png", one)
	}
}

// A server that sends all who come otherwise to HTTPS is told who came by it, whoever ends their TLS; so the edge comes, too.
func TestWhereHTTPSIsDemanded(t *testing.T) {
	data := random(20_000)
	_, h := inFront(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-Proto") != "https" {
			http.Redirect(w, r, "https://example.com"+r.URL.Path, http.StatusMovedPermanently)
			return
		}
		given(w, `"1"`, data)
	})
	for path, come := range map[string]func(*http.Request){
		"/a.png": func(r *http.Request) { r.TLS = &tls.ConnectionState{} },
		"/b.png": func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") },
	} {
		r := httptest.NewRequest("GET", path, nil)
		come(r)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, w.Code)
		}
		carried(t, h, path)
		check(t, ask(t, h, path), path, data)
	}
	if w := do(h, "GET", "/c.png", ""); w.Code != http.StatusMovedPermanently {
		t.Errorf("by HTTP: %d", w.Code)
	}
}

// Many servers answer nobody who does not say what program it is.
func TestWhatProgramItIs(t *testing.T) {
	data := random(20_000)
	_, h := inFront(t, func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() == "" {
			http.Error(w, "A robot.", http.StatusForbidden)
			return
		}
		given(w, `"1"`, data)
	})
	do(h, "GET", "/a.png", "", "User-Agent", "Mozilla/5.0")
	carried(t, h, "/a.png")
}

// What the edge does not read to its end is no news for whoever runs it.
func TestWhatIsBrokenOff(t *testing.T) {
	var said bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&said)
	data := random(20_000)
	asked := make(chan struct{}, 100)
	e, h := inFront(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Odd") != "" {
			http.NotFound(w, r)
			return
		}
		if r.Header.Get("If-None-Match") != "" {
			asked <- struct{}{}
		}
		given(w, `"1"`, data)
	})
	do(h, "GET", "/a.png", "")
	carried(t, h, "/a.png")
	do(h, "GET", "/a.png", "", "X-Odd", "1")
	<-asked
	testnet.Until(t, "the asset again", func() bool { return len(ask(t, h, "/a.png").Assets) == 1 })
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if said.Len() > 0 {
		t.Errorf("it says %s", &said)
	}
}

// Drawings of strangers a site serves such that their scripts do not run. Visitors would have them without that.
func TestDrawingsThatMayRunScripts(t *testing.T) {
	data := random(20_000)
	_, h := inFront(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		switch path.Base(r.URL.Path) {
		case "policy.svg":
			w.Header().Set("Content-Security-Policy", "sandbox")
		case "saved.svg":
			w.Header().Set("Content-Disposition", `Attachment; filename="saved.svg"`)
		case "policy.png":
			w.Header().Set("Content-Type", "image/png")
			w.Header().Set("Content-Security-Policy", "sandbox")
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data)
	})
	paths := []string{"/policy.svg", "/saved.svg", "/policy.png", "/own.svg"}
	for _, p := range paths {
		do(h, "GET", p, "")
	}
	testnet.Until(t, "the others", func() bool { return len(ask(t, h, "/policy.png", "/own.svg").Assets) == 2 })
	if named := ask(t, h, paths...).Assets; len(named) != 2 {
		t.Errorf("%d are told to visitors", len(named))
	}
}

// Anybody may come by any name, and a server may have less by that one: what is known is asked for as those came who got it.
func TestWhoComesByAnotherName(t *testing.T) {
	data := random(20_000)
	e, h := inFront(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-Host") != "example.com" && r.URL.Path != "/a.png" {
			http.NotFound(w, r)
			return
		}
		given(w, `"1"`, data)
	})
	for _, path := range []string{"/a.png", "/b.png"} {
		do(h, "GET", "http://example.com"+path, "")
		carried(t, h, path)
	}
	do(h, "GET", "http://other.example/a.png", "")
	do(h, "GET", "http://other.example/b.png", "") // which has the site asked whether it is gone
	testnet.Until(t, "the hashers", func() bool { return e.library.held.Load() == 0 })
	if len(ask(t, h, "/b.png").Assets) != 1 {
		t.Error("it is not named any more")
	}
}

// A name that no site has is not remembered: it may be as long as a header, for each asset anew.
func TestWhoComesByNoName(t *testing.T) {
	data := random(20_000)
	var remembered atomic.Bool
	e, h := inFront(t, func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() == "starling-edge" && len(r.Header.Get("X-Forwarded-Host")) > maxHost {
			remembered.Store(true)
		}
		given(w, `"1"`, data)
	})
	do(h, "GET", "http://"+strings.Repeat("a", 60_000)+"/a.png", "")
	do(h, "GET", "http://example.com/b.png", "")
	carried(t, h, "/b.png")
	testnet.Until(t, "the hashers", func() bool { return e.library.held.Load() == 0 })
	if remembered.Load() {
		t.Error("the site was asked by it")
	}
}
