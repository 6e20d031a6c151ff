package httpd

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// What --domain sets up, as far as it goes without a certificate authority.
func TestDomain(t *testing.T) {
	s := &Server{config: Config{Front: Front{Domain: "example.org", CertDir: t.TempDir()}}, log: slog.New(slog.DiscardHandler)}
	if err := s.prepareTLS(); err != nil {
		t.Fatal(err)
	}
	defer s.acme.close()
	for _, proto := range []string{"h2", "http/1.1", "acme-tls/1"} {
		if !slices.Contains(s.tls.NextProtos, proto) {
			t.Errorf("TLS does not speak %s: %v", proto, s.tls.NextProtos)
		}
	}
	w := httptest.NewRecorder()
	s.acme.plain.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://other.example/m?x=1", nil))
	if got := w.Header().Get("Location"); w.Code != http.StatusMovedPermanently || got != "https://example.org/m?x=1" {
		t.Errorf("port 80 answers %d, Location %q", w.Code, got)
	}
}

// What is shown on this machine alone is found there, though the certificate is for another name.
func TestDomainAtLocalhost(t *testing.T) {
	s := &Server{config: Config{Front: Front{Domain: "example.org", CertDir: t.TempDir()}}, log: slog.New(slog.DiscardHandler)}
	if err := s.prepareTLS(); err != nil {
		t.Fatal(err)
	}
	defer s.acme.close()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"example.org"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.acme.magic.CacheUnmanagedTLSCertificate(t.Context(), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener = listener
	s.http = s.newHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.shown(w, r, "Figures") }))
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(tls.NewListener(listener, s.tls)) }()
	defer func() {
		_ = s.http.Close()
		<-served
	}()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	// By its own name a proxy on this machine may have passed it on, which sees nothing of what it passes on.
	for host, want := range map[string]int{"localhost": http.StatusOK, "127.0.0.1": http.StatusOK, "example.org": http.StatusForbidden} {
		client := http.Client{Transport: transport}
		url := strings.Replace(s.StatsURL(), "localhost", host, 1)
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
		}
		answer, err := client.Get(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %s, want %d", url, answer.Status, want)
		}
	}
	if s.config.MetricsPublic = true; !strings.HasPrefix(s.StatsURL(), "https://example.org:") {
		t.Errorf("for everybody: %s", s.StatsURL())
	}
}
