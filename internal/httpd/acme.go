package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// acme gets certificates for a domain and renews them. What it keeps running ends with close.
type acme struct {
	magic *certmagic.Config
	cache *certmagic.Cache
	plain *http.Server // on port 80: the authority's challenges; all else is sent to HTTPS
	log   *slog.Logger
}

func newACME(c *Config, log *slog.Logger, server func(http.Handler) *http.Server) (*acme, error) {
	storage := certmagic.Default.Storage
	if c.CertDir != "" {
		storage = &certmagic.FileStorage{Path: c.CertDir}
	}
	if err := probe(storage); err != nil {
		return nil, fmt.Errorf("--cert-dir cannot be used: %w: name a folder for certificates that this user may write to", err)
	}
	a := &acme{log: log}
	quiet := zap.NewNop() // what matters comes as events
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic, nil },
		Logger:           quiet,
	})
	// Whoever asks at localhost gets the certificate too: figures are shown nowhere else.
	options := certmagic.Config{Storage: storage, Logger: quiet, FallbackServerName: c.Domain, OnEvent: func(_ context.Context, event string, data map[string]any) error {
		switch event {
		case "cert_obtained":
			log.Info("got a certificate", "domain", data["identifier"])
		case "cert_failed":
			log.Error("no certificate yet; trying again", "domain", data["identifier"], "error", data["error"])
		}
		return nil
	}}
	a.magic = certmagic.New(a.cache, options)
	issuer := certmagic.NewACMEIssuer(a.magic, certmagic.ACMEIssuer{CA: c.ACMECA, Agreed: true, Logger: quiet})
	a.magic.Issuers = []certmagic.Issuer{issuer}
	a.plain = server(issuer.HTTPChallengeHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+c.Domain+r.URL.RequestURI(), http.StatusMovedPermanently)
	})))
	return a, nil
}

// probe says whether certificates can be kept. Where they cannot be, none is ever asked for, and no event says so.
func probe(storage certmagic.Storage) error {
	const key = "probe"
	ctx := context.Background()
	if err := storage.Store(ctx, key, nil); err != nil {
		return err
	}
	return storage.Delete(ctx, key)
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
