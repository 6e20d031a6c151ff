package httpd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/starling-p2p/starling/relay"
)

// portTries is how often another port is tried, when any will do, until one is free for TCP and UDP both.
const portTries = 32

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
