package httpd

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
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
