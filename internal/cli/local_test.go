package cli

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/starling-p2p/starling/internal/testnet"
)

type readSeeker struct {
	*bytes.Reader
	closed *int
}

func (r readSeeker) Close() error { *r.closed++; return nil }

func listen(t *testing.T) (l *local, opened, closed *int) {
	t.Helper()
	opened, closed = new(int), new(int)
	file := func(path, kind, text string) localFile {
		return localFile{path, int64(len(text)), kind, func(context.Context) io.ReadSeekCloser {
			*opened++
			return readSeeker{bytes.NewReader([]byte(text)), closed}
		}}
	}
	l, err := listenLocal(0, "abc", []localFile{
		file("Film/ü&reboot&$x;(y)'z'`.mp4", "video/mp4", "0123456789"), file("evil.html", "text/html", "<script>alert(1)</script>"),
		file("<b>.svg", "image/svg+xml", "<svg/>"),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l, opened, closed
}

func TestLocalServesRanges(t *testing.T) {
	l, opened, closed := listen(t)
	url := l.url(0)
	if !strings.HasPrefix(url, "http://127.0.0.1:") || !strings.HasSuffix(url, "/0/%C3%BC%26reboot%26%24x%3B%28y%29%27z%27%60.mp4") {
		t.Errorf("a shell would take %s for more than a URL", url)
	}
	r, body := testnet.Ask(t, "GET", url)
	if r.StatusCode != 200 || body != "0123456789" || r.Header.Get("Content-Type") != "video/mp4" || r.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%s %q %v", r.Status, body, r.Header)
	}
	r, body = testnet.Ask(t, "GET", url, "Range", "bytes=3-5", "If-Range", r.Header.Get("ETag"))
	if r.StatusCode != 206 || body != "345" || r.Header.Get("Content-Range") != "bytes 3-5/10" {
		t.Errorf("%s %q %v", r.Status, body, r.Header)
	}
	if r, _ = testnet.Ask(t, "GET", url, "Range", "bytes=10-"); r.StatusCode != 416 {
		t.Errorf("beyond the end: %s", r.Status)
	}
	if *opened != 3 || *closed != 3 {
		t.Errorf("%d readers were opened, %d closed", *opened, *closed)
	}
	if r, _ := testnet.Ask(t, "GET", strings.Replace(url, "127.0.0.1", "localhost", 1)); r.StatusCode != 200 {
		t.Errorf("as localhost: %s", r.Status)
	}
}

func TestLocalListsWithoutRunningAnything(t *testing.T) {
	l, _, _ := listen(t)
	r, body := testnet.Ask(t, "GET", l.url(-1))
	if r.StatusCode != 200 || strings.Contains(body, "<b>") || !strings.Contains(body, "&lt;b&gt;.svg") || !strings.Contains(body, `href="1/evil.html"`) {
		t.Errorf("%s %s", r.Status, body)
	}
	for i := 1; i < 3; i++ {
		if r, _ := testnet.Ask(t, "GET", l.url(i)); r.Header.Get("Content-Type") != "application/octet-stream" || r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s %v", r.Status, r.Header)
		}
	}
}

func TestLocalIsForThisMachineAndThoseWhoKnowThePath(t *testing.T) {
	l, opened, _ := listen(t)
	at := l.listener.Addr().String()
	for _, c := range []struct {
		url, host string
		want      int
	}{
		{l.url(0), "evil.example:" + l.port(), 421}, {l.url(0), "127.0.0.1", 421}, {l.url(0), "127.0.0.1:1", 421},
		{l.url(0), "localhost.evil.example:" + l.port(), 421},
		{"http://" + at + "/", at, 404}, {"http://" + at + "/0/x", at, 404}, {"http://" + at + "/" + l.token, at, 404},
		{"http://" + at + "/" + strings.ToLower(l.token) + "/0/x", at, 404},
		{l.url(-1) + "3/x", at, 404}, {l.url(-1) + "-1/x", at, 404}, {l.url(-1) + "x", at, 404},
		{l.url(-1) + "../" + l.token + "/9/x", at, 404},
	} {
		if r, _ := testnet.Ask(t, "GET", c.url, "Host", c.host); r.StatusCode != c.want {
			t.Errorf("%s as %s: %s, want %d", c.url, c.host, r.Status, c.want)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, l.url(0), strings.NewReader("x"))
	if l.ServeHTTP(w, r); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
	if *opened > 0 {
		t.Error("a file was read")
	}
	if ip := strings.Split(at, ":")[0]; ip != "127.0.0.1" || len(l.token) < 22 {
		t.Errorf("it listens on %s, and its token is %q", at, l.token)
	}
}
