package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// A link whose server turns out to be this machine does not make that the user's own.
func TestLinksToThisMachine(t *testing.T) {
	var asked atomic.Int32
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/ice" {
			http.Redirect(w, r, strings.Replace("http://"+r.Host, "127.0.0.1", "0.0.0.0", 1)+"/secret", http.StatusFound)
			return
		}
		asked.Add(1)
		_, _ = w.Write([]byte(`{"iceServers":[]}`))
	}))
	defer h.Close()
	at := strings.Replace(h.URL, "127.0.0.1", "0.0.0.0", 1)
	link := at + "/f#" + strings.Repeat("ab", 20) + "&tr=" + url.QueryEscape("ws"+strings.TrimPrefix(at, "http")+"/announce") + "&tr=" + url.QueryEscape(at+"/secret/announce")
	var out bytes.Buffer
	code := Run(t.Context(), []string{"info", "--timeout", "1s", "--no-lan", "--no-dht", "--data-dir", t.TempDir(), link}, &out, &out)
	if code != exitNobody || asked.Load() > 0 {
		t.Errorf("exit code %d, %d were asked for: %s", code, asked.Load(), &out)
	}

	// A redirect leads no further.
	s := serverOf(h.URL + "/f#" + strings.Repeat("ab", 20))
	if _, err := s.iceServers(t.Context()); err == nil || asked.Load() > 0 {
		t.Errorf("%v, %d were asked for", err, asked.Load())
	}
	s = serverOf(at + "/f#" + strings.Repeat("ab", 20))
	s.own = true
	if _, err := s.iceServers(t.Context()); err != nil || asked.Load() == 0 {
		t.Errorf("one's own: %v", err)
	}
}
