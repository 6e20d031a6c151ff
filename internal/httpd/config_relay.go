package httpd

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
)

// Relay is the STUN and TURN server, for browsers between whose networks nothing goes directly.
type Relay struct {
	Enabled        bool     `name:"relay" default:"true" negatable:"" help:"Answer STUN and TURN at the port of --addr, UDP and TCP (default: yes)."`
	RelayHost      string   `placeholder:"HOST[:PORT]" help:"Where browsers reach it, if not where they reach the pages."`
	RelayAddress   []string `sep:" " placeholder:"IP" help:"The public address of this machine, if it is not one of its own. Twice: one IPv4, one IPv6."`
	RelaySecret    string   `placeholder:"TEXT" help:"What signs credentials; the same on servers that stand for one another. Default: random."`
	RelayPrivate   bool     `help:"Relay to private networks and to this machine too."`
	RelayRate      int      `default:"4000000" placeholder:"BYTES" help:"Most bytes per second of one allocation (default ${default}; 0: no bound)."`
	RelayTotalRate int      `default:"50000000" placeholder:"BYTES" help:"Most bytes per second of all together (default ${default}; 0: no bound)."`

	RelayMaxAllocations           int `default:"4096" placeholder:"N" help:"Most allocations (default ${default})."`
	RelayMaxAllocationsPerAddress int `default:"256" placeholder:"N" help:"Most allocations of one IPv4 address or IPv6 /64 (default ${default})."`
}

// shortestSecret is in bytes; nobody guesses one that is random.
const shortestSecret = 16

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
