// Package loopback tells which names are this very machine's. A request that comes from this machine may have been made by
// somebody else's page, whose own name was made to lead here (DNS rebinding): such a name is none of these.
package loopback

import (
	"crypto/tls"
	"net/netip"
	"net/url"
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
