package httpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/starling-p2p/starling/internal/history"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/gate"
	trackerhttp "github.com/starling-p2p/starling/tracker/http"
	"github.com/starling-p2p/starling/tracker/near"
	"github.com/starling-p2p/starling/tracker/udp"
	"github.com/starling-p2p/starling/tracker/ws"
)

// Tracker is how peers are introduced to one another.
type Tracker struct {
	AnnounceInterval    time.Duration `default:"120s" placeholder:"DURATION" help:"How often peers announce by WebSocket; they are forgotten after twice this (default ${default})."`
	TCPAnnounceInterval time.Duration `name:"tcp-announce-interval" default:"15m" placeholder:"DURATION" help:"The same for those who announce by HTTP and UDP (default ${default})."`
	UDPTracker          []string      `name:"udp-tracker" sep:" " placeholder:"HOST:PORT" help:"Answer announces by UDP here too, such as :6969. May be given several times. starling tracker does so at the port of --addr, unless this is off."`

	AllowList   string   `placeholder:"FILE" help:"Serve only the torrents in this file: one infohash in hex on each line. Read again when it changes, or on SIGHUP."`
	DenyList    string   `placeholder:"FILE" help:"Do not serve the torrents in this file."`
	GeoIP       string   `name:"geoip" placeholder:"FILE" help:"Tell peers of those nearby first, by this GeoIP database (mmdb): of countries, cities or networks. Read again when it changes."`
	Snapshot    string   `placeholder:"FILE" help:"Keep peers that announced by HTTP and UDP in this file, so that a restart does not forget them."`
	Nearby      bool     `help:"The same without a database, by how addresses begin."`
	AllowOrigin []string `sep:" " placeholder:"ORIGIN" help:"Let only pages of this origin, such as https://example.org, use the tracker. May be given several times."`

	Together

	MaxSocketsPerAddress  int `default:"1024" placeholder:"N" help:"Most tracker connections of one IPv4 address or IPv6 /64 (default ${default})."`
	MaxRequestsPerAddress int `default:"50" placeholder:"N" help:"Most announces and scrapes of one address by HTTP and UDP, per second; ten times as many at once (default ${default})."`
	MaxPeersPerAddress    int `default:"20000" placeholder:"N" help:"Most peers of one address that announced by HTTP or UDP, in all torrents (default ${default})."`
}

// check says what is wrong, and with which flag.
func (c *Tracker) check() error {
	switch {
	case c.AnnounceInterval < time.Second:
		return fmt.Errorf("--announce-interval %s is too short: at least 1s", c.AnnounceInterval)
	case c.TCPAnnounceInterval < time.Second:
		return fmt.Errorf("--tcp-announce-interval %s is too short: at least 1s", c.TCPAnnounceInterval)
	case c.MaxSocketsPerAddress < 1:
		return errors.New("--max-sockets-per-address must be at least 1")
	case c.MaxRequestsPerAddress < 1:
		return errors.New("--max-requests-per-address must be at least 1")
	case c.MaxPeersPerAddress < 1:
		return errors.New("--max-peers-per-address must be at least 1")
	}
	for _, v := range c.UDPTracker {
		if _, _, err := net.SplitHostPort(v); err != nil && v != off {
			return fmt.Errorf("--udp-tracker %q is not HOST:PORT, such as :6969", v)
		}
	}
	for _, v := range c.AllowOrigin {
		if !origin.MatchString(v) || strings.Contains(v, "*") || !strings.HasPrefix(v, "http") {
			return fmt.Errorf("--allow-origin %q is not an origin such as https://example.org (no path)", v)
		}
	}
	return c.Together.check()
}

// trackers are the three front ends and their store.
type trackers struct {
	store    *tracker.Store[ws.Handle]
	together *together // nil: this machine is alone
	list     *gate.List
	users    *gate.Users  // nil: the tracker is for everybody
	finder   *near.Finder // nil without a database
	sockets  *ws.Server
	history  *history.History
	kept     *snapshots // nil without
	http     *trackerhttp.Server
	udp      *udp.Handler
	conns    []net.PacketConn // of udp
	origins  []string
}

func (s *Server) newTrackers() error {
	c := &s.config.Tracker
	list, err := gate.OpenList(c.AllowList, c.DenyList, s.log)
	if err != nil {
		return err
	}
	users, err := s.config.Private.open(s.log)
	if err != nil {
		return err
	}
	t := &trackers{list: list, users: users, origins: c.AllowOrigin}
	var place func(netip.Addr) tracker.Place
	switch {
	case c.GeoIP != "":
		if t.finder, err = near.Open(c.GeoIP, s.log); err != nil {
			return fmt.Errorf("--geoip: %w", err)
		}
		place = t.finder.Place
	case c.Nearby:
		place = near.ByPrefix
	}
	t.store = tracker.New[ws.Handle](tracker.Options{
		Expiry:        2 * c.AnnounceInterval,
		AddrExpiry:    2 * c.TCPAnnounceInterval,
		MaxPerNetwork: c.MaxPeersPerAddress,
		Allow:         list.Allow,
		Place:         place,
	})
	if t.kept, err = openSnapshots(c.Snapshot, t.store, s.log); err != nil {
		return err
	}
	limiter := gate.NewLimiter(c.MaxRequestsPerAddress)
	var admit func(string) error
	if users != nil {
		admit = users.Admit
	}
	if t.together, err = c.join(t.store, s.log); err != nil {
		return err
	}
	t.http = trackerhttp.New(t.together.swarms(t.store), trackerhttp.Options{Interval: c.TCPAnnounceInterval, Limiter: limiter, Admit: admit, Address: s.address})
	t.udp = udp.New(t.together.swarms(t.store), udp.Options{Interval: c.TCPAnnounceInterval, Limiter: limiter, Admit: admit})
	if s.sharesUDP() {
		s.relay.Also(t.udp)
	}
	for _, addr := range s.udpAddrs() {
		conns, err := udp.Listen(context.Background(), addr)
		if err != nil {
			t.closeUDP()
			t.together.close(context.Background())
			return explain("--udp-tracker", addr, err)
		}
		t.conns = append(t.conns, conns...)
	}
	t.sockets = ws.New(t.store, ws.Options{
		Interval:             c.AnnounceInterval,
		MaxSocketsPerAddress: c.MaxSocketsPerAddress,
		Address:              s.address,
		Place:                place,
		Log:                  s.log,
		Cluster:              t.together.others(),
	})
	if err := t.together.start(t.sockets); err != nil {
		t.closeUDP()
		t.together.close(context.Background())
		return err
	}
	t.history = newHistory(t)
	s.trackers = t
	return nil
}

// off is where UDP is not answered.
const off = "off"

func (s *Server) udpAddrs() []string {
	addrs := slices.DeleteFunc(slices.Clone(s.config.UDPTracker), func(v string) bool { return v == off || s.relay != nil && s.ownPort(v) })
	if s.trackerOnly && len(s.config.UDPTracker) == 0 {
		addrs = []string{s.listener.Addr().String()}
	}
	return addrs
}

func (s *Server) ownPort(addr string) bool {
	_, port, _ := net.SplitHostPort(addr)
	return port == fmt.Sprint(s.listener.Addr().(*net.TCPAddr).Port)
}

// sharesUDP says whether the relay's socket is the tracker's too.
func (s *Server) sharesUDP() bool {
	return s.relay != nil && slices.ContainsFunc(s.config.UDPTracker, s.ownPort)
}

// AnnounceURLs are the tracker's, as torrents and links name them on this machine, or for everybody with a domain.
func (s *Server) AnnounceURLs() []string {
	page := s.URL()
	urls := []string{"ws" + strings.TrimPrefix(page, "http") + "/announce", page + "/announce"}
	for _, c := range s.trackers.conns {
		a := c.LocalAddr().(*net.UDPAddr).AddrPort()
		host := a.Addr().Unmap().String()
		switch {
		case s.config.Domain != "":
			host = s.config.Domain
		case a.Addr().IsUnspecified() || a.Addr().IsLoopback():
			host = "localhost"
		}
		urls = append(urls, fmt.Sprintf("udp://%s/announce", net.JoinHostPort(host, fmt.Sprint(a.Port()))))
	}
	if u, err := url.Parse(page); err == nil && s.sharesUDP() {
		urls = append(urls, fmt.Sprintf("udp://%s/announce", net.JoinHostPort(u.Hostname(), fmt.Sprint(s.listener.Addr().(*net.TCPAddr).Port))))
	}
	return slices.Compact(urls) // the sockets of one port follow one another
}

// run serves UDP and keeps house until the context ends.
func (t *trackers) run(ctx context.Context, failed chan<- error) {
	go t.store.Run(ctx)
	go t.history.Run(ctx)
	t.together.run(ctx, failed)
	for _, c := range t.conns {
		go func() {
			if err := t.udp.Serve(c); err != nil {
				failed <- err
			}
		}()
	}
	onHangup(ctx, func(hangup <-chan os.Signal) { t.list.Watch(ctx, hangup, t.store.Sweep) })
	if t.kept != nil {
		go t.kept.run(ctx)
	}
	if t.finder != nil {
		onHangup(ctx, func(hangup <-chan os.Signal) { t.finder.Watch(ctx, hangup) })
	}
	if t.users != nil {
		onHangup(ctx, func(hangup <-chan os.Signal) { t.users.Watch(ctx, hangup) })
	}
}

// onHangup runs what watches for SIGHUP. From its return on, the signal does not end the program.
func onHangup(ctx context.Context, watch func(<-chan os.Signal)) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		watch(hangup)
		<-ctx.Done()
		signal.Stop(hangup)
	}()
}

func (t *trackers) closeUDP() {
	for _, c := range t.conns {
		_ = c.Close()
	}
}

// close ends sockets well, as long as the context lasts.
func (t *trackers) close(ctx context.Context) error {
	t.closeUDP()
	err := t.sockets.Close(ctx)
	t.together.close(ctx)
	return err
}

func socket(r *http.Request) bool { return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") }

// announce is for WebSockets and for HTTP, whichever asks. Who asks for nothing at all is told that this is a tracker.
func (s *Server) announce(w http.ResponseWriter, r *http.Request) {
	switch {
	case socket(r):
		if o := r.Header.Get("Origin"); o != "" && len(s.trackers.origins) > 0 && !slices.Contains(s.trackers.origins, o) {
			http.Error(w, "This tracker does not serve pages of "+o+". Its operator may allow them with --allow-origin.", http.StatusForbidden)
			return
		}
		if err := s.trackers.users.Admit(r.URL.Path); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		s.trackers.sockets.ServeHTTP(w, r)
	case r.URL.RawQuery == "":
		s.trackers.sockets.ServeHTTP(w, r)
	default:
		s.scrape(w, r)
	}
}

// scrape is for HTTP alone.
func (s *Server) scrape(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	clear(h) // what protects pages is no use to programs, and longer than the answer
	if p := peer(r); !p.IsLoopback() && !s.trusted(p) {
		h.Set("Connection", "close") // the next request comes in a quarter of an hour
	}
	s.trackers.http.ServeHTTP(w, r)
}

// alone is what a tracker without pages answers.
func (s *Server) alone(w http.ResponseWriter, r *http.Request) {
	// Other trackers take sockets at any path, and their links say so.
	if socket(r) {
		s.announce(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path != "/" {
		http.Error(w, "There is nothing here. The tracker is at /announce.", http.StatusNotFound)
		return
	}
	get(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "This is a tracker for BitTorrent and WebTorrent. Announce at /announce, by WebSocket or HTTP%s.\n", s.byUDP())
	})(w, r)
}

func (s *Server) byUDP() string {
	if len(s.trackers.conns) == 0 {
		return ""
	}
	return ", or by UDP"
}
