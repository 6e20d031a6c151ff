package httpd_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

func TestWhatOtherAppsShare(t *testing.T) {
	url := testnet.Serve(t, testnet.Config(), testnet.Files())
	for _, c := range []struct {
		method, site string
		status       int
		location     string
	}{
		{"GET", "none", 200, ""},
		{"GET", "same-origin", 200, ""},
		{"GET", "", 200, ""},
		{"GET", "cross-site", 303, "/files#nothing-shared"},
		{"HEAD", "same-site", 303, "/files#nothing-shared"},
		{"POST", "none", 303, "/files#not-ready"},
		{"POST", "cross-site", 303, "/files#not-ready"},
		{"PUT", "none", 405, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, url+"/files/shared?0", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Site", c.site)
		r.Header.Set("Accept-Encoding", "identity")
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if got := response.Header.Get("Location"); response.StatusCode != c.status || got != c.location {
			t.Errorf("%s, %q: %d %q, want %d %q", c.method, c.site, response.StatusCode, got, c.status, c.location)
		}
		if page := strings.Contains(string(body), "<title>Starling"); page != (c.status == 200) {
			t.Errorf("%s, %q: %.80q", c.method, c.site, body)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// What was shared may be all of a film, which nobody here wants: the answer comes although it never does.
func TestWhatOtherAppsShareIsNotRead(t *testing.T) {
	url := testnet.Serve(t, testnet.Config(), testnet.Files())
	conn, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(url, "http://"), "localhost", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "POST /files/shared HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n--x", int64(8<<30))
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != 303 {
		t.Fatal(response, err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Errorf("the connection stays open for the rest: %v", err)
	}
}
