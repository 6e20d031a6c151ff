package httpd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// announceURLs are those of a tracker without pages, which runs until the test ends: by WebSocket, HTTP, UDP.
func announceURLs(t *testing.T, config httpd.Config) []string {
	t.Helper()
	return testnet.Start(t, config, nil).AnnounceURLs()
}

// The tracker client of webtorrent 3, as it is, over all three protocols.
func TestBittorrentTrackerClient(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node: install Node.js 20 to run this test")
	}
	if _, err := os.Stat("../../node_modules/bittorrent-tracker"); err != nil {
		t.Skip("node_modules is missing: run `npm ci` (or `make build`) to run this test")
	}
	urls := announceURLs(t, testnet.Config())
	for i := range urls { // the client's UDP knows IPv4 alone
		urls[i] = strings.Replace(urls[i], "localhost", "127.0.0.1", 1)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, append([]string{"testdata/announce.mjs"}, urls...)...)
	var failures bytes.Buffer
	cmd.Stderr = &failures
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, failures.String())
	}
	want := []string{
		`{"who":"ws","complete":1,"incomplete":0}`,
		`{"who":"http","complete":1,"incomplete":1}`,
		`{"who":"udp","peer":"127.0.0.1:6881"}`,
		`{"who":"udp","complete":1,"incomplete":2}`,
		`{"who":"http","peer":"127.0.0.1:6882"}`,
		`{"who":"http","complete":1,"incomplete":2}`,
		`{"who":"http","peer":"127.0.0.1:6882"}`,
		`{"who":"http","complete":2,"incomplete":1}`,
		`{"who":"ws","complete":2,"incomplete":1,"downloaded":1}`,
		`{"who":"http","complete":2,"incomplete":1,"downloaded":1}`,
		`{"who":"udp","complete":2,"incomplete":1,"downloaded":1}`,
		`{"who":"udp","complete":2,"incomplete":0}`,
		`{"who":"http","complete":1,"incomplete":0}`,
		`{"who":"ws","complete":1,"incomplete":0,"downloaded":1}`,
		`{"done":true}`,
	}
	if got := strings.TrimSpace(string(out)); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func announceURL(at string, peer byte, more string) string {
	return fmt.Sprintf("%s?info_hash=%s&peer_id=%s&port=6881&%s", at, strings.Repeat("h", 20), strings.Repeat(string(rune(peer)), 20), more)
}

func TestTrackerAlone(t *testing.T) {
	urls := announceURLs(t, testnet.Config())
	base := strings.TrimSuffix(urls[1], "/announce")
	for _, c := range []struct{ path, want string }{
		{"/", "Announce at /announce, by WebSocket or HTTP, or by UDP."},
		{"/memos", "There is nothing here. The tracker is at /announce."},
		{"/api/ice", "There is nothing here."},
		{"/healthz", "ok"},
		{"/announce", "Connect to it by WebSocket"},
		{"/announce?x", "info_hash is not 20 bytes"},
		{"/scrape", "name the torrents"},
		{announceURL("/announce", 'a', "left=0"), "8:completei1e"},
		{announceURL("/announce", 'b', "left=1"), "5:peers6:\x7f\x00\x00\x01\x1a\xe1"},
	} {
		response, body := testnet.Ask(t, "GET", base+c.path)
		if !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %q, want %q", c.path, response.StatusCode, body, c.want)
		}
		if h := response.Header; strings.Contains(c.path, "?") && (h.Get("Content-Security-Policy") != "" || h.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s: %v", c.path, response.Header)
		}
	}
	_, body := testnet.Ask(t, "GET", base+"/stats.json")
	var got map[string]int
	if err := json.Unmarshal([]byte(body), &got); err != nil || got["torrents"] != 1 || got["peersAll"] != 2 || got["peersIPv4"] != 2 {
		t.Errorf("%q %v", body, err)
	}
	if _, body := testnet.Ask(t, "GET", base+"/metrics"); !strings.Contains(body, "starling_tracker_http_announces_total 3") {
		t.Errorf("metrics:\n%s", body)
	}
	// Other trackers take sockets anywhere, also where there are pages beside this one.
	for _, base := range []string{base, testnet.Serve(t, testnet.Config(), testnet.Files())} {
		for _, path := range []string{"/", "/m", "/some/where"} {
			if got := upgrade(t, base+path); got != 101 {
				t.Errorf("a socket at %s: %d", path, got)
			}
		}
	}
}

// upgrade asks for a WebSocket and returns the status.
func upgrade(t *testing.T, url string) int {
	t.Helper()
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://localhost"), "/")
	conn, err := net.Dial("tcp", "127.0.0.1"+host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", path)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

func TestTrackerBehindAProxy(t *testing.T) {
	config := testnet.Config()
	config.TrustedProxy = []string{"127.0.0.0/8"}
	at := announceURLs(t, config)[1]
	told := func(peer byte, from, want string) {
		t.Helper()
		if _, body := testnet.Ask(t, "GET", announceURL(at, peer, "left=1&compact=0&no_peer_id=1"), "X-Forwarded-For", from); !strings.Contains(body, "5:peersl"+want+"e") {
			t.Errorf("%s: %q", from, body)
		}
	}
	told('a', "192.0.2.1", "")
	told('b', "192.0.2.2", "d2:ip9:192.0.2.14:porti6881ee")
	told('c', "2001:db8::1", "")
	told('d', "192.0.2.99, 2001:db8::2", "d2:ip11:2001:db8::14:porti6881ee")
}

func TestAllowOrigin(t *testing.T) {
	config := testnet.Config()
	config.AllowOrigin = []string{"https://example.org"}
	url := testnet.Serve(t, config, testnet.Files())
	for origin, want := range map[string]int{"": 101, "https://example.org": 101, "https://example.org.evil.example": 403, "null": 403} {
		conn, err := net.Dial("tcp", "127.0.0.1"+strings.TrimPrefix(url, "http://localhost"))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		if origin != "" {
			lines = []string{"Origin: " + origin}
		}
		s := testnet.Connect(t, conn, lines...)
		if s.Response.StatusCode != want {
			t.Errorf("%q: %d, want %d", origin, s.Response.StatusCode, want)
		}
		s.Close()
	}
}

// The lists are read again on SIGHUP, and swarms that may not be any more are gone, from all front ends.
func TestDenyList(t *testing.T) {
	config := testnet.Config()
	config.DenyList = filepath.Join(t.TempDir(), "denied")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(config.DenyList, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	at := announceURLs(t, config)[1]
	if _, body := testnet.Ask(t, "GET", announceURL(at, 'a', "left=0")); !strings.Contains(body, "completei1e") {
		t.Fatalf("%q", body)
	}
	write(strings.Repeat("68", 20) + "\n")
	hangUp(t)
	testnet.UntilRight(t, "the torrent is gone", func() error {
		_, body := testnet.Ask(t, "GET", strings.Replace(at, "/announce", "/stats.json", 1))
		if !strings.Contains(body, `"torrents":0`) {
			return fmt.Errorf("there is %s", body)
		}
		return nil
	})
	if _, body := testnet.Ask(t, "GET", announceURL(at, 'a', "left=0")); body != "d14:failure reason40:this tracker does not serve this torrent8:retry in5:nevere" {
		t.Errorf("%q", body)
	}
}

func TestUDPInUse(t *testing.T) {
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for addr, want := range map[string]string{
		busy.LocalAddr().String(): "is in use by another program: stop that, or choose another port with --udp-tracker",
		"192.0.2.1:6969":          "is not an address of this machine: change --udp-tracker",
		"6969":                    "--udp-tracker \"6969\" is not HOST:PORT, such as :6969",
	} {
		config := testnet.Config()
		config.UDPTracker = []string{addr}
		if _, err := httpd.Listen(config, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
}
