package httpd

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/starling-p2p/starling/internal/loopback"
	"github.com/starling-p2p/starling/relay"
)

// ice answers with STUN and TURN servers, this one among them, with credentials of the asker's own.
func (s *Server) ice(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Servers []ICEServer `json:"iceServers"`
		// Lifetime is for how long they may be used, in seconds.
		Lifetime int `json:"lifetime,omitempty"`
	}{Servers: s.settings.ice}
	if at, ok := s.relayAt(r); ok {
		c := s.relay.Credentials()
		tcp := "turn:" + at + "?transport=tcp"
		if s.tls != nil {
			tcp = "turns:" + at + "?transport=tcp"
		}
		answer.Servers = append([]ICEServer{
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
	case loopback.Proxied(r):
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
