package httpd_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

func TestPrivate(t *testing.T) {
	config := testnet.Config()
	config.Private.Private = filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(config.Private.Private, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	urls := announceURLs(t, config)
	signed, err := config.SignedURLs("alice")
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(signed[1], "http://127.0.0.1:0")
	if len(signed) != 3 || signed[2] != "udp://127.0.0.1:0"+path || signed[0] != "ws://127.0.0.1:0"+path {
		t.Errorf("signed %v", signed)
	}
	base := strings.TrimSuffix(urls[1], "/announce")
	for path, want := range map[string]string{
		path: "8:completei1e",
		strings.Replace(path, "announce", "scrape", 1): "d5:files",
		"/announce":                              "this tracker is private",
		"/scrape":                                "this tracker is private",
		strings.Replace(path, "alice", "bob", 1): "this tracker is private",
	} {
		if _, body := testnet.Ask(t, "GET", announceURL(base+path, 'a', "left=0")); !strings.Contains(body, want) {
			t.Errorf("%s: %q, want %q", path, body, want)
		}
	}
	for path, want := range map[string]int{path: 101, "/announce": 403, "/": 403} {
		if got := upgrade(t, base+path); got != want {
			t.Errorf("a socket at %s: %d, want %d", path, got, want)
		}
	}
	if _, body := testnet.Ask(t, "GET", base+"/users.json"); body != "{\"alice\":3}\n" {
		t.Errorf("users %q", body)
	}
	if response, body := testnet.Ask(t, "GET", base+"/users.json", "Host", "evil.example"); response.StatusCode != 403 || strings.Contains(body, "alice") {
		t.Errorf("users for a page elsewhere: %d %q", response.StatusCode, body)
	}
	config.Domain, config.Addr, config.UDPTracker = "t.example.org", httpd.DefaultAddr, []string{":6969"}
	if signed, err = config.SignedURLs("bob"); err != nil || !strings.HasPrefix(signed[0], "wss://t.example.org/u/bob.") || !strings.HasPrefix(signed[2], "udp://t.example.org:6969/u/bob.") {
		t.Errorf("signed %v, %v", signed, err)
	}
	config = testnet.Config()
	config.Private.Revoked = "x"
	if _, err := httpd.Listen(config, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "give --private too") {
		t.Errorf("revoked without private: %v", err)
	}
}
