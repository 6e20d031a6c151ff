package load

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"time"
)

// joining is when the first announce is due, which is not measured.
const joining = time.Duration(-1)

// talker is what one peer says and hears over its connection. It knows nothing of sockets: a driver gives it what came
// and sends what it appends. Its methods are not called at the same time.
type talker interface {
	// announce appends an announce that was due then, unless it has to wait for another one's answer.
	announce(out []byte, due time.Duration) []byte
	// take is given what came and was not taken before: it returns how much of that is done with, and appends what there
	// is to say to it. Without room it answers no offers. An error ends the connection.
	take(in, out []byte, room bool) (int, []byte, error)
	// joined tells what came of the first announce; false: nothing yet.
	joined() (bool, error)
	// ended is told why the connection ended, and what of in was not taken. It appends what is to be said on a new one;
	// false: this peer is done.
	ended(in, out []byte, why error) ([]byte, bool)
}

// dialect is what all peers of a run speak.
type dialect interface {
	// greet shakes hands on a new connection, and returns what came after that.
	greet(net.Conn) ([]byte, error)
	peer(*place) talker
	// stop takes back what the tracker knows of a peer, where the end of its connection does not.
	stop(context.Context, *place)
}

// driver moves bytes between talkers and their connections, and has them announce.
type driver interface {
	// add takes over a connection, and what came by it and was not taken. For concurrent use.
	add(net.Conn, []byte, talker) error
	// load returns when all announces of the plan have been made.
	load(context.Context, plan) error
	close()
}

// tcp is a crowd of peers that have a connection each.
type tcp struct {
	*run
	dialect
	driver
	dial dial
}

func newTCP(r *run, u *url.URL, d dialect) (crowd, error) {
	secure := u.Scheme == "wss" || u.Scheme == "https"
	address := u.Host
	if u.Port() == "" {
		port := "80"
		if secure {
			port = "443"
		}
		address = net.JoinHostPort(u.Hostname(), port)
	}
	c := &tcp{run: r, dialect: d}
	dialer := net.Dialer{Timeout: dialTimeout}
	c.dial = func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) }
	if secure {
		c.dial = func(ctx context.Context) (net.Conn, error) {
			return (&tls.Dialer{NetDialer: &dialer, Config: &tls.Config{ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}}}).DialContext(ctx, "tcp", address)
		}
	}
	var err error
	if c.driver, err = newDriver(r, secure, c.dial); err != nil {
		return nil, err
	}
	return c, nil
}

// join connects, and waits for what the tracker says to the first announce.
func (c *tcp) join(ctx context.Context, p *place) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	hurry := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	t, held, err := c.introduce(conn, p)
	switch {
	case !hurry():
		err = ctx.Err()
	case err == nil:
		if err = conn.SetDeadline(time.Time{}); err == nil {
			err = c.add(conn, held, t)
		}
	}
	if err != nil {
		_ = conn.Close()
	}
	return err
}

func (c *tcp) introduce(conn net.Conn, p *place) (t talker, held []byte, err error) {
	if held, err = c.greet(conn); err != nil {
		return nil, nil, err
	}
	t = c.peer(p)
	out, b := t.announce(nil, joining), make([]byte, 4096)
	for {
		if _, err = conn.Write(out); err != nil {
			return nil, nil, err
		}
		n, err := conn.Read(b)
		if held = append(held, b[:n]...); n == 0 && err != nil {
			t.ended(held, nil, err) // which may be what ends the reply
			if done, refused := t.joined(); done {
				return t, nil, refused
			}
			var slow net.Error
			if errors.As(err, &slow) && slow.Timeout() {
				err = errors.New("no reply to the first announce")
			}
			return nil, nil, err
		}
		n, out, err = t.take(held, out[:0], true)
		held = held[n:]
		if done, refused := t.joined(); done {
			return t, held, refused
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

func (c *tcp) load(ctx context.Context, p plan) error { return c.driver.load(ctx, p) }

func (c *tcp) leave(ctx context.Context, p *place) { c.stop(ctx, p) }
