// Package tunnel makes connections by way of the proxy that a program is told to use: by HTTP's CONNECT (RFC 9110, 9.3.6)
// or by SOCKS5 (RFC 1928), or straight where there is none.
//
//	rendezvous  wss://tracker ──┐                      ┌─ straight
//	link        turns:server  ──┴─▶ Dialer.To ─▶ Proxy ┼─ CONNECT, within TLS where the proxy speaks it ─▶ TLS to the host
//	                                                   └─ SOCKS5
package tunnel

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/proxy"
)

// maxAnswer bounds what a proxy may say before the connection is open, in bytes.
const maxAnswer = 64 << 10

// Dialer says how connections are made. Any number of goroutines may use it.
type Dialer struct {
	// Dial reaches proxies, and hosts where there is none.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy returns the proxy for a request, http, https or socks5, or nil.
	Proxy func(*http.Request) (*url.URL, error)
	// TLS is for hosts and proxies; nil means the system's roots. The name is set for each.
	TLS *tls.Config
}

// Via returns the proxy that leads to a host, given with its port, or nil.
func (d Dialer) Via(scheme, host string) (*url.URL, error) {
	via, err := d.Proxy(&http.Request{URL: &url.URL{Scheme: scheme, Host: host, Path: "/"}})
	if err != nil {
		return nil, fmt.Errorf("looking for a proxy: %w", err)
	}
	return via, nil
}

// To connects to a host, given with its port, by way of a proxy or where that is nil straight.
func (d Dialer) To(ctx context.Context, via *url.URL, host string) (net.Conn, error) {
	if via == nil {
		return d.Dial(ctx, "tcp", host)
	}
	switch via.Scheme {
	case "socks5", "socks5h":
		var auth *proxy.Auth
		if via.User != nil {
			password, _ := via.User.Password()
			auth = &proxy.Auth{User: via.User.Username(), Password: password}
		}
		s, err := proxy.SOCKS5("tcp", withPort(via), auth, dial(d.Dial))
		if err != nil {
			return nil, err
		}
		return s.(proxy.ContextDialer).DialContext(ctx, "tcp", host)
	case "http", "https":
		return d.connect(ctx, via, host)
	}
	return nil, fmt.Errorf("a proxy of the kind %q is not supported: use http, https or socks5", via.Scheme)
}

func withPort(via *url.URL) string {
	if via.Port() != "" {
		return via.Host
	}
	return net.JoinHostPort(via.Hostname(), map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[via.Scheme])
}

// Secure does the TLS handshake with the host of that name; the connection is closed where that fails.
func (d Dialer) Secure(ctx context.Context, conn net.Conn, name string) (net.Conn, error) {
	config := d.TLS.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.ServerName = name
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

func (d dial) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d dial) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// connect asks an HTTP proxy for a connection.
func (d Dialer) connect(ctx context.Context, via *url.URL, host string) (net.Conn, error) {
	conn, err := d.Dial(ctx, "tcp", withPort(via))
	if err == nil && via.Scheme == "https" {
		conn, err = d.Secure(ctx, conn, via.Hostname())
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to the proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = ask(conn, via, host)
	if !stop() && err == nil { // it is closed by now
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func ask(conn net.Conn, via *url.URL, host string) error {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: host}, Host: host, Header: http.Header{}}
	if via.User != nil {
		password, _ := via.User.Password()
		request.SetBasicAuth(via.User.Username(), password)
		request.Header["Proxy-Authorization"] = request.Header["Authorization"]
		delete(request.Header, "Authorization")
	}
	if err := request.Write(conn); err != nil {
		return fmt.Errorf("asking the proxy: %w", err)
	}
	// Hosts speak only when they are spoken to, so nothing of theirs is left in the reader.
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), request)
	if err != nil {
		return fmt.Errorf("asking the proxy: %w", err)
	}
	switch response.StatusCode { // of the proxy's own words none is passed on
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		return errors.New("the proxy refuses with status 407: it wants a user and password, as in http://user:password@" + via.Host)
	}
	return fmt.Errorf("the proxy refuses with status %d", response.StatusCode)
}
