package edge

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

func TestProxy(t *testing.T) {
	t.Parallel()
	data := random(70_000)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream":
			_, _ = io.WriteString(w, "first")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/who":
			_, _ = io.WriteString(w, r.Host+" "+r.Header.Get("X-Forwarded-For")+" "+r.Header.Get("Cookie"))
		default:
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Type", "image/png")
			http.ServeContent(w, r, "a.png", time.Time{}, bytes.NewReader(data))
		}
	}))
	defer origin.Close()
	e := start(t, Options{})
	next, err := Proxy(origin.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(e.Handler(next))
	defer front.Close()
	get := func(path string) string {
		_, body := testnet.Ask(t, "GET", front.URL+path)
		return body
	}
	if got := get("/img/a.png"); got != string(data) {
		t.Errorf("%d bytes", len(got))
	}
	if got, want := get("/who"), strings.TrimPrefix(origin.URL, "http://")+" 127.0.0.1 "; got != want {
		t.Errorf("the origin sees %q, want %q", got, want)
	}
	carried(t, e.mount(nil), "/img/a.png")
	if got := e.stats.served.Load(); got != 0 && got != int64(len(data)) {
		t.Errorf("%d bytes served", got)
	}
	// A body is passed on as it comes.
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", front.URL+"/stream", nil)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "first" {
		t.Errorf("%q, %v", first, err)
	}
	cancel()
	_ = response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	next.(*httputil.ReverseProxy).Transport.(*http.Transport).CloseIdleConnections()
	for _, bad := range []string{"", "example.org", "ftp://example.org", "https://example.org/?a", "https://u:p@example.org"} {
		if _, err := Proxy(bad, nil); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	// Its pages name what they need from the root on, so below a path nothing would be found.
	if _, err := Proxy("https://example.org/blog/", nil); err == nil || !strings.Contains(err.Error(), "write https://example.org:") {
		t.Errorf("a path: %v", err)
	}
	if _, err := Proxy("https://example.org/", nil); err != nil {
		t.Errorf("a slash: %v", err)
	}
}

// Programs that send events (SSE) ask first whether what they write is passed on at once.
func TestThatEventsArePassedOnAtOnce(t *testing.T) {
	t.Parallel()
	e := start(t, Options{})
	front := httptest.NewServer(e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		flusher, ok := w.(http.Flusher)
		if !ok {
			http.Error(w, "streaming is not supported", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		flusher.Flush()
		_, _ = io.WriteString(w, "data: one\n\n")
		flusher.Flush()
		<-r.Context().Done()
	})))
	defer front.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", front.URL+"/events", nil)
	response, err := front.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	event := make([]byte, 9)
	if _, err := io.ReadFull(response.Body, event); err != nil || response.StatusCode != 200 || string(event) != "data: one" {
		t.Errorf("%s: %q, %v", response.Status, event, err)
	}
}

// Many servers put their own address into redirects, such as from /a to /a/. Visitors stay with the address that they
// came to, which may be the only one they reach.
func TestProxyRedirects(t *testing.T) {
	t.Parallel()
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", strings.Replace(r.URL.Query().Get("to"), "ORIGIN", r.Host, 1))
		w.WriteHeader(http.StatusFound)
	}))
	defer origin.Close()
	next, err := Proxy(strings.Replace(origin.URL, "http", "HTTP", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer next.(*httputil.ReverseProxy).Transport.(*http.Transport).CloseIdleConnections()
	host := strings.TrimPrefix(origin.URL, "http://")
	for to, want := range map[string]string{
		"http://ORIGIN/a/?b=%2F#c": "/a/?b=%2F#c", "http://ORIGIN": "/", "//ORIGIN/a%2Fb": "/a%2Fb", "http://ORIGIN//example.org/": "http://" + host + "//example.org/",
		"/a": "/a", "a": "a", "https://ORIGIN/a": "https://" + host + "/a", "http://example.org/a": "http://example.org/a",
		"http://ORIGIN.example.org/": "http://" + host + ".example.org/", "http://[": "http://[",
	} {
		w := do(next, "GET", "/?to="+url.QueryEscape(to), "")
		if got := w.Header().Get("Location"); w.Code != http.StatusFound || got != want {
			t.Errorf("%s: %d %q, want %q", to, w.Code, got, want)
		}
	}
}
