package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/starling-p2p/starling/internal/egress"
	"github.com/starling-p2p/starling/internal/loopback"
	"github.com/starling-p2p/starling/peer"
)

// defaultServer is where `starling serve` is without any flags.
const defaultServer = "http://localhost:8080"

// server is a Starling server: it introduces peers, and its pages are what links lead to.
type server struct {
	*url.URL
	own bool // the user has named it, and not a link
}

// parseServer reads a server's URL. Without a scheme it is https, but http on this very machine, where `starling serve` is.
func parseServer(text string) (server, error) {
	bare := !strings.Contains(text, "://")
	if bare {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return server{}, fmt.Errorf("--server %q is not a server's URL such as https://share.example.org", text)
	}
	s := server{URL: &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}}
	if bare && s.here() {
		s.Scheme = "http"
	}
	return s, nil
}

// serverOf is the server that a Starling link names; without URL where the text is none.
func serverOf(link string) server {
	before, _, linked := strings.Cut(strings.TrimSpace(link), "#")
	u, err := url.Parse(before)
	if !linked || err != nil || u.Host == "" {
		return server{}
	}
	s, err := parseServer(u.Scheme + "://" + u.Host)
	if err != nil {
		return server{}
	}
	return s
}

func (s server) tracker() string {
	return "ws" + strings.TrimPrefix(s.Scheme, "http") + "://" + s.Host + "/announce"
}

// trackers are the same one, for browsers and by HTTP, where BitTorrent peers find one another.
func (s server) trackers() []string {
	return []string{s.tracker(), s.JoinPath("announce").String()}
}

// here says whether only this machine knows the server by that name.
func (s server) here() bool {
	return loopback.Host(s.Host)
}

// hint says why a link to it may not work for those it is sent to, browsers among them or not, as far as its trackers show;
// "" where nothing is known.
func (s server) hint(trackers []peer.Tracker, toBrowsers bool) string {
	met, plain, why, browsers := false, false, "it does not answer", ""
	for _, t := range trackers {
		switch {
		case !slices.Contains(s.trackers(), t.URL):
		case t.Connected:
			met = true
		case t.Err != nil:
			why = safe(t.Err.Error())
			plain = plain || errors.As(t.Err, &tls.RecordHeaderError{})
			if t.URL == s.tracker() {
				browsers = why
			}
		}
	}
	switch {
	case !met && plain:
		return fmt.Sprintf("The server at %s speaks no HTTPS: the link does not work. Name it with http:// before it: --server http://%s", s, s.Host)
	case !met:
		return fmt.Sprintf("No Starling server is at %s (%s): the link does not work yet.\nStart one with 'starling serve', or name another with --server or STARLING_SERVER. It is tried again and again.", s, why)
	case toBrowsers && browsers != "":
		return fmt.Sprintf("Browsers cannot fetch what is shared: nobody is introduced to them at %s (%s). It is tried again and again.", s.tracker(), browsers)
	case s.here():
		return fmt.Sprintf("The link works on this machine only, as it names %s. --server names a server that others reach.", s.Hostname())
	case toBrowsers && s.Scheme == "http":
		return fmt.Sprintf("Browsers open no such link: over http:// they check and decrypt nothing. 'starling get' takes it; for browsers %s needs https://.", s.Host)
	}
	return ""
}

// iceServers are the STUN and TURN servers that it gives to browsers.
func (s server) iceServers(ctx context.Context) ([]webrtc.ICEServer, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ways := egress.New()
	defer ways.Close()
	if s.own {
		ways.Name(s.String())
	}
	return peer.ICEServersOf(s.String(), ways.Given())(ctx)
}
