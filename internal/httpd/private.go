package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/starling-p2p/starling/tracker/gate"
)

// Private is a tracker for those only whose announce URLs it has signed.
type Private struct {
	Private string `placeholder:"FILE" help:"Serve only announce URLs that were signed with the secret in this file, any 16 bytes or more."`
	Revoked string `placeholder:"FILE" help:"Do not serve the users in this file: one name on each line. Read again when it changes, or on SIGHUP."`
}

// check says what is wrong, and with which flag.
func (p *Private) check() error {
	if p.Revoked != "" && p.Private == "" {
		return errors.New("--revoked is for private trackers: give --private too")
	}
	return nil
}

// CheckSign says whether there can be announce URLs of a user.
func (p *Private) CheckSign(user string) error {
	if p.Private == "" {
		return errors.New("only a private tracker signs announce URLs: give --private too")
	}
	if err := gate.CheckUser(user); err != nil {
		return fmt.Errorf("--sign %w", err)
	}
	return nil
}

// open returns nil for a tracker that is for everybody.
func (p *Private) open(log *slog.Logger) (*gate.Users, error) {
	if p.Private == "" {
		return nil, nil
	}
	return gate.OpenUsers(p.Private, p.Revoked, log)
}

// SignedURLs are a user's own announce URLs, by WebSocket, HTTP and UDP, at the addresses of the configuration.
func (c *Config) SignedURLs(user string) ([]string, error) {
	if err := c.Private.CheckSign(user); err != nil {
		return nil, err
	}
	users, err := c.Private.open(slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	path, err := users.Path(user)
	if err != nil {
		return nil, err
	}
	path += "/announce"
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "localhost"
	}
	at, secure := net.JoinHostPort(host, port), ""
	if c.TLSCert != "" {
		secure = "s"
	}
	if c.Domain != "" {
		host, secure = c.Domain, "s"
		if c.Addr == DefaultAddr {
			port = "443"
		}
		if at = host; port != "443" {
			at += ":" + port
		}
	}
	urls := []string{"ws" + secure + "://" + at + path, "http" + secure + "://" + at + path}
	switch {
	case len(c.UDPTracker) == 0:
	case c.UDPTracker[0] == off:
		return urls, nil
	default:
		if _, port, err = net.SplitHostPort(c.UDPTracker[0]); err != nil {
			return nil, err
		}
	}
	return append(urls, "udp://"+net.JoinHostPort(host, port)+path), nil
}

// users tells the operator, on this machine, how many requests each user made.
func (s *Server) users(w http.ResponseWriter, r *http.Request) {
	if !local(r) {
		http.Error(w, "Users are shown on this machine only, at localhost.", http.StatusForbidden)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(s.trackers.users.Counts()) // nobody is left to be told
}
