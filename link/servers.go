package link

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	askWithin = 5 * time.Second
	// serversHold is how long what ICEServers returned is used; less where credentials end before endsBefore from then.
	// askAgain is the least, and after an error.
	serversHold = 10 * time.Minute
	endsBefore  = 5 * time.Minute
	askAgain    = 30 * time.Second
)

// servers keeps STUN and TURN servers and their credentials fresh.
type servers struct {
	ask func(context.Context) ([]webrtc.ICEServer, error)
	log *slog.Logger

	// stale: what is known may be of no use.
	stale atomic.Bool

	mu    sync.Mutex
	known []webrtc.ICEServer
	until time.Time
}

// get returns the servers to use now. Without them the local network still works, so there is no error.
func (s *servers) get(ctx context.Context) []webrtc.ICEServer {
	if s.ask == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.stale.Swap(false) && now.Before(s.until) {
		return s.known
	}
	ctx, stop := context.WithTimeout(ctx, askWithin)
	defer stop()
	known, err := s.ask(ctx)
	if err != nil {
		s.log.Warn("no STUN and TURN servers: peers behind some routers cannot be reached", "error", err)
		if !s.until.IsZero() && now.After(ends(s.known, now)) {
			s.known = nil
		}
		s.until = now.Add(askAgain)
		return s.known
	}
	s.known = known
	s.until = now.Add(serversHold)
	if end := ends(known, now.Add(serversHold+endsBefore)).Add(-endsBefore); end.Before(s.until) {
		s.until = latest(end, now.Add(askAgain))
	}
	return s.known
}

// ends returns when the first credentials end, or the other time if that is earlier. Those of the REST scheme have the
// time in the user name.
func ends(all []webrtc.ICEServer, other time.Time) time.Time {
	for _, server := range all {
		text, _, _ := strings.Cut(server.Username, ":")
		seconds, err := strconv.ParseInt(text, 10, 64)
		if end := time.Unix(seconds, 0); err == nil && end.Before(other) {
			other = end
		}
	}
	return other
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
