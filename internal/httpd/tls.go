package httpd

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"

	"github.com/starling-p2p/starling/internal/watched"
)

// prepareTLS sets up whichever way to a certificate was chosen, if any. It runs before anything is served.
func (s *Server) prepareTLS() error {
	switch {
	case s.config.Domain != "":
		var err error
		if s.acme, err = newACME(&s.config, s.log, s.newHTTP); err != nil {
			return err
		}
		s.tls = s.acme.magic.TLSConfig()
	case s.config.TLSCert != "":
		var err error
		if s.certificate, err = openCertificate(s.config.TLSCert, s.config.TLSKey, s.log); err != nil {
			return err
		}
		s.tls = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.certificate.Get(), nil }}
	}
	if s.tls != nil {
		s.tls.MinVersion = tls.VersionTLS12
		s.tls.NextProtos = append([]string{"h2", "http/1.1"}, s.tls.NextProtos...)
	}
	return nil
}

// watchCertificate reads that of --tls-cert again until the context ends.
func (s *Server) watchCertificate(ctx context.Context) {
	if s.certificate == nil {
		return
	}
	onHangup(ctx, func(hangup <-chan os.Signal) {
		watched.Watch(ctx, hangup, func(force bool) { s.certificate.Again(force) })
	})
}

// openCertificate reads a certificate and its key, again when either changes, for something else renews them.
func openCertificate(cert, key string, log *slog.Logger) (*watched.Files[tls.Certificate], error) {
	return watched.Open(watched.Source[tls.Certificate]{
		What:  "a certificate",
		Paths: []string{cert, key},
		Read: func() (*tls.Certificate, error) {
			certPEM, err := os.ReadFile(cert)
			if err != nil {
				return nil, fmt.Errorf("--tls-cert cannot be read: %w", err)
			}
			keyPEM, err := os.ReadFile(key)
			if err != nil {
				return nil, fmt.Errorf("--tls-key cannot be read: %w", err)
			}
			pair, err := tls.X509KeyPair(certPEM, keyPEM)
			if err != nil {
				return nil, fmt.Errorf("--tls-cert %s and --tls-key %s are not a certificate and its key in PEM: %w", cert, key, err)
			}
			return &pair, nil
		},
		About: func(c *tls.Certificate) []any { return []any{"until", c.Leaf.NotAfter} },
	}, log)
}
