package httpd_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// site serves a handler that says who asks, until the test ends.
func site(t *testing.T, front httpd.Front) string {
	t.Helper()
	front.Addr = "127.0.0.1:0"
	s, err := httpd.ListenSite(front, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- s.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, s.Address(r)) }))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

// Somebody else's site has the TLS of ours, and the same notion of who asks; its headers are its own.
func TestSite(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certificate(t, cert, key, 7, time.Now())
	secure := site(t, httpd.Front{TLSCert: cert, TLSKey: key, TrustedProxy: []string{"127.0.0.1"}})
	response, body := testnet.Ask(t, "GET", secure+"/any/path", "X-Forwarded-For", "203.0.113.9")
	if !strings.HasPrefix(secure, "https://localhost:") || response.ProtoMajor != 2 || body != "203.0.113.9" {
		t.Errorf("%s by HTTP/%d: %q", secure, response.ProtoMajor, body)
	}
	if got := response.TLS.PeerCertificates[0].SerialNumber.Int64(); got != 7 {
		t.Errorf("certificate %d", got)
	}
	certificate(t, cert, key, 8, time.Now().Add(time.Hour))
	hangUp(t)
	testnet.Until(t, "the certificate is the new one", func() bool {
		again, _ := testnet.Ask(t, "GET", secure+"/")
		return again.TLS.PeerCertificates[0].SerialNumber.Int64() == 8
	})
	if got := response.Header.Get("Content-Security-Policy"); got != "" {
		t.Errorf("a policy of ours: %q", got)
	}
	if _, body := testnet.Ask(t, "GET", site(t, httpd.Front{}), "X-Forwarded-For", "203.0.113.9"); body != "127.0.0.1" {
		t.Errorf("nobody is trusted, and %q asks", body)
	}
}

// What gets certificates ends with the site, once.
func TestSiteOfDomain(t *testing.T) {
	s, err := httpd.ListenSite(httpd.Front{Addr: "127.0.0.1:0", Domain: "example.org", CertDir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.URL(); !strings.HasPrefix(got, "https://example.org:") {
		t.Errorf("it is at %s", got)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSiteErrors(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, front := range map[string]httpd.Front{
		"is not HOST:PORT":      {Addr: "8080"},
		"is not an address or":  {Addr: "127.0.0.1:0", TrustedProxy: []string{"proxy"}},
		"go together":           {Addr: "127.0.0.1:0", TLSKey: garbage},
		"are not a certificate": {Addr: "127.0.0.1:0", TLSCert: garbage, TLSKey: garbage},
	} {
		if _, err := httpd.ListenSite(front, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", front, err, want)
		}
	}
}
