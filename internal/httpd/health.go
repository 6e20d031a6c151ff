package httpd

import (
	"fmt"
	"io"
	"net/http"
)

// health is ok as long as this server answers peers, which it does without the others too; a second line says how they
// are.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok\n")
	if t := s.trackers.together; t != nil {
		n := t.node.Stats()
		if !n.Connected {
			_, _ = io.WriteString(w, "cluster: the bus is not connected, so this server is on its own\n")
			return
		}
		_, _ = fmt.Fprintf(w, "cluster: %d servers\n", n.Nodes)
	}
}
