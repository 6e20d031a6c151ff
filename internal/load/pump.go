package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// roomToSend is how many bytes may wait for a tracker that does not read before announces are not sent to it any more,
// nor answers.
const roomToSend = 256 << 10

var errTooLong = errors.New("a message that is too long")

type dial = func(context.Context) (net.Conn, error)

// pump drives connections with two goroutines for each: it goes where there is no epoll, and with TLS.
type pump struct {
	*run
	dial    dial
	ctx     context.Context
	cancel  context.CancelFunc
	working sync.WaitGroup
	mu      sync.Mutex
	all     []*pumped
}

// pumped is one connection.
type pumped struct {
	*pump
	mu sync.Mutex // of all that follows
	talker
	more    sync.Cond // there is something to send, or all is over
	conn    net.Conn  // nil: none
	in, out []byte    // not whole; not sent
	over    bool
}

func newPump(r *run, dial dial) *pump {
	p := &pump{run: r, dial: dial}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

func (p *pump) add(conn net.Conn, held []byte, t talker) error {
	l := &pumped{pump: p, talker: t, conn: conn, in: held}
	l.more.L = &l.mu
	p.mu.Lock()
	p.all = append(p.all, l)
	p.mu.Unlock()
	p.working.Go(func() { l.read(conn) })
	p.working.Go(l.write)
	return nil
}

func (p *pump) load(ctx context.Context, plan plan) error {
	for i := range plan.total {
		due := plan.due(i)
		if err := sleep(ctx, due-p.since()); err != nil {
			return err
		}
		now := p.since()
		if now > plan.until {
			break
		}
		p.all[rand.IntN(len(p.all))].announce(due, now)
	}
	return nil
}

func (l *pumped) announce(due, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || len(l.out) > roomToSend {
		return // counted as not sent
	}
	l.sent.Add(1)
	l.lateness.add(now - due)
	l.out = l.talker.announce(l.out, due)
	l.more.Signal()
}

func (p *pump) close() {
	p.cancel()
	for _, l := range p.all {
		l.mu.Lock()
		l.over = true
		if l.conn != nil {
			_ = l.conn.Close()
		}
		l.more.Signal()
		l.mu.Unlock()
	}
	p.working.Wait()
}

func (l *pumped) read(conn net.Conn) {
	b := make([]byte, 4096)
	for {
		n, err := conn.Read(b)
		if !l.took(conn, b[:n], err) {
			_ = conn.Close()
			return
		}
	}
}

// took passes on what was read, and says whether to go on.
func (l *pumped) took(conn net.Conn, b []byte, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.more.Signal()
	if l.conn != conn {
		return false
	}
	in := b
	if len(l.in) > 0 {
		l.in = append(l.in, b...)
		in = l.in
	}
	if len(b) > 0 {
		var n int
		var failed error
		n, l.out, failed = l.take(in, l.out, len(l.out) <= roomToSend)
		l.in = append(l.in[:0], in[n:]...)
		if failed == nil && len(l.in) > maxMessage {
			failed = errTooLong
		}
		if failed != nil {
			err = failed
		}
	}
	if err == nil {
		return true
	}
	l.end(err)
	return false
}

// end is called with the lock.
func (l *pumped) end(why error) {
	var more bool
	l.conn = nil
	l.out, more = l.ended(l.in, nil, why)
	l.in = nil
	l.over = l.over || !more
}

func (l *pumped) write() {
	var out []byte
	for {
		l.mu.Lock()
		for len(l.out) == 0 && !l.over {
			l.more.Wait()
		}
		if l.over {
			l.mu.Unlock()
			return
		}
		out, l.out = l.out, out[:0]
		conn := l.conn
		l.mu.Unlock()
		if conn == nil {
			conn = l.connect()
		}
		if conn != nil {
			_, _ = conn.Write(out) // its reader is told of what goes wrong
		}
	}
}

// connect makes a new connection, unless that fails or all is over.
func (l *pumped) connect() net.Conn {
	conn, err := l.dial(l.ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.end(err)
		return nil
	case l.over:
		_ = conn.Close()
		return nil
	}
	l.conn = conn
	l.working.Go(func() { l.read(conn) })
	return conn
}
