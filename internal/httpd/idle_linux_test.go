package httpd_test

import (
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// A WebSocket that is idle has no goroutine here, whatever has looked at its connection before: the tracker's event loop
// carries it.
func TestIdleSockets(t *testing.T) {
	behind := withRelay()
	behind.TrustedProxy, behind.ProxyProtocol = []string{"127.0.0.1"}, true
	for name, c := range map[string]struct {
		config httpd.Config
		before string
	}{
		"the tracker alone":                {testnet.Config(), ""},
		"beside the relay":                 {withRelay(), ""},
		"beside the relay, behind a proxy": {behind, header(2, "192.0.2.1:1234")},
	} {
		t.Run(name, func(t *testing.T) {
			at := "127.0.0.1:" + port(testnet.Serve(t, c.config, testnet.Files()))
			const sockets = 200
			before := runtime.NumGoroutine()
			for range sockets {
				conn, err := net.Dial("tcp", at)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, c.before); err != nil {
					t.Fatal(err)
				}
				testnet.Connect(t, conn) // which has one of its own
			}
			testnet.Until(t, "there is one for each client, and none for its server", func() bool {
				return runtime.NumGoroutine() < before+sockets*19/10 // event loops begin, one for each processor
			})
		})
	}
}
