package httpd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/starling-p2p/starling/internal/history"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/gate"
	trackerhttp "github.com/starling-p2p/starling/tracker/http"
	"github.com/starling-p2p/starling/tracker/near"
	"github.com/starling-p2p/starling/tracker/udp"
	"github.com/starling-p2p/starling/tracker/ws"
)

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
		return fmt.Errorf("--allow-list, --deny-list: %w", err)
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
	var serves func(string) bool
	if users != nil {
		admit, serves = users.Admit, users.Serves
	}
	if t.together, err = c.join(t.store, s.log); err != nil {
		return err
	}
	t.http = trackerhttp.New(t.together.swarms(t.store), trackerhttp.Options{Interval: c.TCPAnnounceInterval, Limiter: limiter, Admit: admit, Address: s.address})
	t.udp = udp.New(t.together.swarms(t.store), udp.Options{Interval: c.TCPAnnounceInterval, Limiter: limiter, Admit: admit})
	if s.sharesUDP() {
		s.relay.Also(t.udp)
	}
	t.conns = s.datagrams
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
		Serves:               serves,
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
		onHangup(ctx, func(hangup <-chan os.Signal) { t.users.Watch(ctx, hangup, t.sockets.Recheck) })
	}
}

// close ends sockets well, as long as the context lasts.
func (t *trackers) close(ctx context.Context) error {
	t.closeUDP()
	err := t.sockets.Close(ctx)
	t.together.close(ctx)
	return err
}
