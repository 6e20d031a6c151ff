package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// prepareTLS sets up whichever way to a certificate was chosen, if any. It runs before anything is served.
func (s *Server) prepareTLS() error {
	switch {
	case s.config.Domain != "":
		s.acme = newACME(&s.config, s.log, s.newHTTP)
		s.tls = s.acme.magic.TLSConfig()
	case s.config.TLSCert != "":
		pair := &keyPair{certFile: s.config.TLSCert, keyFile: s.config.TLSKey, log: s.log}
		if err := pair.load(); err != nil {
			return err
		}
		s.tls = &tls.Config{GetCertificate: pair.get}
	}
	if s.tls != nil {
		s.tls.MinVersion = tls.VersionTLS12
		s.tls.NextProtos = append([]string{"h2", "http/1.1"}, s.tls.NextProtos...)
	}
	return nil
}

// keyPair is a certificate from files, read again when they change, for something else renews them.
type keyPair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	cert    *tls.Certificate
	changed time.Time // of the file that is loaded
	looked  time.Time
}

func (p *keyPair) load() error {
	for _, f := range []struct{ flag, path string }{{"--tls-cert", p.certFile}, {"--tls-key", p.keyFile}} {
		if file, err := os.Open(f.path); err != nil {
			return fmt.Errorf("%s cannot be read: %w", f.flag, err)
		} else {
			_ = file.Close()
		}
	}
	info, err := os.Stat(p.certFile)
	if err != nil {
		return fmt.Errorf("--tls-cert cannot be read: %w", err)
	}
	cert, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return fmt.Errorf("--tls-cert %s and --tls-key %s are not a certificate and its key in PEM: %w", p.certFile, p.keyFile, err)
	}
	p.cert, p.changed = &cert, info.ModTime()
	return nil
}

// get looks at the file at most every ten seconds. While the new one is not whole, the old one goes on.
func (p *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.looked) > 10*time.Second {
		p.looked = now
		if info, err := os.Stat(p.certFile); err == nil && !info.ModTime().Equal(p.changed) {
			if err := p.load(); err != nil {
				p.log.Error("the certificate has changed and cannot be used; the old one stays", "error", err)
			} else {
				p.log.Info("the certificate has changed")
			}
		}
	}
	return p.cert, nil
}

// acme gets certificates for a domain and renews them. What it keeps running ends with close.
type acme struct {
	magic *certmagic.Config
	cache *certmagic.Cache
	plain *http.Server // on port 80: the authority's challenges; all else is sent to HTTPS
	log   *slog.Logger
}

func newACME(c *Config, log *slog.Logger, server func(http.Handler) *http.Server) *acme {
	a := &acme{log: log}
	quiet := zap.NewNop() // what matters comes as events
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic, nil },
		Logger:           quiet,
	})
	options := certmagic.Config{Logger: quiet, OnEvent: func(_ context.Context, event string, data map[string]any) error {
		switch event {
		case "cert_obtained":
			log.Info("got a certificate", "domain", data["identifier"])
		case "cert_failed":
			log.Error("no certificate yet; trying again", "domain", data["identifier"], "error", data["error"])
		}
		return nil
	}}
	if c.CertDir != "" {
		options.Storage = &certmagic.FileStorage{Path: c.CertDir}
	}
	a.magic = certmagic.New(a.cache, options)
	issuer := certmagic.NewACMEIssuer(a.magic, certmagic.ACMEIssuer{Agreed: true, Logger: quiet})
	a.magic.Issuers = []certmagic.Issuer{issuer}
	a.plain = server(issuer.HTTPChallengeHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+c.Domain+r.URL.RequestURI(), http.StatusMovedPermanently)
	})))
	return a
}

// serve returns nil only when it was closed.
func (a *acme) serve(ctx context.Context, domain string, accept func(net.Listener) net.Listener) error {
	if err := a.magic.ManageAsync(ctx, []string{domain}); err != nil {
		return fmt.Errorf("getting a certificate for --domain %s: %w", domain, err)
	}
	port80, err := net.Listen("tcp", ":80")
	if err != nil {
		// The authority can ask on port 443 as well.
		a.log.Warn("port 80 cannot be opened: http:// will not lead here", "error", err)
		<-ctx.Done()
		return nil
	}
	if err := a.plain.Serve(accept(port80)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving on port 80: %w", err)
	}
	return nil
}

func (a *acme) close() error {
	if a == nil {
		return nil
	}
	a.cache.Stop()
	return a.plain.Close()
}
