// Package natsbus carries a cluster's messages by NATS: with a server within this program, or with others that are there
// already. Messages are published and forgotten; nothing is stored.
//
//	embedded   node ── in memory ── nats-server ══ route, TLS 1.3 ══ nats-server ── in memory ── node
//	dialled    node ────────────── nats-server of yours ─────────────────────────────────────── node
//
// The embedded servers let in nobody but one another. What both ends of a route know is a secret. From it each works out
// the same key of a certificate authority (secret.go), and shows a certificate of that: so the secret is never sent, and
// who does not have it neither gets in nor reads along. Routes are told on: a node that reaches one of the others
// learns of all.
package natsbus

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/starling-p2p/starling/internal/loopback"
)

const (
	// maxPayload is the longest message, in bytes: NATS's own default, so that it fits everywhere.
	maxPayload = 1 << 20
	// maxWaiting is the most bytes that wait for a node which is slower than what is sent to it.
	maxWaiting = 64 << 20
	// startTimeout is how long the embedded server may take to be there.
	startTimeout = 10 * time.Second
	// tries are how often a server that others told of is looked for when it is gone, after longer and longer up to 30 s: for
	// a day. It may be the network that is. Those in Peers are looked for always.
	tries = 2880
)

// Embedded is a server within this program.
type Embedded struct {
	// Listen is where other nodes connect, HOST:PORT.
	Listen string
	// Advertise is what others are told of that [Listen, or all addresses of this machine].
	Advertise string
	// Peers are some of the others, HOST:PORT. This node may be among them, and not all need be there.
	Peers []string
	// Secret is what all have in common. Empty: anybody who reaches Listen gets in, so that must be loopback.
	Secret string
	// Name is the cluster's.
	Name string
}

// Bus is a cluster.Bus.
type Bus struct {
	conn   *nats.Conn
	server *server.Server // nil where it is another program
	log    *serverLog
}

// ErrNoSecret is of Embed, where NeedsSecret says so and there is none.
var ErrNoSecret = errors.New("a cluster that other machines can reach needs a secret")

// Embed starts a server, and is connected to it. The log may be nil.
func Embed(e Embedded, log *slog.Logger) (*Bus, error) {
	host, port, err := split(e.Listen)
	if err != nil {
		return nil, err
	}
	// Nobody but this program is a client. A server without a port for clients has none for routes either, so there is
	// one, for this machine alone, at which nobody knows the password.
	user, password := rand.Text(), rand.Text()
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, Username: user, Password: password,
		NoSigs:     true,
		MaxPayload: maxPayload,
		Cluster:    server.ClusterOpts{Name: e.Name, Host: host, Port: port, Advertise: e.Advertise, NoAdvertise: true, TLSTimeout: 2, PingInterval: 2 * time.Second, MaxPingsOut: 3, ConnectRetries: tries, ConnectBackoff: true},
	}
	if port == 0 {
		o.Cluster.Port = server.RANDOM_PORT
	}
	if e.Secret != "" {
		if o.Cluster.TLSConfig, err = tlsOf(e.Secret); err != nil {
			return nil, err
		}
	} else if NeedsSecret(e.Listen) {
		return nil, ErrNoSecret
	}
	for _, p := range e.Peers {
		if _, _, err := split(p); err != nil {
			return nil, err
		}
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: p})
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("starting the cluster's bus: %w", err)
	}
	b := &Bus{server: s, log: newLog(log)}
	s.SetLoggerV2(b.log, false, false, false)
	go s.Start()
	for late := time.Now().Add(startTimeout); !s.ReadyForConnections(100 * time.Millisecond); {
		fatal := b.log.fatal.Load()
		if fatal == nil && time.Now().Before(late) {
			continue
		}
		s.Shutdown()
		if fatal != nil {
			return nil, fmt.Errorf("listening for the cluster at %s: %s", e.Listen, *fatal)
		}
		return nil, fmt.Errorf("the cluster's bus was not there within %s", startTimeout)
	}
	if err := b.connect("", nats.InProcessServer(s), nats.UserInfo(user, password)); err != nil {
		s.Shutdown()
		return nil, err
	}
	return b, nil
}

// NeedsSecret says whether other machines reach what listens there, HOST:PORT.
func NeedsSecret(listen string) bool {
	return !loopback.Host(listen)
}

func split(hostPort string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(hostPort)
	if err == nil {
		port, err = strconv.Atoi(p)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%q is not HOST:PORT, such as 10.0.0.1:6222", hostPort)
	}
	return host, port, nil
}

// Dial connects to a server that is there, nats:// or tls://, with a file of credentials, if it is not empty. A server
// that cannot be reached is tried again and again, for as long as the bus is open. The log may be nil.
func Dial(url, credentials string, log *slog.Logger) (*Bus, error) {
	b := &Bus{log: newLog(log)}
	options := []nats.Option{nats.RetryOnFailedConnect(true)}
	if credentials != "" {
		if _, err := os.Stat(credentials); err != nil {
			return nil, err
		}
		options = append(options, nats.UserCredentials(credentials))
	}
	return b, b.connect(url, options...)
}

func (b *Bus) connect(url string, options ...nats.Option) (err error) {
	b.conn, err = nats.Connect(url, append(options,
		nats.Name("starling"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second),
		nats.ReconnectBufSize(-1), // what is late is of no use
		nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { b.log.Errorf("%v", err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				b.log.Errorf("the bus is lost: %v", err)
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { b.log.Errorf("the bus is not connected: %v", err) }),
	)...)
	if err != nil {
		return fmt.Errorf("connecting to the cluster's bus: %w", err)
	}
	return nil
}

// Publish sends to all who have subscribed.
func (b *Bus) Publish(subject string, data []byte) error { return b.conn.Publish(subject, data) }

// Subscribe has f called from one goroutine, in order.
func (b *Bus) Subscribe(subject string, f func(data []byte)) (cancel func(), err error) {
	s, err := b.conn.Subscribe(subject, func(m *nats.Msg) { f(m.Data) })
	if err != nil {
		return nil, err
	}
	if err := s.SetPendingLimits(-1, maxWaiting); err != nil {
		return nil, err
	}
	// Others may speak as soon as this returns, if the bus is there at all.
	if b.conn.IsConnected() {
		_ = b.conn.FlushTimeout(time.Second)
	}
	return func() { _ = s.Unsubscribe() }, nil
}

// Connected says whether the bus is there.
func (b *Bus) Connected() bool { return b.conn.IsConnected() }

// Addr is where the embedded server listens for others.
func (b *Bus) Addr() string { return b.server.ClusterAddr().String() }

// Errors counts what went wrong on the bus since the start, outsiders who were refused among it.
func (b *Bus) Errors() uint64 { return b.log.errors.Load() }

// Close sends what is on its way, and ends the embedded server.
func (b *Bus) Close() {
	if b.conn.IsConnected() {
		_ = b.conn.FlushTimeout(time.Second)
	}
	b.conn.Close()
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
}

// serverLog passes on what the server has to say. Outsiders cause errors, as many as they like: one in ten seconds is
// shown, and all are counted.
type serverLog struct {
	log    *slog.Logger
	errors atomic.Uint64
	said   atomic.Int64
	fatal  atomic.Pointer[string]
}

func newLog(log *slog.Logger) *serverLog {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &serverLog{log: log}
}

var _ server.Logger = (*serverLog)(nil)

func (l *serverLog) Noticef(format string, v ...any) { l.debug(format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.debug(format, v) }
func (l *serverLog) Tracef(format string, v ...any)  {}

func (l *serverLog) debug(format string, v []any) {
	l.log.Debug("cluster bus", "message", fmt.Sprintf(format, v...))
}

func (l *serverLog) Warnf(format string, v ...any) { l.debug(format, v) }
func (l *serverLog) Errorf(format string, v ...any) {
	l.errors.Add(1)
	now := time.Now().UnixNano()
	if last := l.said.Load(); now-last > int64(10*time.Second) && l.said.CompareAndSwap(last, now) {
		l.log.Warn("cluster bus", "error", fmt.Sprintf(format, v...))
		return
	}
	l.debug(format, v)
}

func (l *serverLog) Fatalf(format string, v ...any) {
	said := fmt.Sprintf(format, v...)
	l.fatal.Store(&said)
}
