package httpd

import (
	"net/http"
	"net/netip"
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
	return a
}

// local says whether a request was made on this very machine, at a name of its own: not by somebody else's page that has
// its own name lead here (DNS rebinding), nor passed on by a proxy that runs here, be it one that passes TLS on unread and
// says nothing of itself.
func local(r *http.Request) bool {
	return peer(r).IsLoopback() && !proxied(r) && loopback.Host(r.Host)
}

// proxied says whether a proxy passed a request on, as far as proxies say so.
func proxied(r *http.Request) bool {
	return r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != ""
}
