package loopback

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8080": true, "tracker.localhost": true, "127.0.0.1": true, "127.9.9.9:80": true,
		"[::1]:80": true, "[::1]": true, "[::ffff:127.0.0.1]:80": true,
		"": false, "evil.example": false, "localhost.evil.example": false, "notlocalhost": false, "192.0.2.1": false,
		"127.0.0.1.evil.example:8080": false, "0.0.0.0:80": false, "[::]:80": false,
	} {
		if got := Host(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
}

// What each sends to a server on its machine when it is told nothing but where that is; nginx too for WebSockets, as its
// manual has it.
func TestProxied(t *testing.T) {
	for name, c := range map[string]struct {
		request       string
		proxied, asks bool
	}{
		"nginx":                {"HTTP/1.0|Host: 127.0.0.1:8080|Connection: close", true, false},
		"nginx, WebSockets":    {"HTTP/1.1|Host: 127.0.0.1:8080|Connection: upgrade", true, false},
		"nginx, $http_upgrade": {"HTTP/1.1|Host: 127.0.0.1:8080|Connection: close", false, false},
		"nginx, X-Real-IP":     {"HTTP/1.1|Host: localhost|X-Real-IP: 203.0.113.1", true, false},
		"Apache":               {"HTTP/1.1|Host: 127.0.0.1:8080|X-Forwarded-Host: a.example|Connection: Keep-Alive", true, false},
		"Caddy":                {"HTTP/1.1|Host: localhost|X-Forwarded-For: 203.0.113.1", true, false},
		"Varnish":              {"HTTP/1.1|Host: localhost|Accept-Encoding: gzip|X-Varnish: 2", true, false},
		"RFC 7239":             {"HTTP/1.1|Host: localhost|Forwarded: for=203.0.113.1", true, false},
		"for nobody":           {"HTTP/1.1|Host: localhost|X-Forwarded-For: ", true, false},
		"curl":                 {"HTTP/1.1|Host: localhost:8080|User-Agent: curl/7.88.1|Accept: */*", false, true},
		"wget":                 {"HTTP/1.1|Host: localhost:8080|Accept-Encoding: identity|Connection: Keep-Alive", false, true},
		"a browser":            {"HTTP/1.1|Host: localhost:8080|Connection: keep-alive|Upgrade-Insecure-Requests: 1", false, true},
		"a WebSocket":          {"HTTP/1.1|Host: localhost:8080|Connection: keep-alive, Upgrade|Upgrade: websocket", false, true},
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / " + strings.ReplaceAll(c.request, "|", "\r\n") + "\r\n\r\n")))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if proxied, asks := Proxied(r), Asks(r); proxied != c.proxied || asks != c.asks {
			t.Errorf("%s: proxied %t, asks %t", name, proxied, asks)
		}
	}
}
