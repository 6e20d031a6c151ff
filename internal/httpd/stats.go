package httpd

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/starling-p2p/starling/internal/history"
)

// What the page of figures may do: nothing but show itself.
const statsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// newHistory is what the page of figures shows. An offer counts as answered while its answer may still be passed on
// (tracker.OfferTTL); whether a link came of it only the two peers know.
func newHistory(t *trackers) *history.History {
	level := func(name string, read func() int) history.Figure {
		return history.Figure{Name: name, Read: func() uint64 { return uint64(max(0, read())) }}
	}
	count := func(name string, read func() uint64) history.Figure {
		return history.Figure{Name: name, Count: true, Read: read}
	}
	return history.New(
		level("webrtc", func() int { return t.store.Stats().WebRTC }),
		level("ipv4", func() int { return t.store.Stats().IPv4 }),
		level("ipv6", func() int { return t.store.Stats().IPv6 }),
		level("swarms", func() int { return t.store.Stats().Swarms }),
		level("sockets", func() int { return t.sockets.Stats().Sockets }),
		count("websocketAnnounces", func() uint64 { return t.sockets.Stats().Announces }),
		count("httpAnnounces", func() uint64 { return t.http.Stats().Announces }),
		count("udpAnnounces", func() uint64 { return t.udp.Stats().Announces }),
		count("offers", func() uint64 { return t.sockets.Stats().Offers }),
		count("answers", func() uint64 { return t.sockets.Stats().Answers }),
		count("dropped", func() uint64 { return t.sockets.Stats().Dropped }),
		count("refused", func() uint64 { return t.sockets.Stats().Refused + t.http.Stats().Refused + t.udp.Stats().Refused }),
		count("mistaken", func() uint64 {
			return t.sockets.Stats().Malformed + t.http.Stats().Failures + t.udp.Stats().Failures + t.udp.Stats().Forged
		}),
	)
}

// StatsURL is where the page of figures is: where everybody finds the server, or else on this machine alone.
func (s *Server) StatsURL() string {
	if s.config.Domain == "" || s.config.MetricsPublic {
		return s.URL() + "/stats"
	}
	return fmt.Sprintf("https://localhost:%d/stats", s.listener.Addr().(*net.TCPAddr).Port)
}

// shown says whether who asks may see figures, and if not, answers.
func (s *Server) shown(w http.ResponseWriter, r *http.Request, what string) bool {
	if s.config.MetricsPublic || local(r) {
		return true
	}
	w.Header().Set("Cache-Control", "no-store")
	text := what + " are shown on this machine only, at localhost or the address of --addr; --metrics-public shows them to everybody."
	if r.Close && peer(r).IsLoopback() {
		text += " A request by HTTP/1.0 or with `Connection: close` seems to be one that a proxy here passes on."
	}
	http.Error(w, text, http.StatusForbidden)
	return false
}

// day is /stats: for browsers the page, which asks here again for the figures, and for programs these.
func (s *Server) day(files static) http.HandlerFunc {
	return get(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Accept, Accept-Encoding")
		if !s.shown(w, r, "Figures") {
			return
		}
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			h.Set("Content-Type", "application/json")
			h.Set("Cache-Control", "no-store")
			_ = json.NewEncoder(w).Encode(s.trackers.history.Day()) // nobody is left to be told
			return
		}
		page := files["/stats/stats.html"]
		if page == nil {
			h.Set("Cache-Control", "no-store")
			http.Error(w, notBuilt, http.StatusServiceUnavailable)
			return
		}
		h.Set("Content-Security-Policy", statsPolicy)
		h.Set("Cache-Control", "no-store") // who may see it now may not see it tomorrow
		page.write(w, r, page.choose(r.Header.Get("Accept-Encoding")), http.StatusOK)
	})
}

// stats are a tracker's numbers now, for everybody, by the names that bittorrent-tracker's /stats.json has, as far as it
// has them.
func (s *Server) stats(w http.ResponseWriter, r *http.Request) {
	n := s.trackers.store.Stats()
	h := w.Header()
	anyOrigin(h)
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]int{ // nobody is left to be told
		"torrents": n.Swarms, "activeTorrents": n.Swarms,
		"peersAll": n.Peers, "peersWebRTC": n.WebRTC, "peersIPv4": n.IPv4, "peersIPv6": n.IPv6,
		"sockets": s.trackers.sockets.Stats().Sockets,
	})
}
