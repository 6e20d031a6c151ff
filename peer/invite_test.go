package peer

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
)

// Who has all connects to those who lack data: they may be unable to reach it.
func TestSeederConnects(t *testing.T) {
	leecher, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = leecher.Close() }()
	addr := leecher.Addr().(*net.TCPAddr)
	tracker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "d8:completei1e10:incompletei1e8:intervali900e5:peers6:%se", []byte{127, 0, 0, 1, byte(addr.Port >> 8), byte(addr.Port)})
	}))
	defer tracker.Close()
	p := start(t)
	share(t, p, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "film.bin"), random(100_000, 1))}, Trackers: []string{tracker.URL + "/announce"}})
	conn, err := leecher.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
