package httpd

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// AnnounceURLs are the tracker's, as torrents and links name them on this machine, or for everybody with a domain.
func (s *Server) AnnounceURLs() []string {
	page := s.URL()
	urls := []string{"ws" + strings.TrimPrefix(page, "http") + "/announce", page + "/announce"}
	for _, c := range s.trackers.conns {
		a := c.LocalAddr().(*net.UDPAddr).AddrPort()
		host := a.Addr().Unmap().String()
		switch {
		case s.config.Domain != "":
			host = s.config.Domain
		case a.Addr().IsUnspecified() || a.Addr().IsLoopback():
			host = "localhost"
		}
		urls = append(urls, fmt.Sprintf("udp://%s/announce", net.JoinHostPort(host, fmt.Sprint(a.Port()))))
	}
	if u, err := url.Parse(page); err == nil && s.sharesUDP() {
		urls = append(urls, fmt.Sprintf("udp://%s/announce", net.JoinHostPort(u.Hostname(), fmt.Sprint(s.listener.Addr().(*net.TCPAddr).Port))))
	}
	return slices.Compact(urls) // the sockets of one port follow one another
}

func socket(r *http.Request) bool { return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") }

// sockets takes them at any path, as other trackers do: links of a tracker that was here before say so.
func (s *Server) sockets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if socket(r) {
			s.announce(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// announce is for WebSockets and for HTTP, whichever asks. Who asks for nothing at all is told that this is a tracker.
func (s *Server) announce(w http.ResponseWriter, r *http.Request) {
	switch {
	case socket(r):
		if o := r.Header.Get("Origin"); o != "" && len(s.trackers.origins) > 0 && !slices.Contains(s.trackers.origins, o) {
			http.Error(w, "This tracker does not serve pages of "+o+". Its operator may allow them with --allow-origin.", http.StatusForbidden)
			return
		}
		if err := s.trackers.users.Admit(r.URL.Path); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		s.trackers.sockets.ServeHTTP(w, r)
	case r.URL.RawQuery == "":
		s.trackers.sockets.ServeHTTP(w, r)
	default:
		s.scrape(w, r)
	}
}

// scrape is for HTTP alone.
func (s *Server) scrape(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	clear(h) // what protects pages is no use to programs, and longer than the answer
	// But for this: a scrape says infohashes as they came, which in a script element of one of our pages would be a script.
	h.Set("X-Content-Type-Options", "nosniff")
	if p := peer(r); !p.IsLoopback() && !s.trusted(p) {
		h.Set("Connection", "close") // the next request comes in a quarter of an hour
	}
	s.trackers.http.ServeHTTP(w, r)
}

// alone is what a tracker without pages answers.
func (s *Server) alone(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Path != "/" {
		http.Error(w, "There is nothing here. The tracker is at /announce.", http.StatusNotFound)
		return
	}
	get(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		at := "/announce"
		if s.config.Private.Private != "" {
			at = "the URL that its operator gave you"
		}
		fmt.Fprintf(w, "This is a tracker for BitTorrent and WebTorrent. Announce at %s, by WebSocket or HTTP%s.\n", at, s.byUDP())
	})(w, r)
}
