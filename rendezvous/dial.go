package rendezvous

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
	"sync/atomic"

	"golang.org/x/net/proxy"
)

// maxHandshake bounds what a proxy or tracker may say before the WebSocket is open, in bytes.
const maxHandshake = 64 << 10

var errHandshake = errors.New("more than 64 KiB came before the WebSocket was open")

// dial connects to a tracker: through a proxy where there is one, with TLS for wss.
func (c *Client) dial(ctx context.Context, u *url.URL) (*bounded, error) {
	request := &http.Request{URL: &url.URL{Scheme: map[string]string{"ws": "http", "wss": "https"}[u.Scheme], Host: u.Host, Path: "/"}}
	via, err := c.o.Proxy(request)
	if err != nil {
		return nil, fmt.Errorf("looking for a proxy: %w", err)
	}
	address := withPort(u)
	var conn net.Conn
	if via == nil {
		conn, err = c.o.Dial(ctx, "tcp", address)
	} else {
		conn, err = c.through(ctx, via, address)
	}
	if err != nil {
		return nil, err
	}
	if u.Scheme == "wss" {
		if conn, err = c.secure(ctx, conn, u.Hostname()); err != nil {
			return nil, err
		}
	}
	b := &bounded{Conn: conn}
	b.left.Store(maxHandshake)
	return b, nil
}

func withPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"ws": "80", "http": "80", "wss": "443", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme])
}

// secure does the TLS handshake; the connection is closed where that fails.
func (c *Client) secure(ctx context.Context, conn net.Conn, name string) (net.Conn, error) {
	config := c.o.TLS.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.ServerName = name
	config.NextProtos = []string{"http/1.1"}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// through connects by way of a proxy.
func (c *Client) through(ctx context.Context, via *url.URL, address string) (net.Conn, error) {
	switch via.Scheme {
	case "socks5", "socks5h":
		var auth *proxy.Auth
		if via.User != nil {
			password, _ := via.User.Password()
			auth = &proxy.Auth{User: via.User.Username(), Password: password}
		}
		d, err := proxy.SOCKS5("tcp", withPort(via), auth, dialer(c.o.Dial))
		if err != nil {
			return nil, err
		}
		return d.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
	case "http", "https":
		return c.tunnel(ctx, via, address)
	}
	return nil, fmt.Errorf("a proxy of the kind %q is not supported: use http, https or socks5", via.Scheme)
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// tunnel asks an HTTP proxy for a connection (RFC 9110, 9.3.6).
func (c *Client) tunnel(ctx context.Context, via *url.URL, address string) (conn net.Conn, err error) {
	if conn, err = c.o.Dial(ctx, "tcp", withPort(via)); err != nil {
		return nil, fmt.Errorf("connecting to the proxy: %w", err)
	}
	if via.Scheme == "https" {
		if conn, err = c.secure(ctx, conn, via.Hostname()); err != nil {
			return nil, fmt.Errorf("connecting to the proxy: %w", err)
		}
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if via.User != nil {
		password, _ := via.User.Password()
		request.SetBasicAuth(via.User.Username(), password)
		request.Header["Proxy-Authorization"] = request.Header["Authorization"]
		delete(request.Header, "Authorization")
	}
	if err := request.Write(conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("asking the proxy: %w", err)
	}
	// The tracker speaks only when it is spoken to, so nothing of it is left in the reader.
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxHandshake)), request)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("asking the proxy: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		_ = conn.Close()
		return nil, fmt.Errorf("the proxy refuses: %s", cut(response.Status))
	}
	return conn, nil
}

// bounded is a connection from which no more than so much can be read until it is opened.
type bounded struct {
	net.Conn
	left   atomic.Int64
	opened atomic.Bool
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.opened.Load() {
		return b.Conn.Read(p)
	}
	left := b.left.Load()
	if left <= 0 {
		return 0, errHandshake
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), left)])
	b.left.Add(-int64(n))
	return n, err
}
