package httpd

import (
	"errors"
	"net"

	"github.com/pires/go-proxyproto"
)

var errNoClient = errors.New("a PROXY protocol header that names no TCP client")

// accept is where connections are taken from. Trusted proxies that do not speak HTTP, such as HAProxy in TCP mode or a
// cloud's load balancer, say before the first byte for whom they connect, beneath TLS and all else:
//
//	│ PROXY protocol header, version 1 or 2 │ what the client sends …
//
// They must: without that, whatever their clients send first would be believed. Others must not, and get what they would
// get for any other first line that is not HTTP.
func (s *Server) accept(l net.Listener) net.Listener {
	if !s.config.ProxyProtocol {
		return l
	}
	return &proxyproto.Listener{
		Listener: l,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if a, ok := o.Upstream.(*net.TCPAddr); ok && s.trusted(a.AddrPort().Addr().Unmap()) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.SKIP, nil
		},
		ValidateHeader: func(h *proxyproto.Header) error {
			// A proxy that asks for itself, to see whether we are alive, says so and names nobody.
			if _, ok := h.SourceAddr.(*net.TCPAddr); !ok && !h.Command.IsLocal() {
				return errNoClient
			}
			return nil
		},
		ReadHeaderTimeout: headerTimeout,
	}
}
