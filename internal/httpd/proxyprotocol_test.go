package httpd_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// header is what a proxy sends for a client.
func header(version byte, client string) string {
	from, err := net.ResolveTCPAddr("tcp", client)
	if err != nil {
		panic(err)
	}
	to := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 443}
	if from.IP.To4() == nil {
		to.IP = net.ParseIP("2001:db8::9")
	}
	b, err := proxyproto.HeaderProxyFromAddrs(version, from, to).Format()
	if err != nil {
		panic(err)
	}
	return string(b)
}

// converse sends bytes as they are, and returns the answer's status and body.
func converse(t *testing.T, conn net.Conn, what string) (int, string) {
	t.Helper()
	defer conn.Close()
	if _, err := io.WriteString(conn, what); err != nil {
		return 0, ""
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

const announced = "GET /announce?info_hash=hhhhhhhhhhhhhhhhhhhh&peer_id=-SL0001-aaaaaaaaaaaa&port=6881&left=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

func TestProxyProtocol(t *testing.T) {
	config := testnet.Config()
	config.TrustedProxy, config.ProxyProtocol = []string{"127.0.0.1"}, true
	for name, relay := range map[string]bool{"tracker": false, "beside the relay": true} {
		t.Run(name, func(t *testing.T) {
			config, files := config, testnet.Files()
			if relay {
				config.Relay = httpd.Relay{Enabled: true, RelayMaxAllocations: 10, RelayMaxAllocationsPerAddress: 10}
			} else {
				files = nil
			}
			url := testnet.Serve(t, config, files)
			for _, c := range []struct {
				what, sent string
				status     int
				said       string
			}{
				// BEP 24 tells a client the address that it was seen at.
				{"version 1", header(1, "192.0.2.1:5") + announced + "\r\n", 200, "11:external ip4:\xc0\x00\x02\x01"},
				{"version 2", header(2, "192.0.2.2:5") + announced + "\r\n", 200, "11:external ip4:\xc0\x00\x02\x02"},
				{"IPv6", header(2, "[2001:db8::2]:5") + announced + "\r\n", 200, "11:external ip16:\x20\x01\x0d\xb8"},
				{"what the client says is forwarded", header(2, "192.0.2.3:5") + announced + "X-Forwarded-For: 198.51.100.1\r\n\r\n", 200, "11:external ip4:\xc0\x00\x02\x03"},
				{"what a proxy behind the proxy says", header(2, "127.0.0.1:5") + announced + "X-Forwarded-For: 198.51.100.1\r\n\r\n", 200, "11:external ip4:\xc6\x33\x64\x01"},
				{"the proxy itself", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, "ok"},
				{"two headers", header(1, "192.0.2.1:5") + header(1, "192.0.2.9:5") + announced + "\r\n", 400, ""},
				{"no header", announced + "\r\n", 0, ""},
				{"a broken one", "PROXY TCP4 nobody\r\n" + announced + "\r\n", 0, ""},
				{"no TCP", "\r\n\r\n\x00\r\nQUIT\n\x21\x12\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x02" + announced + "\r\n", 0, ""},
				{"metrics, for a client elsewhere", header(2, "192.0.2.1:5") + "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 403, ""},
				{"metrics, for one here", header(2, "127.0.0.1:5") + "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "starling_tracker"},
			} {
				if status, said := converse(t, dial(t, "tcp", url, nil), c.sent); status != c.status || !strings.Contains(said, c.said) {
					t.Errorf("%s: %d %q, want %d %q", c.what, status, said, c.status, c.said)
				}
			}
			// A socket belongs to the client too.
			conn := dial(t, "tcp", url, nil)
			if _, err := io.WriteString(conn, header(2, "192.0.2.7:5")); err != nil {
				t.Fatal(err)
			}
			s := testnet.Connect(t, conn)
			s.Send(`{"action":"scrape","info_hash":"hhhhhhhhhhhhhhhhhhhh"}`)
			if m := s.Next(); m["action"] != "scrape" {
				t.Errorf("a socket: %v", m)
			}
			s.Close()
		})
	}
}

// Nobody else is believed, nor served what they want: with a header, and with one within a header.
func TestProxyProtocolOfStrangers(t *testing.T) {
	config := testnet.Config()
	config.TrustedProxy, config.ProxyProtocol = []string{"192.0.2.0/24"}, true
	url := testnet.Serve(t, config, nil)
	for _, version := range []byte{1, 2} {
		if status, said := converse(t, dial(t, "tcp", url, nil), header(version, "192.0.2.1:5")+announced+"\r\n"); status != 400 || strings.Contains(said, "external ip") {
			t.Errorf("version %d: %d %q", version, status, said)
		}
	}
	if status, said := converse(t, dial(t, "tcp", url, nil), announced+"\r\n"); status != 200 || !strings.Contains(said, "11:external ip4:\x7f\x00\x00\x01") {
		t.Errorf("without: %d %q", status, said)
	}
	config.TrustedProxy = nil
	if err := config.Validate(); err == nil || !strings.Contains(err.Error(), "--proxy-protocol needs --trusted-proxy") {
		t.Errorf("trusting nobody: %v", err)
	}
}

// The header comes before TLS, for sites too.
func TestProxyProtocolBeneathTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certificate(t, cert, key, 1, time.Now())
	conn := dial(t, "tcp", site(t, httpd.Front{TLSCert: cert, TLSKey: key, TrustedProxy: []string{"127.0.0.1"}, ProxyProtocol: true}), nil)
	if _, err := io.WriteString(conn, header(1, "192.0.2.1:5")); err != nil {
		t.Fatal(err)
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	if status, said := converse(t, secure, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); status != 200 || said != "192.0.2.1" {
		t.Errorf("%d %q", status, said)
	}
}
