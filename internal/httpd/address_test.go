package httpd

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/time/rate"
)

// What a machine asks at an address of its own comes from there, and a name may lead anywhere.
func TestLocal(t *testing.T) {
	for _, c := range []struct {
		at, from, host string
		want           bool
	}{
		{"192.168.1.5", "192.168.1.5", "192.168.1.5:8080", true},
		{"192.168.1.5", "192.168.1.9", "192.168.1.5:8080", false},
		{"192.168.1.5", "192.168.1.9", "192.168.1.9:8080", false}, // who names itself
		{"192.168.1.5", "192.168.1.5", "192.168.1.9:8080", false},
		{"192.168.1.5", "192.168.1.5", "evil.example:8080", false},
		{"::ffff:192.168.1.5", "::ffff:192.168.1.5", "192.168.1.5", true},
		{"fd00::5", "fd00::5", "[fd00::5]:8080", true},
		{"fd00::5", "fd00::9", "[fd00::5]:8080", false},
		{"127.0.0.1", "127.0.0.1", "localhost:8080", true},
		{"127.0.0.1", "127.0.0.1", "192.168.1.5:8080", false},
	} {
		at := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(c.at), 8080))
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, at), "GET", "/stats", nil)
		r.RemoteAddr, r.Host = net.JoinHostPort(c.from, "4711"), c.host
		if got := local(r); got != c.want {
			t.Errorf("%s asks %s as %s: local %t", c.from, c.at, c.host, got)
		}
		for name, want := range map[string]bool{"": c.want, "localhost": c.want, "share.example.org": false} {
			if r.TLS = (&tls.ConnectionState{ServerName: name}); local(r) != want {
				t.Errorf("%s asks for %q by TLS and %s as %s: local %t", c.from, name, c.at, c.host, !want)
			}
		}
		r.TLS = nil
		if r.Close = true; local(r) {
			t.Errorf("%s at %s: nginx that runs here", c.from, c.at)
		}
		r.Close = false
		if r.Header.Set("X-Real-IP", "203.0.113.1"); local(r) {
			t.Errorf("%s at %s: a proxy that runs here", c.from, c.at)
		}
	}
}

// A proxy that is set up so that all who come through it are one address is named in the log, once; strangers name none.
func TestWonder(t *testing.T) {
	for name, c := range map[string]struct {
		from, trusted, forwarded, origin string
		want                             string
	}{
		"nobody said to trust it":   {"127.0.0.1", "", "203.0.113.1", "https://share.example.org", "is not believed"},
		"another one is trusted":    {"10.0.0.7", "10.0.0.8", "203.0.113.1", "", "is not believed"},
		"a stranger writes headers": {"203.0.113.5", "127.0.0.1", "203.0.113.1", "https://share.example.org", ""},
		"it says nothing":           {"127.0.0.1", "127.0.0.1", "", "https://share.example.org", "have it add"},
		"nor is it trusted":         {"127.0.0.1", "", "", "https://share.example.org", "have it add"},
		"all is well":               {"127.0.0.1", "127.0.0.1", "203.0.113.1", "https://share.example.org", ""},
		"a page of this machine":    {"127.0.0.1", "", "", "http://localhost:8080", ""},
		"a program of this machine": {"127.0.0.1", "127.0.0.1", "", "", ""},
		"somebody in the house":     {"192.168.1.9", "", "", "http://192.168.1.5:8080", ""},
	} {
		var said strings.Builder
		s := &Server{log: slog.New(slog.NewTextHandler(&said, nil)), wondered: rate.Sometimes{Interval: wonderEvery}}
		if c.trusted != "" {
			s.settings.proxies = []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(c.trusted), 32)}
		}
		r := httptest.NewRequest("GET", "/announce", nil)
		r.RemoteAddr = net.JoinHostPort(c.from, "4711")
		for header, value := range map[string]string{"X-Forwarded-For": c.forwarded, "Origin": c.origin} {
			if value != "" {
				r.Header.Set(header, value)
			}
		}
		s.address(r)
		s.address(r)
		text := strings.ToLower(said.String())
		if n := strings.Count(text, "\n"); !strings.Contains(text, c.want) || n > 1 || (n == 1) != (c.want != "") {
			t.Errorf("%s: %q", name, text)
		}
	}
}
