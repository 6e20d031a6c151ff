package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starling-p2p/starling/relay"
)

// Relay is the STUN and TURN server, for browsers between whose networks nothing goes directly.
type Relay struct {
	Enabled        bool     `name:"relay" default:"true" negatable:"" help:"Answer STUN and TURN at the port of --addr, UDP and TCP (on unless --no-relay)."`
	RelayHost      string   `placeholder:"HOST[:PORT]" help:"Where browsers reach it, if not where they reach the pages."`
	RelayAddress   []string `sep:" " placeholder:"IP" help:"The public address of this machine, if it is not one of its own. Twice: one IPv4, one IPv6."`
	RelaySecret    string   `placeholder:"TEXT" help:"What signs credentials; the same on servers that stand for one another. Default: random."`
	RelayPrivate   bool     `help:"Relay to private networks and to this machine too."`
	RelayRate      int      `default:"4000000" placeholder:"BYTES" help:"Most bytes per second of one allocation (default ${default}; 0: no bound)."`
	RelayTotalRate int      `default:"50000000" placeholder:"BYTES" help:"Most bytes per second of all together (default ${default}; 0: no bound)."`

	RelayMaxAllocations           int `default:"4096" placeholder:"N" help:"Most allocations (default ${default})."`
	RelayMaxAllocationsPerAddress int `default:"256" placeholder:"N" help:"Most allocations of one IPv4 address or IPv6 /64 (default ${default})."`
}

const (
	// shortestSecret is in bytes; nobody guesses one that is random.
	shortestSecret = 16
	// portTries is how often another port is tried, when any will do, until one is free for TCP and UDP both.
	portTries = 32
)

var hostPort = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?$`)

// check says what is wrong, and with which flag.
func (c *Relay) check() (public []netip.Addr, err error) {
	if !c.Enabled {
		return nil, nil
	}
	families := map[bool]bool{}
	for _, v := range c.RelayAddress {
		a, err := netip.ParseAddr(v)
		if err != nil || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
			return nil, fmt.Errorf("--relay-address %q is not an address such as 203.0.113.5", v)
		}
		if a = a.Unmap(); families[a.Is4()] {
			return nil, fmt.Errorf("--relay-address %s: one address of each family is enough", v)
		}
		families[a.Is4()] = true
		public = append(public, a)
	}
	switch {
	case c.RelayHost != "" && !hostPort.MatchString(c.RelayHost):
		return nil, fmt.Errorf("--relay-host %q is not a name or an address, such as turn.example.org or 203.0.113.5:3478", c.RelayHost)
	case c.RelaySecret != "" && len(c.RelaySecret) < shortestSecret:
		return nil, fmt.Errorf("--relay-secret is too short: at least %d random characters, as from `openssl rand -hex 16`", shortestSecret)
	case c.RelayMaxAllocations < 1 || c.RelayMaxAllocationsPerAddress < 1:
		return nil, errors.New("--relay-max-allocations and --relay-max-allocations-per-address must be at least 1; --no-relay allows none")
	case c.RelayRate < 0 || c.RelayTotalRate < 0:
		return nil, errors.New("--relay-rate and --relay-total-rate must not be negative; 0 is no bound")
	}
	return public, nil
}

// listenBoth listens for TCP, and for the relay on the UDP port of the same number.
func (s *Server) listenBoth() error {
	for try := 1; ; try++ {
		l, err := listen(s.config.Addr)
		if err != nil {
			return err
		}
		if !s.config.Enabled || s.trackerOnly {
			s.listener = l
			return nil
		}
		at := l.Addr().(*net.TCPAddr).AddrPort()
		s.relay, err = relay.Listen(relay.Options{
			Addr: at, Public: s.settings.public, Secret: []byte(s.config.RelaySecret), Private: s.config.RelayPrivate,
			MaxAllocations: s.config.RelayMaxAllocations, MaxPerAddress: s.config.RelayMaxAllocationsPerAddress,
			Rate: s.config.RelayRate, TotalRate: s.config.RelayTotalRate, Log: s.log,
		})
		if err == nil {
			s.listener = l
			s.warnOfRelay(at.Addr())
			return nil
		}
		_ = l.Close()
		_, port, _ := net.SplitHostPort(s.config.Addr)
		switch busy := errors.Is(err, syscall.EADDRINUSE); {
		case busy && port == "0" && try < portTries:
		case busy:
			return fmt.Errorf("UDP port %d is in use by another program, and STUN and TURN need it: stop that, choose another port with --addr, or do without with --no-relay", at.Port())
		default:
			return fmt.Errorf("STUN and TURN (--no-relay does without): %w", err)
		}
	}
}

func (s *Server) unlisten() {
	_ = s.listener.Close()
	if s.relay != nil {
		_ = s.relay.Close()
	}
}

func (s *Server) warnOfRelay(at netip.Addr) {
	if at.IsLoopback() || s.config.RelayPrivate {
		return
	}
	if all := s.relay.Public(); !slices.ContainsFunc(all, relay.Reachable) {
		s.log.Warn("what is relayed is reached only on this network: give the public address with --relay-address", "address", all[0])
	}
}

func (s *Server) relayMetrics(registry *prometheus.Registry) {
	if s.relay == nil {
		return
	}
	gauge := func(name, help string, value func(relay.Stats) int) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value(s.relay.Stats())) }))
	}
	counter := func(name, help, label, is string, value func(relay.Stats) uint64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: prometheus.Labels{label: is}},
			func() float64 { return float64(value(s.relay.Stats())) }))
	}
	gauge("starling_relay_allocations", "Allocations of TURN clients.", func(s relay.Stats) int { return s.Allocations })
	gauge("starling_relay_streams", "Connections of TURN clients by TCP and TLS.", func(s relay.Stats) int { return s.Streams })
	const bytes = "Bytes of payload that were relayed."
	counter("starling_relay_bytes_total", bytes, "to", "peers", func(s relay.Stats) uint64 { return s.ToPeers })
	counter("starling_relay_bytes_total", bytes, "to", "clients", func(s relay.Stats) uint64 { return s.ToClients })
	for cause, value := range map[string]func(relay.Refused) uint64{
		"credentials": func(n relay.Refused) uint64 { return n.Credentials },
		"quota":       func(n relay.Refused) uint64 { return n.Quota },
		"peer":        func(n relay.Refused) uint64 { return n.Peer },
		"rate":        func(n relay.Refused) uint64 { return n.Rate },
		"flood":       func(n relay.Refused) uint64 { return n.Flood },
		"malformed":   func(n relay.Refused) uint64 { return n.Malformed },
	} {
		counter("starling_relay_refused_total", "Requests, datagrams and connections that were refused.", "cause", cause,
			func(s relay.Stats) uint64 { return value(s.Refused) })
	}
}

// ice answers with STUN and TURN servers, this one among them, with credentials of the asker's own.
func (s *Server) ice(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Servers []iceServer `json:"iceServers"`
		// Lifetime is for how long they may be used, in seconds.
		Lifetime int `json:"lifetime,omitempty"`
	}{Servers: s.settings.ice}
	if at, ok := s.relayAt(r); ok {
		c := s.relay.Credentials()
		tcp := "turn:" + at + "?transport=tcp"
		if s.tls != nil {
			tcp = "turns:" + at + "?transport=tcp"
		}
		answer.Servers = append([]iceServer{
			{URLs: "stun:" + at},
			{URLs: "turn:" + at + "?transport=udp", Username: c.User, Credential: c.Password},
			{URLs: tcp, Username: c.User, Credential: c.Password},
		}, answer.Servers...)
		answer.Lifetime = int(relay.Lifetime / time.Second)
	}
	h := w.Header()
	anyOrigin(h)
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer) // nobody is left to be told
}

// relayAt is where the browser that asks reaches the relay: where it reached the page, as far as that was this server
// and no proxy, for a proxy passes on HTTP alone.
func (s *Server) relayAt(r *http.Request) (string, bool) {
	if s.relay == nil {
		return "", false
	}
	listens := s.listener.Addr().(*net.TCPAddr).AddrPort()
	own := strconv.Itoa(int(listens.Port()))
	switch {
	case s.config.RelayHost != "":
		return hostAndPort(s.config.RelayHost, own)
	case s.config.Domain != "":
		return hostAndPort(s.config.Domain, own)
	}
	name := r.Host
	if h := hostPort.FindStringSubmatch(name); h != nil {
		name = strings.Trim(h[1], "[]")
	}
	a, _ := netip.ParseAddr(name)
	localhost := strings.EqualFold(name, "localhost")
	switch {
	case proxied(r):
		return net.JoinHostPort(name, own), host.MatchString(r.Host) && !localhost && !a.IsLoopback() && !listens.Addr().IsLoopback()
	case localhost && listens.Addr().IsLoopback():
		// The name may stand for the other family's address, where nobody listens.
		return net.JoinHostPort(listens.Addr().Unmap().String(), own), true
	case localhost:
		return net.JoinHostPort(s.here().String(), own), true
	case s.tls != nil:
		return hostAndPort(r.Host, "443")
	}
	return hostAndPort(r.Host, "80")
}

// here is this machine's address to itself, where everything is listened to: not loopback if possible, for Firefox asks
// no STUN or TURN server there.
func (s *Server) here() netip.Addr {
	if a := s.relay.Public()[0]; len(s.settings.public) == 0 && a.Is4() {
		return a
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// hostAndPort adds the port that goes without saying.
func hostAndPort(of, standard string) (string, bool) {
	h := hostPort.FindStringSubmatch(of)
	if h == nil {
		return "", false
	}
	if h[2] == "" {
		h[2] = standard
	}
	return h[1] + ":" + h[2], true
}
