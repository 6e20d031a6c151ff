package edge

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/starling-p2p/starling/internal/testnet"
)

// What turns private is told to nobody from the first visitor on who is given it so. What one visitor alone does not get is
// told to nobody until the site has been asked, and then as before.
func TestWhatTurnsPrivate(t *testing.T) {
	data := random(20_000)
	var private atomic.Bool
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	e := start(t, Options{})
	h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Odd") != "":
			http.NotFound(w, r)
			return
		case r.Header.Get("If-None-Match") != "":
			asked <- struct{}{}
			<-answer
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if private.Load() {
			w.Header().Set("Cache-Control", "private")
		}
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data)
	}))
	told := func() bool { return len(ask(t, h, "/a.png").Assets) == 1 }
	do(h, "GET", "/a.png", "")
	testnet.Until(t, "the asset", told)
	do(h, "GET", "/a.png", "", "X-Odd", "1")
	<-asked
	if told() {
		t.Error("it is told to others although a visitor did not get it")
	}
	close(answer)
	testnet.Until(t, "the asset again", told)
	private.Store(true)
	do(h, "GET", "/a.png", "")
	if told() {
		t.Error("it is told to others although it is private now")
	}
}

// The edge's tracker is for its own torrents: strangers do not meet there at the site's expense.
func TestTrackerOfOwnTorrents(t *testing.T) {
	e := start(t, Options{})
	h := serveFolder(t, e, site(t, map[string][]byte{"a.png": random(1000)}))
	carried(t, h, "/a.png")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = Prefix + "announce"
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	for hash, want := range map[string]bool{e.library.version.Load().torrents[0].infoHash.String(): true, strings.Repeat("5a", 20): false} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		socket := testnet.Connect(t, conn)
		binary := ""
		for i := 0; i < len(hash); i += 2 {
			var b byte
			_, _ = fmt.Sscanf(hash[i:i+2], "%02x", &b)
			binary += fmt.Sprintf(`\u%04x`, b)
		}
		socket.Send(`{"action":"announce","info_hash":"` + binary + `","peer_id":"aaaaaaaaaaaaaaaaaaaa","numwant":0,"left":1}`)
		if m := socket.Next(); (m["failure reason"] == nil) != want {
			t.Errorf("%s: %v", hash, m)
		}
		socket.Close()
	}
}

// The server behind hears of all whom a visitor came by, and is asked for what the visitor asked for, and for no more.
func TestWhatTheOriginHears(t *testing.T) {
	heard, target := make(chan http.Header, 1), make(chan string, 1)
	origin := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		heard <- r.Header
		target <- r.RequestURI
	}))
	defer origin.Close()
	proxy, err := Proxy(origin.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "/a%2Fb//c?p=site.git;a=log&to=100%&q=b+c%20d&again"
	do(proxy, "GET", "http://example.com"+want, "", "X-Forwarded-For", "203.0.113.9")
	header := <-heard
	if got := <-target; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if got := header.Get("X-Forwarded-For"); got != "203.0.113.9, 192.0.2.1" {
		t.Errorf("X-Forwarded-For: %q", got)
	}
	if got := header.Get("Accept-Encoding"); got != "" {
		t.Errorf("Accept-Encoding: %q", got)
	}
	origin.CloseClientConnections()
}

// What a folder's files say of themselves, and which are nobody's assets.
func TestWhatAFolderSays(t *testing.T) {
	e := start(t, Options{Exclude: []string{"/private/"}})
	h := serveFolder(t, e, site(t, map[string][]byte{"private/a.png": random(1000), "b.png": random(1000)}))
	testnet.Until(t, "the assets", func() bool { return len(ask(t, h, "/b.png").Assets) == 1 })
	if len(ask(t, h, "/private/a.png").Assets) > 0 {
		t.Error("what is excluded is an asset")
	}
	for target, want := range map[string]string{"/b.png": "no-cache", "/private/a.png": "no-cache", "/none": "no-store"} {
		w := do(h, "GET", target, "")
		if got := w.Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", target, got, want)
		}
		if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", target, got)
		}
	}
	w := do(h, "POST", "/.starling/lookup", "{}")
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("a lookup: Cache-Control %q", got)
	}
}
