// Package loopback tells which names are this very machine's, and what was passed on by a proxy. A request that comes from
// this machine may have been made by somebody else's page, whose own name was made to lead here (DNS rebinding): such a name
// is none of these. Or by a proxy that runs here, for anybody.
package loopback

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Host says whether a URL's host, with or without a port, is this machine by name: localhost, what ends in .localhost
// (RFC 6761), or a loopback address.
func Host(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	a, err := netip.ParseAddr(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && a.Unmap().IsLoopback()
}

// Asked says whether a TLS client may have asked for this very machine: by such a name, or by none, as with an address; nil
// is no TLS. One who comes through a proxy that passes TLS on unread may write any host into a request, but has asked for a
// name that leads to the proxy.
func Asked(t *tls.ConnectionState) bool { return t == nil || t.ServerName == "" || Host(t.ServerName) }

// Proxied says whether a proxy passed a request on, as far as that shows: by what proxies add, or by what nginx says where it
// is told of nobody: HTTP/1.0, or that it upgrades to nothing. Of one that adds nothing nothing shows.
func Proxied(r *http.Request) bool {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || slices.Contains(added, name) {
			return true
		}
	}
	upgrade := strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade")
	return !r.ProtoAtLeast(1, 1) || upgrade && r.Header.Get("Upgrade") == ""
}

// Asks says whether a request was made on this very machine, which it came from, and not passed on here: as far as that shows.
// nginx that is set up for WebSockets alone ends each connection of another kind (Connection: close), which few programs do.
func Asks(r *http.Request) bool { return !Proxied(r) && !r.Close && Asked(r.TLS) }

// added are headers of proxies and content delivery networks, besides X-Forwarded-….
var added = []string{
	"Cdn-Loop", "Cf-Connecting-Ip", "Client-Ip", "Fastly-Client-Ip", "Forwarded", "True-Client-Ip", "Via", "X-Client-Ip",
	"X-Cluster-Client-Ip", "X-Envoy-External-Address", "X-Original-Forwarded-For", "X-Real-Ip", "X-Varnish",
}
