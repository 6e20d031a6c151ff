package httpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/starling-p2p/starling/relay"
	"github.com/starling-p2p/starling/tracker/udp"
)

// portTries is how often another port is tried, when any will do, until one is free for TCP and UDP both.
const portTries = 32

// listenBoth listens for TCP, and on the UDP port of the same number for the relay, or for a tracker alone.
func (s *Server) listenBoth() error {
	for try := 1; ; try++ {
		l, err := listen(s.config.Addr)
		if err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(s.config.Addr)
		again := func(err error) bool { return errors.Is(err, syscall.EADDRINUSE) && port == "0" && try < portTries }
		if s.trackerOnly && len(s.config.UDPTracker) == 0 {
			at := l.Addr().String()
			if s.datagrams, err = udp.Listen(context.Background(), at); err != nil {
				_ = l.Close()
				if again(err) {
					continue
				}
				return explain("--udp-tracker", at, err)
			}
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
		switch {
		case again(err):
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("UDP port %d is in use by another program, and STUN and TURN need it: stop that, choose another port with --addr, or do without with --no-relay", at.Port())
		default:
			return fmt.Errorf("STUN and TURN (--no-relay does without): %w", err)
		}
	}
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, explain("--addr", addr, err)
	}
	return l, nil
}

// explain says what to do when an address that a flag names cannot be listened at.
func explain(flag, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program: stop that, or choose another port with %s", addr, flag)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s may not be opened by this user: choose a port above 1023 with %s, or allow it with `setcap cap_net_bind_service=+ep` on the program", addr, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine: change %s", addr, flag)
	}
	return fmt.Errorf("listening on %s %s: %w", flag, addr, err)
}

func (s *Server) unlisten() {
	_ = s.listener.Close()
	for _, c := range s.datagrams {
		_ = c.Close()
	}
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
