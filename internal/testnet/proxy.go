package testnet

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Proxy is an HTTP proxy for user "user" with password "secret", which knows the addresses of these hosts, given with
// their ports. Others are where they say. It returns its own address.
func Proxy(t testing.TB, hosts map[string]string) string {
	return Listener(t, func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		if request.Method != http.MethodConnect || request.Header.Get("Proxy-Authorization") != "Basic dXNlcjpzZWNyZXQ=" {
			_, _ = io.WriteString(conn, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
			return
		}
		at := request.Host
		if known := hosts[at]; known != "" {
			at = known
		}
		to, err := net.Dial("tcp", at)
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		Join(conn, to)
	})
}

// Listener calls handle for each connection, and returns the address that it listens on until the test ends.
func Listener(t testing.TB, handle func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var handling sync.WaitGroup
	handling.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			handling.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		handling.Wait()
	})
	return l.Addr().String()
}

// Join passes bytes between two connections until one ends, and closes both.
func Join(a, b net.Conn) {
	defer b.Close()
	go func() {
		_, _ = io.Copy(a, b)
		_ = a.Close()
	}()
	_, _ = io.Copy(b, a)
}
