package httpd

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Tracker is how peers are introduced to one another.
type Tracker struct {
	AnnounceInterval    time.Duration `default:"120s" placeholder:"DURATION" help:"How often peers announce by WebSocket; they are forgotten after twice this (default ${default})."`
	TCPAnnounceInterval time.Duration `name:"tcp-announce-interval" default:"15m" placeholder:"DURATION" help:"The same for those who announce by HTTP and UDP (default ${default})."`
	UDPTracker          []string      `name:"udp-tracker" sep:" " placeholder:"HOST:PORT" help:"Answer announces by UDP here too, such as :6969. May be given several times. starling tracker does so at the port of --addr, unless this is off."`

	AllowList   string   `placeholder:"FILE" help:"Serve only the torrents in this file: one infohash in hex on each line. Read again when it changes, or on SIGHUP."`
	DenyList    string   `placeholder:"FILE" help:"Do not serve the torrents in this file."`
	GeoIP       string   `name:"geoip" placeholder:"FILE" help:"Tell peers of those nearby first, by this GeoIP database (mmdb): of countries, cities or networks. Read again when it changes."`
	Nearby      bool     `help:"The same without a database, by how addresses begin."`
	Snapshot    string   `placeholder:"FILE" help:"Keep peers that announced by HTTP and UDP in this file, so that a restart does not forget them."`
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
		if v == off {
			continue
		}
		if err := checkAddr("--udp-tracker", v, ":6969"); err != nil {
			return err
		}
	}
	for _, v := range c.AllowOrigin {
		if !origin.MatchString(v) || strings.Contains(v, "*") || !strings.HasPrefix(v, "http") {
			return fmt.Errorf("--allow-origin %q is not an origin such as https://example.org (no path)", v)
		}
	}
	return c.Together.check()
}
