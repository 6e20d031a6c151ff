package httpd_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

func statsFiles() fstest.MapFS {
	files := testnet.Files().(fstest.MapFS)
	files["stats/stats.html"] = &fstest.MapFile{Data: []byte("<!doctype html><title>Figures</title>")}
	files["stats/stats.js"] = &fstest.MapFile{Data: []byte("export {}")}
	return files
}

func TestStats(t *testing.T) {
	alone := testnet.Config()
	alone.NoPages = true
	for name, config := range map[string]httpd.Config{"with pages": testnet.Config(), "alone": alone} {
		t.Run(name, func(t *testing.T) {
			url := testnet.Serve(t, config, statsFiles())
			response, body := testnet.Ask(t, "GET", url+"/stats", "Accept", "text/html,*/*;q=0.8")
			if policy := response.Header.Get("Content-Security-Policy"); response.StatusCode != 200 || !strings.Contains(body, "<title>Figures") || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") || !strings.HasSuffix(policy, "form-action 'none'; frame-ancestors 'none'") {
				t.Errorf("the page: %d %q %q", response.StatusCode, body, policy)
			}
			if response, body := testnet.Ask(t, "GET", url+"/stats/stats.js"); response.StatusCode != 200 || body != "export {}" {
				t.Errorf("its script: %d %q", response.StatusCode, body)
			}
			if response, _ := testnet.Ask(t, "GET", url+"/memos"); (response.StatusCode == 404) != config.NoPages {
				t.Errorf("other pages: %d", response.StatusCode)
			}
			for _, peer := range []byte{'a', 'b'} {
				testnet.Ask(t, "GET", announceURL(url+"/announce", peer, "left=0"))
			}
			response, body = testnet.Ask(t, "GET", url+"/stats", "Accept", "application/json")
			var day struct {
				Since, Last int64
				Minutes     map[string][]uint32
			}
			if err := json.Unmarshal([]byte(body), &day); err != nil {
				t.Fatal(err)
			}
			last := func(name string) uint32 {
				values := day.Minutes[name]
				if len(values) == 0 {
					t.Fatalf("there is no %s in %s", name, body)
				}
				return values[len(values)-1]
			}
			// A minute may have begun between the two and now.
			announces := uint32(0)
			for _, n := range day.Minutes["httpAnnounces"] {
				announces += n
			}
			if last("ipv4") != 2 || last("swarms") != 1 || announces != 2 || last("webrtc") != 0 || day.Last%60 != 0 || day.Since > day.Last+60 {
				t.Errorf("%s", body)
			}
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("pages of %q may read it", got)
			}
			for _, accept := range []string{"text/html", "application/json"} {
				if response, body := testnet.Ask(t, "GET", url+"/stats", "Accept", accept, "X-Forwarded-For", "203.0.113.1"); response.StatusCode != 403 || !strings.Contains(body, "--metrics-public") {
					t.Errorf("by a proxy on this machine: %d %.80q", response.StatusCode, body)
				}
			}
			if response, _ := testnet.Ask(t, "GET", url+"/stats", "Forwarded", "for=203.0.113.1"); response.StatusCode != 403 {
				t.Errorf("by a proxy that says so as RFC 7239 has it: %d", response.StatusCode)
			}
			config.MetricsPublic = true
			if response, _ := testnet.Ask(t, "GET", testnet.Serve(t, config, statsFiles())+"/stats", "X-Forwarded-For", "203.0.113.1"); response.StatusCode != 200 {
				t.Errorf("public: %d", response.StatusCode)
			}
		})
	}
	if response, body := testnet.Ask(t, "GET", testnet.Serve(t, testnet.Config(), nil)+"/stats", "Accept", "text/html"); response.StatusCode != 503 || !strings.Contains(body, "make build") {
		t.Errorf("not built: %d %q", response.StatusCode, body)
	}
}
