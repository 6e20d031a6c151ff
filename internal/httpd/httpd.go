// Package httpd is the one HTTP server: the pages and the engine, which it carries embedded, the tracker's WebSocket,
// and the little there is of an API.
//
//	/announce                       tracker/ws, tracker/http; tracker/udp has ports of its own
//	/scrape                         tracker/http
//	/u/<user>.<signature>/…         the same of a private tracker; /users.json counts
//	/stats.json                     its numbers, as other trackers show them
//	/  /memos/…  /files/…  /about   index.html
//	/m  /f  /share                  link.html: the same where a link is opened
//	/starling.js /starling-….js     the engine, for pages of any origin; /starling.d.ts has its types
//	/assets/…  /sw.js  …            what else was built
//	/api/ice                        STUN and TURN servers, and credentials for this one
//	/healthz  /metrics  /stats      for those who run it
//
// A request passes the headers (headers.go), then goes by its path (routes.go). Everything that was built lies in
// memory with its compressed variants and ETags (static.go).
//
// Where to look:
//
//	flags            config.go, config_tracker.go, config_relay.go, config_cluster.go; private.go; hangup.go: SIGHUP
//	to listen        listen.go ─ split.go: HTTP and TURN on one port ─ tls.go, acme.go: certificates; udp.go
//	who asks         address.go: X-Forwarded-For, and this machine; proxyprotocol.go
//	who is too slow  silent.go
//	the tracker      announce.go ─ trackers.go: its three front ends ─ cluster.go: and others; snapshot.go: over a restart
//	TURN             ice.go: pages hear of it
//	figures          stats.go, metrics.go, health.go
//	other apps       shared.go: what they hand over comes here only by mistake
//	the edge         site.go: somebody else's pages, at a port of ours
package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/starling-p2p/starling/internal/watched"
	"github.com/starling-p2p/starling/relay"
)

const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	// writeTimeout lets a slow phone have the largest file.
	writeTimeout = 2 * time.Minute
	idleTimeout  = 2 * time.Minute
	maxHeader    = 16 << 10
	// shutdownTimeout is what requests under way get to finish.
	shutdownTimeout = 10 * time.Second
	// wonderEvery is how often the log names a proxy that is set up wrongly.
	wonderEvery = 24 * time.Hour
)

// Server is one listening server.
type Server struct {
	config   Config
	settings settings
	listener net.Listener
	// datagrams are announces by UDP at the listener's port; none where flags say where.
	datagrams []net.PacketConn
	relay     *relay.Relay // nil without
	tls       *tls.Config
	// certificate is of --tls-cert; nil without.
	certificate *watched.Files[tls.Certificate]
	http        *http.Server
	trackers    *trackers
	// trackerOnly: there are no pages.
	trackerOnly bool
	log         *slog.Logger
	wondered    rate.Sometimes // about proxies
	acme        *acme          // nil without a domain
}

// Listen checks the configuration and begins to listen. Errors say which flag to change. The files are those of the
// package web; without any, the server is a tracker and nothing else, as with NoPages.
func Listen(config Config, files fs.FS, log *slog.Logger) (*Server, error) {
	if config.Domain != "" && config.Addr == DefaultAddr {
		config.Addr = ":443"
	}
	settings, err := config.settings()
	if err != nil {
		return nil, err
	}
	var static static
	if files != nil {
		from := "."
		if config.NoPages {
			from = "stats"
		}
		if static, err = load(files, from); err != nil {
			return nil, fmt.Errorf("reading the built pages: %w", err)
		}
	}
	s := &Server{config: config, settings: settings, log: log, wondered: rate.Sometimes{Interval: wonderEvery}, trackerOnly: files == nil || config.NoPages}
	if err := s.listenBoth(); err != nil {
		return nil, err
	}
	if err := s.prepareTLS(); err != nil {
		s.unlisten()
		return nil, err
	}
	if err := s.newTrackers(); err != nil {
		s.unlisten()
		return nil, err
	}
	s.http = s.newHTTP(s.routes(static))
	s.http.TLSConfig = s.tls
	return s, nil
}

func (s *Server) newHTTP(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(&httpLog{log: s.log}, "", 0),
	}
}

// httpLog takes what net/http has to say, which is about strangers' broken connections; but that none can be accepted, as
// when there are no file descriptors left, is said to the operator, once a minute.
type httpLog struct {
	log  *slog.Logger
	said atomic.Int64 // when, seconds since 1970
}

func (d *httpLog) Write(p []byte) (int, error) {
	message := strings.TrimSpace(string(p))
	if !strings.HasPrefix(message, "http: Accept error") {
		d.log.Debug("http", "message", message)
	} else if now, said := time.Now().Unix(), d.said.Load(); now-said >= 60 && d.said.CompareAndSwap(said, now) {
		d.log.Error("connections cannot be accepted: where too many files are open, raise ulimit -n, or LimitNOFILE of a systemd unit", "error", message)
	}
	return len(p), nil
}

// URL is where a browser on this machine finds the server; with a domain, any browser.
func (s *Server) URL() string {
	scheme, standard := "http", "80"
	if s.tls != nil {
		scheme, standard = "https", "443"
	}
	a := s.listener.Addr().(*net.TCPAddr)
	host, port := a.IP.String(), fmt.Sprint(a.Port)
	switch {
	case s.config.Domain != "":
		host = s.config.Domain
	case a.IP.IsLoopback() || a.IP.IsUnspecified():
		host = "localhost"
	}
	if port == standard {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Serve answers until the context ends, then closes sockets with 1001, lets requests finish, and returns nil.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 2+len(s.trackers.conns))
	s.trackers.run(ctx, failed)
	s.watchCertificate(ctx)
	listener := s.accept(s.listener)
	go func() {
		switch {
		case s.relay != nil:
			failed <- s.http.Serve(split(listener, s.tls, s.relay))
		case s.tls != nil:
			failed <- s.http.ServeTLS(listener, "", "")
		default:
			failed <- s.http.Serve(listener)
		}
	}()
	if s.acme != nil {
		go func() { failed <- s.acme.serve(ctx, s.config.Domain, s.accept) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	cancel() // for what waits for it
	err = errors.Join(err, s.shutdown())
	s.trackers.kept.close()
	return err
}

func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.trackers.close(ctx) }()
	err := errors.Join(s.acme.close(), s.http.Shutdown(ctx), <-done)
	if s.relay != nil {
		_ = s.relay.Close()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		// Those that did not finish in time are cut off: that was asked for.
		return s.http.Close()
	}
	return err
}
