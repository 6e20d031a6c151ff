package rendezvous

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync/atomic"
)

// maxHandshake bounds what a tracker may say before the WebSocket is open, in bytes.
const maxHandshake = 64 << 10

var errHandshake = errors.New("more than 64 KiB came before the WebSocket was open")

// dial connects to a tracker: through a proxy where there is one, with TLS for wss.
func (c *Client) dial(ctx context.Context, u *url.URL) (*bounded, error) {
	scheme, host := "http", withPort(u)
	if u.Scheme == "wss" {
		scheme = "https"
	}
	via, err := c.way.Via(scheme, host)
	if err != nil {
		return nil, err
	}
	conn, err := c.way.To(ctx, via, host)
	if err == nil && scheme == "https" {
		conn, err = c.way.Secure(ctx, conn, u.Hostname())
	}
	if err != nil {
		return nil, err
	}
	b := &bounded{Conn: conn}
	b.left.Store(maxHandshake)
	return b, nil
}

func withPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"ws": "80", "wss": "443"}[u.Scheme])
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
