package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
)

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
	eventually(t, "what is for everybody", func() bool { return len(ask(t, h, "/b.png").Assets) == 1 })
	eventually(t, "the edge to be refused the other", func() bool { return refused.Load() })
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
	eventually(t, "the small one", func() bool { return len(ask(t, h, "/a.png").Assets) == 1 })
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
	eventually(t, "the asset", func() bool { return len(ask(t, h, "/a/b.png").Assets) == 1 })
	for range maxStrikes {
		do(h, "GET", "/a%2Fb.png", "")
		check(t, ask(t, h, "/a/b.png"), "/a/b.png", one)
	}
}
