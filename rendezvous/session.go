package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/lxzan/gws"
)

const (
	connectWithin = 15 * time.Second
	writeWithin   = 15 * time.Second
	// A socket is asked for a sign of life, and given up after silentFor without any. Proxies that nobody has told otherwise
	// cut what is idle for 50 s.
	pingEvery = 40 * time.Second
	silentFor = 100 * time.Second
	// maxQueued is how many messages wait for a tracker that does not read.
	maxQueued = 4096
)

var errSlow = errors.New("the tracker does not receive")

// session is one WebSocket. Messages go out in order from a goroutine of its own.
type session struct {
	gws.BuiltinEventHandler
	conn    *gws.Conn
	receive func([]byte)
	queue   chan func() []byte
	// ended is closed when the socket is; err says why.
	ended chan struct{}
	once  sync.Once
	err   error
}

// connect opens a WebSocket; receive is called for each message.
func (c *Client) connect(ctx context.Context, address string, receive func([]byte)) (*session, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeoutCause(ctx, connectWithin, errors.New("it takes too long"))
	defer stop()
	conn, err := c.dial(ctx, u)
	if err != nil {
		return nil, reason(ctx, err)
	}
	s := &session{receive: receive, queue: make(chan func() []byte, maxQueued), ended: make(chan struct{})}
	hurry := context.AfterFunc(ctx, func() { _ = conn.Close() })
	var response *http.Response
	s.conn, response, err = gws.NewClientFromConn(s, &gws.ClientOption{
		Addr: address, ReadMaxPayloadSize: longestMessage, ReadBufferSize: 4 << 10, CheckUtf8Enabled: false,
		HandshakeTimeout: 2 * connectWithin, Logger: quiet{}, RequestHeader: http.Header{"User-Agent": {c.o.Agent}},
	}, conn)
	if err != nil && response != nil && response.StatusCode != http.StatusSwitchingProtocols {
		err = noSocket(response)
	}
	if err != nil || !hurry() {
		_ = conn.Close()
		return nil, reason(ctx, err)
	}
	conn.opened.Store(true)
	_ = s.conn.SetReadDeadline(time.Now().Add(silentFor))
	return s, nil
}

// reason prefers why there was no more time.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// run reads and writes until the socket ends, or is told to.
func (s *session) run() {
	var writing sync.WaitGroup
	writing.Go(s.write)
	s.conn.ReadLoop()
	s.end(errors.New("the tracker closed the connection"))
	writing.Wait()
}

func (s *session) write() {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case m := <-s.queue:
			if m == nil {
				s.leave()
				return
			}
			text := m()
			_ = s.conn.SetWriteDeadline(time.Now().Add(writeWithin))
			err = s.conn.WriteMessage(gws.OpcodeText, text)
		case <-ping.C:
			_ = s.conn.SetWriteDeadline(time.Now().Add(writeWithin))
			err = s.conn.WritePing(nil)
		case <-s.ended:
			return
		}
		if err != nil {
			s.end(fmt.Errorf("sending: %w", err))
			return
		}
	}
}

var errLeft = errors.New("left")

// leave says goodbye and waits a moment for the tracker to say it as well: were the connection closed at once, what was
// sent last might not be read.
func (s *session) leave() {
	late := time.NewTimer(closeWithin)
	defer late.Stop()
	_ = s.conn.SetWriteDeadline(time.Now().Add(closeWithin))
	if err := s.conn.WriteMessage(gws.OpcodeCloseConnection, []byte{1000 >> 8, 1000 & 0xff}); err == nil {
		select {
		case <-late.C:
		case <-s.ended:
		}
	}
	s.end(errLeft)
}

// send queues a message; nil says that it is the last one, and the socket is to be closed.
func (s *session) send(m func() []byte) {
	select {
	case s.queue <- m:
	default:
		s.end(errSlow)
	}
}

func (s *session) end(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.ended)
		_ = s.conn.NetConn().Close()
	})
}

// local is the address of this machine at which it began.
func (s *session) local() netip.Addr {
	at, _ := netip.ParseAddrPort(s.conn.LocalAddr().String())
	return at.Addr().Unmap()
}

func (s *session) alive() { _ = s.conn.SetReadDeadline(time.Now().Add(silentFor)) }

func (s *session) OnClose(_ *gws.Conn, err error) {
	var closed *gws.CloseError
	if errors.As(err, &closed) && len(closed.Reason) > 0 {
		err = fmt.Errorf("the tracker closed the connection: %s", cut(string(closed.Reason)))
	}
	s.end(err)
}

func (s *session) OnPing(c *gws.Conn, payload []byte) {
	s.alive()
	_ = c.SetWriteDeadline(time.Now().Add(writeWithin)) // that of what was sent last has passed
	_ = c.WritePong(payload)
}

func (s *session) OnPong(*gws.Conn, []byte) { s.alive() }

func (s *session) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	s.alive()
	s.receive(m.Bytes())
}

// quiet keeps what strangers send out of the log.
type quiet struct{}

func (quiet) Error(...any) {}
