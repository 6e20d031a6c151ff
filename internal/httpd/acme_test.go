package httpd

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
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
