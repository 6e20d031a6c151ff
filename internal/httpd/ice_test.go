package httpd_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// withRelay is the default configuration with the relay on, on a free port.
func withRelay() httpd.Config {
	config := testnet.Config()
	config.Relay = httpd.Relay{Enabled: true, RelayMaxAllocations: 10, RelayMaxAllocationsPerAddress: 10}
	return config
}

func withCertificate(t *testing.T, config httpd.Config) httpd.Config {
	t.Helper()
	config.TLSCert, config.TLSKey = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	certificate(t, config.TLSCert, config.TLSKey, 1, time.Now())
	return config
}

func port(url string) string { return url[strings.LastIndex(url, ":")+1:] }

// bind asks by STUN for its address, over anything.
func bind(t *testing.T, conn net.Conn) {
	t.Helper()
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	if _, err := conn.Write(request.Raw); err != nil {
		t.Fatal(err)
	}
	answer := &stun.Message{Raw: make([]byte, 40)}
	if _, err := io.ReadAtLeast(conn, answer.Raw, 40); err != nil {
		t.Fatal(err)
	}
	var mapped stun.XORMappedAddress
	if err := answer.Decode(); err != nil || answer.TransactionID != request.TransactionID || mapped.GetFrom(answer) != nil {
		t.Fatalf("%v, %v", answer, err)
	}
	if mapped.String() != conn.LocalAddr().String() {
		t.Errorf("we are %v to others, and %v to ourselves", mapped, conn.LocalAddr())
	}
}

func dial(t *testing.T, network, url string, config *tls.Config) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, "127.0.0.1:"+port(url))
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		config.InsecureSkipVerify = true
		conn = tls.Client(conn, config)
	}
	return conn
}

// HTTP and STUN share a port, with TLS and without.
func TestOnePort(t *testing.T) {
	plain, secure := withRelay(), withCertificate(t, withRelay())
	for _, url := range []string{testnet.Serve(t, plain, testnet.Files()), testnet.Serve(t, secure, testnet.Files())} {
		bind(t, dial(t, "udp", url, nil))
		bind(t, dial(t, "tcp", url, nil))
		if _, body := testnet.Ask(t, "GET", url+"/healthz"); body != "ok\n" {
			t.Errorf("%q", body)
		}
		// One that says nothing keeps nobody waiting, and does not hold up the end.
		silent := dial(t, "tcp", url, nil)
		defer func() { _ = silent.Close() }()
		if !strings.HasPrefix(url, "https") {
			continue
		}
		bind(t, dial(t, "tcp", url, &tls.Config{}))
		quiet := dial(t, "tcp", url, &tls.Config{}).(*tls.Conn)
		defer func() { _ = quiet.Close() }()
		if err := quiet.Handshake(); err != nil {
			t.Error(err)
		}
		for _, c := range []struct {
			protocols []string
			major     int
		}{{nil, 1}, {[]string{"http/1.1"}, 1}, {[]string{"h2"}, 2}} {
			transport := &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: c.major == 2,
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: c.protocols}}
			request, _ := http.NewRequestWithContext(t.Context(), "GET", url+"/", nil)
			request.Host = "memos.example.org" // localhost is not told to stay with HTTPS
			response, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatalf("%q: %v", c.protocols, err)
			}
			_ = response.Body.Close()
			if response.ProtoMajor != c.major || response.StatusCode != 200 || response.Header.Get("Strict-Transport-Security") == "" {
				t.Errorf("%q: %s %s, Strict-Transport-Security %q", c.protocols, response.Proto, response.Status, response.Header.Get("Strict-Transport-Security"))
			}
		}
		lost := dial(t, "tcp", url, nil)
		defer func() { _ = lost.Close() }()
		if _, err := io.WriteString(lost, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(lost), nil)
		if err != nil || response.StatusCode != http.StatusBadRequest {
			t.Errorf("HTTP where HTTPS is: %v, %v", response, err)
		}
	}
}

// WebSockets pass as they did.
func TestSocketsBesideTheRelay(t *testing.T) {
	url := testnet.Serve(t, withRelay(), testnet.Files())
	socket := testnet.Connect(t, dial(t, "tcp", url, nil))
	socket.Send(`{"action":"announce","info_hash":"aaaaaaaaaaaaaaaaaaaa","peer_id":"bbbbbbbbbbbbbbbbbbbb"}`)
	if m := socket.Next(); m["incomplete"] != 1.0 {
		t.Errorf("%v", m)
	}
}

// Pages are told of the relay by the name that they know the server by.
func TestICE(t *testing.T) {
	loopback, everywhere, secure, named, without := withRelay(), withRelay(), withCertificate(t, withRelay()), withRelay(), testnet.Config()
	everywhere.Addr, everywhere.TrustedProxy = "0.0.0.0:0", []string{"127.0.0.1"}
	everywhere.RelayAddress = []string{"203.0.113.5"}
	named.RelayHost = "turn.example.org:3478"
	for i, config := range []*httpd.Config{&loopback, &everywhere, &secure, &named, &without} {
		config.IceServer = []string{"stun:stun.example.net:1"}
		url := testnet.Serve(t, *config, testnet.Files())
		own := port(url)
		const proxied = "203.0.113.9"
		for _, c := range []struct {
			server    int
			host, via string
			want      string // as in turn:…, or none
		}{
			{0, "localhost:" + own, "", "127.0.0.1:" + own},
			{0, "127.0.0.1:" + own, "", "127.0.0.1:" + own},
			{0, "share.example.org", proxied, ""},
			{1, "localhost:" + own, "", "127.0.0.1:" + own},
			{1, "share.example.org", "", "share.example.org:80"},
			{1, "share.example.org:8000", "", "share.example.org:8000"},
			{1, "share.example.org", proxied, "share.example.org:" + own},
			{1, "share.example.org:8443", proxied, "share.example.org:" + own},
			{1, "localhost", proxied, ""},
			{1, "127.0.0.1", proxied, ""},
			{1, "[2001:db8::1]:8000", "", "[2001:db8::1]:8000"},
			{1, "[2001:db8::1]", proxied, "[2001:db8::1]:" + own},
			{1, "a_b?c", "", ""},
			{2, "share.example.org", "", "share.example.org:443"},
			{3, "localhost:" + own, "", "turn.example.org:3478"},
			{3, "share.example.org", proxied, "turn.example.org:3478"},
			{4, "localhost:" + own, "", ""},
		} {
			if c.server != i {
				continue
			}
			headers := []string{"Host", c.host}
			if c.via != "" {
				headers = append(headers, "X-Forwarded-For", c.via)
			}
			response, body := testnet.Ask(t, "GET", url+"/api/ice", headers...)
			if response.StatusCode != 200 || response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%+v: %s %v", c, response.Status, response.Header)
			}
			var got struct {
				ICEServers []struct{ URLs, Username, Credential string }
				Lifetime   int
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			var urls []string
			for _, s := range got.ICEServers {
				urls = append(urls, s.URLs)
				if strings.HasPrefix(s.URLs, "turn") != (s.Username != "" && s.Credential != "") {
					t.Errorf("%+v: %+v", c, s)
				}
			}
			want, lifetime := "stun:stun.example.net:1", 0
			if c.want != "" {
				tcp := "turn:"
				if c.server == 2 {
					tcp = "turns:"
				}
				want = fmt.Sprintf("stun:%[1]s turn:%[1]s?transport=udp %[2]s%[1]s?transport=tcp %[3]s", c.want, tcp, want)
				lifetime = 3600
			}
			if strings.Join(urls, " ") != want || got.Lifetime != lifetime {
				t.Errorf("%+v: %v, %d s; want %s", c, urls, got.Lifetime, want)
			}
		}
	}
}

func TestRelayErrors(t *testing.T) {
	for _, c := range []struct {
		change func(*httpd.Config)
		want   string
	}{
		{func(c *httpd.Config) { c.RelayHost = "turn:example.org" }, `--relay-host "turn:example.org" is not a name`},
		{func(c *httpd.Config) { c.RelayAddress = []string{"example.org"} }, `--relay-address "example.org" is not an address`},
		{func(c *httpd.Config) { c.RelayAddress = []string{"203.0.113.5", "203.0.113.6"} }, "one address of each family"},
		{func(c *httpd.Config) { c.RelaySecret = "short" }, "--relay-secret is too short"},
		{func(c *httpd.Config) { c.RelayMaxAllocations = 0 }, "must be at least 1; --no-relay"},
		{func(c *httpd.Config) { c.RelayRate = -1 }, "must not be negative"},
	} {
		config := withRelay()
		c.change(&config)
		if _, err := httpd.Listen(config, testnet.Files(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}

	// A UDP port that is taken, while the TCP port of that number is free.
	busy, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	config := withRelay()
	config.Addr = busy.LocalAddr().String()
	_, err = httpd.Listen(config, testnet.Files(), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "UDP port "+port(config.Addr)+" is in use") && !strings.Contains(err.Error(), config.Addr+" is in use") {
		t.Errorf("got %v", err)
	}
}

func TestRelayMetrics(t *testing.T) {
	url := testnet.Serve(t, withRelay(), testnet.Files())
	_, body := testnet.Ask(t, "GET", url+"/metrics")
	for _, want := range []string{
		"starling_relay_allocations 0", "starling_relay_streams 0", `starling_relay_bytes_total{to="peers"} 0`,
		`starling_relay_refused_total{cause="credentials"} 0`, `starling_relay_refused_total{cause="quota"} 0`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
}

// The tracker's UDP at the port of --addr is answered by the socket that is there, where that is wanted.
func TestUDPTrackerBesideTheRelay(t *testing.T) {
	const connect = "\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00abcd"
	unasked := dial(t, "udp", testnet.Serve(t, withRelay(), testnet.Files()), nil)
	if _, err := unasked.Write([]byte(connect)); err != nil {
		t.Fatal(err)
	}
	bind(t, unasked) // whose answer is the first
	config := withRelay()
	config.Addr = free(t)
	config.UDPTracker = []string{config.Addr}
	url := testnet.Serve(t, config, testnet.Files())
	conn := dial(t, "udp", url, nil)
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write([]byte(connect)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 100)
	if n, err := conn.Read(answer); err != nil || n != 16 || string(answer[4:8]) != "abcd" {
		t.Errorf("%x, %v", answer[:n], err)
	}
	bind(t, conn)
}
