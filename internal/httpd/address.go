package httpd

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/starling-p2p/starling/internal/loopback"
)

func peer(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap()
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.settings.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// address tells who asks. X-Forwarded-For grows to the right as proxies add whom they saw, so it is read from there,
// and only as far as trusted proxies wrote it.
func (s *Server) address(r *http.Request) netip.Addr {
	a := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusted(a); i-- {
		hop := strings.TrimSpace(hops[i])
		next, err := netip.ParseAddr(hop)
		if err != nil {
			// Some balancers add the port.
			var at netip.AddrPort
			at, err = netip.ParseAddrPort(hop)
			next = at.Addr()
		}
		if err != nil {
			break
		}
		a = next.Unmap()
	}
	s.wonder(r)
	return a
}

// wonder tells the operator, once a day, of a proxy that seems to be set up so that all who come through it are one address.
func (s *Server) wonder(r *http.Request) {
	from := peer(r)
	if s.config.ProxyProtocol || !from.IsLoopback() && !from.IsPrivate() && !s.trusted(from) {
		return // anybody may write headers
	}
	if r.Header["X-Forwarded-For"] != nil {
		if !s.trusted(from) {
			s.wondered.Do(func() {
				s.log.Warn("X-Forwarded-For is not believed: all who come from there count as one address. If it is your proxy, name it with --trusted-proxy", "address", from)
			})
		}
		return
	}
	// What the machine itself asks names no origin, or one of its own.
	origin, err := url.Parse(r.Header.Get("Origin"))
	if err == nil && origin.Host != "" && !loopback.Host(origin.Host) && (from.IsLoopback() || s.trusted(from)) {
		s.wondered.Do(func() {
			s.log.Warn("a proxy seems not to say for whom it asks: all who come through it count as one address. Have it add X-Forwarded-For, and name it with --trusted-proxy", "address", from, "origin", origin.Host)
		})
	}
}

// local says whether a request was made on this very machine, at a name of its own: not by somebody else's page that has
// its own name lead here (DNS rebinding), nor passed on by a proxy that runs here, be it one that passes TLS on unread.
func local(r *http.Request) bool {
	from := peer(r)
	// What a machine asks at an address of its own comes from there.
	own := from == asked(r) && names(r.Host, from)
	return (own || from.IsLoopback() && loopback.Host(r.Host)) && loopback.Asks(r)
}

// asked is the address of this machine that a request came to.
func asked(r *http.Request) netip.Addr {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.IPv6Unspecified() // where nobody asks from
}

// names says whether a host, with or without a port, is this address: no name that may lead anywhere.
func names(host string, a netip.Addr) bool {
	h, err := netip.ParseAddr((&url.URL{Host: host}).Hostname())
	return err == nil && h.Unmap() == a
}
