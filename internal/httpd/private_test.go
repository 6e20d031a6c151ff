package httpd_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// Who is revoked is not served on, be it by a socket that is open already.
func TestRevoked(t *testing.T) {
	config, dir := testnet.Config(), t.TempDir()
	config.Private.Private, config.Private.Revoked = filepath.Join(dir, "secret"), filepath.Join(dir, "revoked")
	for name, text := range map[string]string{config.Private.Private: "0123456789abcdef", config.Private.Revoked: ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := strings.TrimPrefix(announceURLs(t, config)[1], "http://localhost")
	connect := func(user string) (net.Conn, *bufio.Reader) {
		signed, err := config.SignedURLs(user)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", "127.0.0.1"+strings.TrimSuffix(at, "/announce"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", strings.TrimPrefix(signed[1], "http://127.0.0.1:0"))
		r := bufio.NewReader(conn)
		if response, err := http.ReadResponse(r, nil); err != nil || response.StatusCode != 101 {
			t.Fatalf("no socket for %s: %v", user, err)
		}
		return conn, r
	}
	mallory, said := connect("mallory")
	alice, heard := connect("alice")
	if err := os.WriteFile(config.Private.Revoked, []byte("mallory\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUp(t)
	_ = mallory.SetReadDeadline(time.Now().Add(30 * time.Second))
	if goodbye, err := io.ReadAll(said); err != nil || !strings.Contains(string(goodbye), "no longer valid") {
		t.Errorf("mallory's socket: %q, %v", goodbye, err)
	}
	_, _ = alice.Write(append(testnet.Header(true, testnet.Ping, 1), '?'))
	_ = alice.SetReadDeadline(time.Now().Add(30 * time.Second))
	if pong, err := heard.Peek(3); err != nil || pong[2] != '?' {
		t.Errorf("alice's: %q, %v", pong, err)
	}
}

// With a domain, signed URLs name the port that the server listens on.
func TestSignedForADomain(t *testing.T) {
	config := testnet.Config()
	config.Domain = "example.org"
	config.Private.Private = filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(config.Private.Private, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	for addr, at := range map[string]string{httpd.DefaultAddr: "example.org", ":443": "example.org", ":8443": "example.org:8443"} {
		config.Addr = addr
		signed, err := config.SignedURLs("alice")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(signed[0], "wss://"+at+"/") || !strings.HasPrefix(signed[1], "https://"+at+"/") {
			t.Errorf("with --addr %s: %v", addr, signed)
		}
	}
}

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
