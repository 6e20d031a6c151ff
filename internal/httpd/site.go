package httpd

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// Site serves somebody else's pages where a Front says, with its TLS and its notion of who asks. There are no routes,
// headers and tracker of ours.
type Site struct {
	server *Server
	once   sync.Once
}

// maxSiteHeader leaves room for the cookies of any site.
const maxSiteHeader = 64 << 10

// ListenSite checks the configuration and begins to listen. Errors say which flag to change.
func ListenSite(front Front, log *slog.Logger) (*Site, error) {
	if front.Domain != "" && front.Addr == DefaultAddr {
		front.Addr = ":443"
	}
	proxies, err := front.check()
	if err != nil {
		return nil, err
	}
	s := &Server{config: Config{Front: front}, settings: settings{proxies: proxies}, wondered: rate.Sometimes{Interval: wonderEvery}, log: log}
	if err := s.listenBoth(); err != nil {
		return nil, err
	}
	if err := s.prepareTLS(); err != nil {
		s.unlisten()
		return nil, err
	}
	return &Site{server: s}, nil
}

// URL is where a browser on this machine finds the site; with a domain, any browser.
func (s *Site) URL() string { return s.server.URL() }

// Address tells who asks.
func (s *Site) Address(r *http.Request) netip.Addr { return s.server.address(r) }

// Close ends listening. It may be called again, and after Serve.
func (s *Site) Close() (err error) {
	s.once.Do(func() {
		s.server.unlisten()
		err = s.server.acme.close()
	})
	return err
}

// Serve answers until the context ends, lets requests finish, and returns nil. How long an upload or a film takes is not
// bounded; headers and silence are.
func (s *Site) Serve(ctx context.Context, h http.Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	of := s.server
	server := of.newHTTP(patient(h))
	server.ReadTimeout, server.WriteTimeout, server.MaxHeaderBytes = 0, 0, maxSiteHeader
	server.TLSConfig = of.tls
	of.watchCertificate(ctx)
	failed := make(chan error, 2)
	listener := of.accept(of.listener)
	go func() {
		if of.tls != nil {
			failed <- server.ServeTLS(listener, "", "")
		} else {
			failed <- server.Serve(listener)
		}
	}()
	if of.acme != nil {
		go func() { failed <- of.acme.serve(ctx, of.config.Domain, of.accept) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stop, end := context.WithTimeout(context.Background(), shutdownTimeout)
	defer end()
	err = errors.Join(err, s.Close())
	// Who did not finish in time is cut off: that was asked for.
	if late := server.Shutdown(stop); errors.Is(late, context.DeadlineExceeded) {
		_ = server.Close()
	}
	return err
}
