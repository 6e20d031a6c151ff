package httpd_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPeopleSeeTheAppWhereNothingIs(t *testing.T) {
	url := testnet.Serve(t, testnet.Config(), testnet.Files())
	response, body := testnet.Ask(t, "GET", url+"/mistyped", "Accept", "text/html,*/*;q=0.8")
	if response.StatusCode != 404 || !strings.Contains(body, "<title>Starling</title>") {
		t.Errorf("%d %.80q", response.StatusCode, body)
	}
	if got := response.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: %q", got)
	}
}

func TestRoutes(t *testing.T) {
	config := testnet.Config()
	config.IceServer = []string{"stun:stun.example.org:3478", "turn:turn.example.org:3478?transport=udp,me,a,secret"}
	url := testnet.Serve(t, config, testnet.Files())
	const index = "<!doctype html><title>Starling</title>"
	for _, c := range []struct {
		path, want string
		status     int
		header     map[string]string
	}{
		{"/", index, 200, map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"}},
		{"/memos", index, 200, nil},
		{"/m", "<title>A link", 200, map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"}},
		{"/f", "<title>A link", 200, nil},
		{"/share?seeds=x", "<title>A link", 200, nil},
		{"/link.html", "There is nothing here", 404, nil},
		{"/index.html", "There is nothing here", 404, map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		{"/memos/x", index, 200, nil},
		{"/about", index, 200, nil},
		{"/memos/x/y", "There is nothing here", 404, nil},
		{"/.keep", "There is nothing here", 404, nil},
		{"/index.html.br", "There is nothing here", 404, nil},
		{"/starling.js", "export const engine", 200, map[string]string{
			"Content-Type": "text/javascript; charset=utf-8", "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "no-cache"}},
		{"/starling-store.js", "onmessage", 200, map[string]string{"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}},
		{"/starling-sw.js", "onmessage", 200, map[string]string{"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin", "Service-Worker-Allowed": ""}},
		{"/starling.d.ts", "export declare", 200, map[string]string{"Content-Type": "text/plain; charset=utf-8", "Access-Control-Allow-Origin": "*"}},
		{"/sw.js", "onfetch", 200, map[string]string{"Service-Worker-Allowed": "/", "Cache-Control": "no-cache", "Access-Control-Allow-Origin": ""}},
		{"/assets/app-1a2.js", "import", 200, map[string]string{"Cache-Control": "public, max-age=31536000, immutable", "Cross-Origin-Resource-Policy": "same-origin"}},
		{"/assets/starling-1a.js", "node", 200, map[string]string{"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}},
		{"/manifest.webmanifest", "{}", 200, map[string]string{"Content-Type": "application/manifest+json"}},
		{"/api/ice", `{"iceServers":[{"urls":"stun:stun.example.org:3478"},{"urls":"turn:turn.example.org:3478?transport=udp","username":"me","credential":"a,secret"}]}`, 200,
			map[string]string{"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}},
		{"/~/download/0123456789abcdef0123456789abcdef/a.zip", "", 204, map[string]string{"Cache-Control": "no-store"}},
		{"/healthz", "ok", 200, nil},
		{"/metrics", "starling_tracker_sockets 0", 200, nil},
		{"/announce", "WebSocket", 426, map[string]string{"Upgrade": "websocket"}},
	} {
		response, body := testnet.Ask(t, "GET", url+c.path)
		if response.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %.80q, want %d %q", c.path, response.StatusCode, body, c.status, c.want)
		}
		for name, want := range c.header {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", c.path, name, got, want)
			}
		}
		head, body := testnet.Ask(t, "HEAD", url+c.path)
		if head.StatusCode != response.StatusCode || body != "" {
			t.Errorf("HEAD %s: %d %q", c.path, head.StatusCode, body)
		}
		if c.path != "/announce" {
			if response, _ := testnet.Ask(t, "POST", url+c.path); c.status == 200 && response.StatusCode != 405 {
				t.Errorf("POST %s: %d", c.path, response.StatusCode)
			}
		}
	}
}

// What looks into mail writes the # of a link as %23.
func TestLinksAreMended(t *testing.T) {
	url := testnet.Serve(t, testnet.Config(), testnet.Files())
	const id = "df23ea5cb6a261c7ba9d96f7ae4a43868b2e32e5.lsEucL9Nh7213TywgWY3DA"
	for path, want := range map[string]string{
		"/m%23" + id:             "/m#" + id,
		"/f%2523" + id + "&dn=a": "/f#" + id + "&dn=a",
		"/memos%23" + id:         "",
		"/m%23":                  "",
		"/m%23a%0d%0aX-Y:%20z":   "",
		"/m%23a/b":               "",
	} {
		request, err := http.NewRequest("GET", url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		status := http.StatusNotFound
		if want != "" {
			status = http.StatusFound
		}
		if got := response.Header.Get("Location"); got != want || response.StatusCode != status || response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d to %q, want %q", path, response.StatusCode, got, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	config := testnet.Config()
	config.AllowConnect = []string{"wss://tracker.example.org", "https://*.example.net:8443"}
	url := testnet.Serve(t, config, testnet.Files())
	host := strings.TrimPrefix(url, "http://")
	const others = " wss://tracker.example.org https://*.example.net:8443; "
	for _, path := range []string{"/", "/m", "/starling.js", "/nothing", "/api/ice", "/announce"} {
		h, _ := testnet.Ask(t, "GET", url+path)
		csp := h.Header.Get("Content-Security-Policy")
		if want := "connect-src 'self' ws://" + host + " wss://" + host + others; !strings.Contains(csp, want) {
			t.Errorf("%s: the policy %q lacks %q", path, csp, want)
		}
		if strings.Contains(csp, "unsafe") || !strings.HasSuffix(csp, "base-uri 'none'; form-action 'self'; frame-ancestors 'none'") || !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; ") {
			t.Errorf("%s: policy %q", path, csp)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "",
		} {
			if got := h.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", path, name, got, want)
			}
		}
		for _, want := range []string{"microphone=(self)", "camera=(self)", "screen-wake-lock=(self)", "autoplay=(self)", "geolocation=()"} {
			if !strings.Contains(h.Header.Get("Permissions-Policy"), want) {
				t.Errorf("%s: Permissions-Policy lacks %s", path, want)
			}
		}
	}
	for _, evil := range []string{"x; script-src *", "x,y", "a b"} {
		conn, err := net.Dial("tcp", strings.Replace(host, "localhost", "127.0.0.1", 1))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", evil)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if csp := response.Header.Get("Content-Security-Policy"); strings.Contains(csp, evil) {
			t.Errorf("Host %q came into the policy %q", evil, csp)
		}
		_ = conn.Close()
	}
}

func TestCompression(t *testing.T) {
	files := testnet.Files()
	url := testnet.Serve(t, testnet.Config(), files)
	deployed := fstest.MapFS{}
	for name, f := range files.(fstest.MapFS) {
		deployed[name] = &fstest.MapFile{Data: append(slices.Clip(f.Data), " of the next version"...)}
	}
	later := testnet.Serve(t, testnet.Config(), deployed)
	for _, c := range []struct{ path, accept, encoding, body string }{
		{"/", "gzip, deflate, br, zstd", "br", "index, brotli"},
		{"/", "gzip;q=1.0, br;q=0", "gzip", "index, gzip"},
		{"/", "GZIP", "gzip", "index, gzip"},
		{"/", "*", "br", "index, brotli"},
		{"/", "*;q=0", "", "<!doctype"},
		{"/", "identity", "", "<!doctype"},
		{"/", "brotli, xgzip", "", "<!doctype"},
		{"/", "br;q=what", "", "<!doctype"},
		{"/sw.js", "br, gzip", "gzip", "sw, gzip"},
		{"/assets/app-1a2.js", "br, gzip", "", "import"},
	} {
		response, body := testnet.Ask(t, "GET", url+c.path, "Accept-Encoding", c.accept)
		if got := response.Header.Get("Content-Encoding"); got != c.encoding || !strings.HasPrefix(body, c.body) {
			t.Errorf("%s, %s: %q %q, want %q %q", c.path, c.accept, got, body, c.encoding, c.body)
		}
		if vary := response.Header.Get("Vary"); (vary == "Accept-Encoding") != (c.path != "/assets/app-1a2.js") {
			t.Errorf("%s: Vary %q", c.path, vary)
		}
		etag := response.Header.Get("ETag")
		for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
			again, body := testnet.Ask(t, "GET", url+c.path, "Accept-Encoding", c.accept, "If-None-Match", match)
			if again.StatusCode != 304 || body != "" || again.Header.Get("ETag") != etag {
				t.Errorf("%s, If-None-Match %s: %d %q", c.path, match, again.StatusCode, body)
			}
		}
		if again, _ := testnet.Ask(t, "GET", url+c.path, "If-None-Match", etag, "Accept-Encoding", "identity"); c.encoding != "" && again.StatusCode != 200 {
			t.Errorf("%s: one ETag for two encodings", c.path)
		}
		if next, _ := testnet.Ask(t, "GET", later+c.path, "Accept-Encoding", c.accept, "If-None-Match", etag); next.StatusCode != 200 {
			t.Errorf("%s: one ETag for two versions", c.path)
		}
	}
}

func TestNotBuilt(t *testing.T) {
	url := testnet.Serve(t, testnet.Config(), fstest.MapFS{".keep": {}})
	for _, path := range []string{"/", "/m", "/starling.js"} {
		response, body := testnet.Ask(t, "GET", url+path)
		if response.StatusCode != 503 || !strings.Contains(body, "make build") {
			t.Errorf("%s: %d %q", path, response.StatusCode, body)
		}
	}
	if response, _ := testnet.Ask(t, "GET", url+"/healthz"); response.StatusCode != 200 {
		t.Errorf("/healthz: %d", response.StatusCode)
	}
}

func TestMetricsAreLocal(t *testing.T) {
	config := testnet.Config()
	url := testnet.Serve(t, config, testnet.Files())
	if response, body := testnet.Ask(t, "GET", url+"/metrics", "X-Forwarded-For", "203.0.113.1"); response.StatusCode != 403 || strings.Contains(body, "starling_") {
		t.Errorf("by a proxy on this machine: %d %.80q", response.StatusCode, body)
	}
	// A page whose name leads to this machine is not its operator's, though the operator's browser shows it. By TLS that
	// name is the server's own, and a proxy on this machine may have passed it on without a word.
	secure := testnet.Serve(t, withCertificate(t, config), testnet.Files())
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1": 200, "[::1]:80": 200, "tracker.localhost": 200,
		"evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:8080": 403, "192.0.2.1": 403,
	} {
		for _, at := range []string{url + "/metrics", url + "/stats", secure + "/metrics", secure + "/stats"} {
			if response, body := testnet.Ask(t, "GET", at, "Host", host); response.StatusCode != want {
				t.Errorf("%s as %s: %d %.80q, want %d", at, host, response.StatusCode, body, want)
			}
		}
	}
	config.MetricsPublic = true
	if response, _ := testnet.Ask(t, "GET", testnet.Serve(t, config, testnet.Files())+"/metrics", "X-Forwarded-For", "203.0.113.1"); response.StatusCode != 200 {
		t.Errorf("public: %d", response.StatusCode)
	}
}

// The addresses that X-Forwarded-For names show in how many sockets each may have.
func TestForwardedFor(t *testing.T) {
	config := testnet.Config()
	config.MaxSocketsPerAddress = 1
	config.TrustedProxy = []string{"127.0.0.0/8", "198.51.100.7"}
	trusting := testnet.Serve(t, config, testnet.Files())
	config.TrustedProxy = nil
	trustless := testnet.Serve(t, config, testnet.Files())
	status := func(url, forwarded string) int {
		conn, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(url, "http://"), "localhost", "127.0.0.1", 1))
		if err != nil {
			t.Fatal(err)
		}
		return testnet.Connect(t, conn, "X-Forwarded-For: "+forwarded).Response.StatusCode
	}
	for _, c := range []struct {
		url, forwarded string
		want           int
	}{
		{trusting, "203.0.113.1", 101},
		{trusting, "203.0.113.1", 429},
		{trusting, "10.9.8.7, 203.0.113.1", 429},     // what the client itself wrote does not count
		{trusting, "203.0.113.1, 198.51.100.7", 429}, // through two trusted proxies
		{trusting, "203.0.113.1, 203.0.113.2", 101},  // the last one that is not trusted counts
		{trusting, "203.0.113.1:4711", 429},          // as some balancers write it
		{trusting, "[2001:db8::1]:4711", 101},
		{trusting, "2001:db8::1", 429},
		{trusting, "nonsense", 101}, // then it is the proxy, on loopback
		{trusting, "nonsense", 101},
		{trustless, "203.0.113.1", 101},
		{trustless, "203.0.113.1", 101},
	} {
		if got := status(c.url, c.forwarded); got != c.want {
			t.Errorf("%q: %d, want %d", c.forwarded, got, c.want)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*httpd.Config)
		want   string
	}{
		{func(c *httpd.Config) { c.Addr = busy.Addr().String() }, "in use by another program: stop that, or choose another port with --addr"},
		{func(c *httpd.Config) { c.Addr = "8080" }, "--addr \"8080\" is not HOST:PORT"},
		{func(c *httpd.Config) { c.Addr = "192.0.2.1:8080" }, "not an address of this machine: change --addr"},
		{func(c *httpd.Config) { c.Addr = "127.0.0.1:99999" }, "--addr \"127.0.0.1:99999\" is not HOST:PORT"},
		{func(c *httpd.Config) { c.TLSCert = "missing.pem" }, "--tls-cert and --tls-key go together"},
		{func(c *httpd.Config) { c.TLSCert, c.TLSKey = "missing.pem", garbage }, "--tls-cert cannot be read: open missing.pem"},
		{func(c *httpd.Config) { c.TLSCert, c.TLSKey = garbage, "missing.pem" }, "--tls-key cannot be read: open missing.pem"},
		{func(c *httpd.Config) { c.TLSCert, c.TLSKey = garbage, garbage }, "are not a certificate and its key in PEM"},
		{func(c *httpd.Config) { c.Domain, c.TLSCert, c.TLSKey = "example.org", garbage, garbage }, "leave out"},
		{func(c *httpd.Config) { c.Domain = "https://example.org" }, "--domain \"https://example.org\" is not a public name"},
		{func(c *httpd.Config) { c.Domain = "localhost" }, "use --tls-cert and --tls-key"},
		{func(c *httpd.Config) { c.ACMECA = "https://ca.example.org/dir" }, "--acme-ca needs --domain"},
		{func(c *httpd.Config) { c.Domain, c.ACMECA = "example.org", "ca.example.org" }, "--acme-ca \"ca.example.org\" is not the https:// address"},
		{func(c *httpd.Config) { c.Domain, c.CertDir = "example.org", garbage }, "--cert-dir cannot be used"},
		// It is there, and not even root may write to it.
		{func(c *httpd.Config) { c.Domain, c.CertDir = "example.org", "/proc/self" }, "--cert-dir cannot be used"},
		{func(c *httpd.Config) { c.Private.Revoked = garbage }, "--revoked is for private trackers"},
		{func(c *httpd.Config) { c.DenyList = "missing" }, "--allow-list, --deny-list: reading a list: open missing"},
		{func(c *httpd.Config) { c.IceServer = []string{"stun.example.org"} }, "--ice-server \"stun.example.org\" is not a URL"},
		{func(c *httpd.Config) { c.IceServer = []string{"http:x"} }, "must begin with stun:"},
		{func(c *httpd.Config) { c.IceServer = []string{"turn:x"} }, "needs user and password"},
		{func(c *httpd.Config) { c.IceServer = []string{"turn:x,me,"} }, "needs user and password"},
		{func(c *httpd.Config) { c.IceServer = []string{"turn:x?transport=sctp,me,secret"} }, "is not a URL such as stun:host:3478 or turn:host:3478?transport=tcp"},
		{func(c *httpd.Config) { c.IceServer = []string{"stun:x?transport=udp"} }, "is not a URL"},
		{func(c *httpd.Config) { c.IceServer = []string{"stun:x,me"} }, "takes no user"},
		{func(c *httpd.Config) { c.AllowConnect = []string{"wss://x/announce"} }, "is not an origin"},
		{func(c *httpd.Config) { c.AllowConnect = []string{"wss://x; script-src *"} }, "is not an origin"},
		{func(c *httpd.Config) { c.TrustedProxy = []string{"proxy"} }, "--trusted-proxy \"proxy\" is not an address"},
		{func(c *httpd.Config) { c.AnnounceInterval = time.Millisecond }, "--announce-interval 1ms is too short"},
		{func(c *httpd.Config) { c.MaxSocketsPerAddress = 0 }, "--max-sockets-per-address"},
		{func(c *httpd.Config) { c.AllowOrigin = []string{"https://example.org/path"} }, "--allow-origin \"https://example.org/path\" is not an origin"},
		{func(c *httpd.Config) { c.ClusterSecretFile = garbage }, "--cluster-secret-file and --cluster-advertise need --cluster"},
		{func(c *httpd.Config) { c.NATS = "nats:10.0.0.1" }, "--nats is not a URL"},
	} {
		config := testnet.Config()
		c.change(&config)
		if _, err := httpd.Listen(config, testnet.Files(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestShutdown(t *testing.T) {
	server, err := httpd.Listen(testnet.Config(), testnet.Files(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	address := strings.Replace(strings.TrimPrefix(server.URL(), "http://"), "localhost", "127.0.0.1", 1)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	socket := testnet.Connect(t, conn)
	stop()
	if code := socket.WaitEnd(); code != 1001 {
		t.Errorf("the socket was closed with %d, want 1001", code)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("it still listens")
	}
}

func TestLogs(t *testing.T) {
	var log bytes.Buffer
	config := testnet.Config()
	server, err := httpd.Listen(config, testnet.Files(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	conn, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(server.URL(), "http://"), "localhost", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "nonsense\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn)
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if log.Len() > 0 {
		t.Errorf("a stranger's nonsense is in the log: %s", log.String())
	}
}
