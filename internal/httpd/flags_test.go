package httpd_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// allocate asks a server's relay for an address, by the credentials that its pages get.
func allocate(t *testing.T, url string) (client *turn.Client, user, password string, err error) {
	t.Helper()
	var answer struct {
		IceServers []struct{ URLs, Username, Credential string }
	}
	_, body := testnet.Ask(t, "GET", url+"/api/ice")
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.IceServers) != 3 {
		t.Fatalf("%q: %v", body, err)
	}
	user, password = answer.IceServers[1].Username, answer.IceServers[1].Credential
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "127.0.0.1:" + port(url)
	client, err = turn.NewClient(&turn.ClientConfig{STUNServerAddr: at, TURNServerAddr: at, Username: user, Password: password, Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		_ = conn.Close()
	})
	relayed, err := client.Allocate()
	if err == nil {
		t.Cleanup(func() { _ = relayed.Close() })
	}
	return client, user, password, err
}

// What the flags say of the relay holds.
func TestRelayFlags(t *testing.T) {
	const secret = "a secret that servers share"
	for _, private := range []bool{false, true} {
		config := withRelay()
		config.RelaySecret, config.RelayPrivate = secret, private
		client, user, password, err := allocate(t, testnet.Serve(t, config, testnet.Files()))
		if err != nil {
			t.Fatal(err)
		}
		signed := hmac.New(sha1.New, []byte(secret))
		_, _ = io.WriteString(signed, user)
		if want := base64.StdEncoding.EncodeToString(signed.Sum(nil)); password != want {
			t.Errorf("the password of %s is %q: another server with this secret has %q", user, password, want)
		}
		if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 9}); (err == nil) != private {
			t.Errorf("--relay-private %v: to a private network: %v", private, err)
		}
	}
	for name, limit := range map[string]func(*httpd.Config){
		"in all":         func(c *httpd.Config) { c.RelayMaxAllocations = 1 },
		"of one address": func(c *httpd.Config) { c.RelayMaxAllocationsPerAddress = 1 },
	} {
		config := withRelay()
		limit(&config)
		url := testnet.Serve(t, config, testnet.Files())
		if _, _, _, err := allocate(t, url); err != nil {
			t.Errorf("%s: the first: %v", name, err)
		}
		if _, _, _, err := allocate(t, url); err == nil {
			t.Errorf("%s: a second one", name)
		}
	}
}

func peers(t *testing.T, base string) (n int) {
	t.Helper()
	_, body := testnet.Ask(t, "GET", base+"/stats.json")
	var stats map[string]int
	if err := json.Unmarshal([]byte(body), &stats); err != nil {
		t.Fatal(err)
	}
	return stats["peersAll"]
}

// What the flags say of the tracker holds.
func TestTrackerFlags(t *testing.T) {
	t.Run("peers of one address", func(t *testing.T) {
		config := testnet.Config()
		config.MaxPeersPerAddress, config.TrustedProxy = 1, []string{"127.0.0.1"}
		base := strings.TrimSuffix(announceURLs(t, config)[1], "/announce")
		for _, peer := range []byte{'a', 'b', 'c'} {
			testnet.Ask(t, "GET", strings.Replace(announceURL(base+"/announce", peer, "left=0"), "6881", fmt.Sprint(1000+int(peer)), 1), "X-Forwarded-For", "203.0.113.1")
		}
		if n := peers(t, base); n != 1 {
			t.Errorf("%d peers", n)
		}
	})
	t.Run("requests of one address", func(t *testing.T) {
		config := testnet.Config()
		config.MaxRequestsPerAddress, config.TrustedProxy = 1, []string{"127.0.0.1"}
		at := announceURL(announceURLs(t, config)[1], 'a', "left=0")
		refused := 0
		for range 30 {
			if _, body := testnet.Ask(t, "GET", at, "X-Forwarded-For", "203.0.113.1"); !strings.Contains(body, "8:complete") {
				refused++
			}
		}
		if refused == 0 {
			t.Error("thirty at once are answered, at one a second and ten at once")
		}
		if _, body := testnet.Ask(t, "GET", at, "X-Forwarded-For", "203.0.113.2"); !strings.Contains(body, "8:complete") {
			t.Errorf("somebody else is answered %q", body)
		}
	})
	t.Run("how long peers are kept", func(t *testing.T) {
		config := testnet.Config()
		config.AnnounceInterval, config.TCPAnnounceInterval = time.Second, time.Second
		base := strings.TrimSuffix(announceURLs(t, config)[1], "/announce")
		testnet.Ask(t, "GET", announceURL(base+"/announce", 'a', "left=0"))
		testnet.Until(t, "a peer that announced once is forgotten", func() bool { return peers(t, base) == 0 })
	})
}

// A private tracker is private by UDP as well.
func TestPrivateByUDP(t *testing.T) {
	config := testnet.Config()
	config.Private.Private = filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(config.Private.Private, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	signed, err := config.SignedURLs("alice")
	if err != nil {
		t.Fatal(err)
	}
	urls := announceURLs(t, config)
	conn, err := net.Dial("udp", "127.0.0.1:"+strings.TrimSuffix(port(urls[2]), "/announce"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ask := func(request []byte) []byte {
		t.Helper()
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		answer := make([]byte, 2048)
		n, err := conn.Read(answer)
		if err != nil {
			t.Fatal(err)
		}
		return answer[:n]
	}
	// BEP 15: connect, then announce; BEP 41: the path of the URL.
	connected := ask(append(binary.BigEndian.AppendUint64(nil, 0x41727101980), make([]byte, 8)...))
	if len(connected) != 16 {
		t.Fatalf("connecting: % x", connected)
	}
	for path, want := range map[string]uint32{"/announce": 3, strings.TrimPrefix(signed[2], "udp://127.0.0.1:0"): 1} {
		request := make([]byte, 98)
		copy(request, connected[8:])
		request[11] = 1
		copy(request[16:], bytes.Repeat([]byte("h"), 20))
		copy(request[36:], bytes.Repeat([]byte("p"), 20))
		request[97] = 99
		request = append(append(request, 2, byte(len(path))), path...)
		if answer := ask(request); len(answer) < 8 || binary.BigEndian.Uint32(answer) != want {
			t.Errorf("%s: %q, want action %d", path, answer, want)
		}
	}
}

// What cannot be started leaves no port open: a second try finds it free.
func TestFailedStart(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(c *httpd.Config, busy string){
		"a certificate that is none": func(c *httpd.Config, _ string) { c.TLSCert, c.TLSKey = garbage, garbage },
		"a list that is missing":     func(c *httpd.Config, _ string) { c.DenyList = garbage + "/x" },
		"a UDP port in use":          func(c *httpd.Config, busy string) { c.UDPTracker = append(c.UDPTracker, busy) },
		"the relay's port in use":    func(c *httpd.Config, busy string) { c.Addr = busy },
	} {
		t.Run(name, func(t *testing.T) {
			busy, err := net.ListenPacket("udp4", free(t))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = busy.Close() }()
			config := withRelay()
			config.Addr = free(t)
			config.UDPTracker = []string{free(t)}
			change(&config, busy.LocalAddr().String())
			if _, err := httpd.Listen(config, testnet.Files(), quiet); err == nil {
				t.Fatal("it starts")
			}
			l, err := net.Listen("tcp", config.Addr)
			if err != nil {
				t.Fatalf("its TCP port: %v", err)
			}
			_ = l.Close()
			for _, addr := range []string{config.Addr, config.UDPTracker[0]} {
				if addr == busy.LocalAddr().String() {
					continue
				}
				c, err := net.ListenPacket("udp4", addr)
				if err != nil {
					t.Fatalf("its UDP port: %v", err)
				}
				_ = c.Close()
			}
		})
	}
	front := httpd.Front{Addr: free(t), TLSCert: garbage, TLSKey: garbage}
	if _, err := httpd.ListenSite(front, quiet); err == nil {
		t.Fatal("a site starts")
	}
	l, err := net.Listen("tcp", front.Addr)
	if err != nil {
		t.Fatalf("a site's port: %v", err)
	}
	_ = l.Close()
}

// free is an address that nobody listens at, by TCP or UDP.
func free(t *testing.T) string { return "127.0.0.1:" + testnet.FreePorts(t, 1)[0] }

// Flags that would be written over, or let in whom they are to keep out, are refused at the start.
func TestFlagsThatMakeNoSense(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "taken.new"), 0o700); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*httpd.Config){
		"is not an origin such as":      func(c *httpd.Config) { c.AllowOrigin = []string{"https://*.example.org"} },
		"at least 32 characters":        func(c *httpd.Config) { c.Cluster, c.ClusterSecretFile = "127.0.0.1:0", short },
		"is not an address such as":     func(c *httpd.Config) { c.Relay = withRelay().Relay; c.RelayAddress = []string{"0.0.0.0"} },
		"there is no folder":            func(c *httpd.Config) { c.Snapshot = filepath.Join(dir, "none", "peers") },
		"--snapshot cannot be written:": func(c *httpd.Config) { c.Snapshot = filepath.Join(dir, "taken") },
	} {
		config := testnet.Config()
		change(&config)
		if _, err := httpd.Listen(config, testnet.Files(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Headers are as long as cookies need, and no longer; with a site of somebody else that is more.
func TestLongHeaders(t *testing.T) {
	ours, theirs := testnet.Serve(t, testnet.Config(), testnet.Files()), site(t, httpd.Front{})
	for _, c := range []struct {
		url    string
		length int
		want   int
	}{{ours, 8 << 10, 200}, {ours, 48 << 10, 431}, {theirs, 48 << 10, 200}, {theirs, 160 << 10, 431}} {
		if response, _ := testnet.Ask(t, "GET", c.url+"/", "Cookie", strings.Repeat("x", c.length)); response.StatusCode != c.want {
			t.Errorf("%d bytes: %d, want %d", c.length, response.StatusCode, c.want)
		}
	}
}

func TestOldTLS(t *testing.T) {
	url := testnet.Serve(t, withCertificate(t, testnet.Config()), testnet.Files())
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		conn := dial(t, "tcp", url, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}).(*tls.Conn)
		if err := conn.Handshake(); (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		_ = conn.Close()
	}
}
