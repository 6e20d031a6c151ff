package edge

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/starling-p2p/starling/internal/loopback"
)

// ownerKey is what was given, else what was kept, else a new one.
func ownerKey(given, dir string) (string, error) {
	if given != "" {
		return given, nil
	}
	file := filepath.Join(dir, "owner.key")
	if dir != "" {
		kept, err := os.ReadFile(file)
		if key := strings.TrimSpace(string(kept)); err == nil && key != "" {
			return key, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading the owner's key: %w", err)
		}
	}
	key := rand.Text()
	if dir != "" {
		if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("keeping the owner's key: %w", err)
		}
	}
	return key, nil
}

// owner lets in who has the key, and requests made on this very machine that no proxy passed on.
func (e *Edge) owner(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		peer, _ := netip.ParseAddrPort(r.RemoteAddr)
		local := peer.Addr().Unmap().IsLoopback() && loopback.Host(r.Host) && loopback.Asks(r)
		if !local && subtle.ConstantTimeCompare([]byte(key), []byte(e.key)) != 1 {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "This is the owner's: open the link that starling edge printed when it started.", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// figures are what the owner's page shows.
func (e *Edge) figures() any {
	s := e.stats
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(&bucket{})
	v := e.library.version.Load()
	var size int64
	for _, p := range v.places {
		size += p.asset.Size
	}
	type now struct {
		At       int64  `json:"at"` // by this machine's clock, in seconds since 1970: the owner's may be wrong
		Version  string `json:"version"`
		Assets   int    `json:"assets"`
		Bytes    int64  `json:"bytes"`
		Torrents int    `json:"torrents"`
		Visitors int    `json:"visitors"`
	}
	return struct {
		figures
		Causes []string `json:"causes"`
		Now    now      `json:"now"`
	}{s.figures.clone(), causes[:], now{s.now().Unix(), v.id, len(v.places), size, len(v.torrents), e.swarms.Stats().Peers}}
}

func (f figures) clone() figures {
	f.Minutes.Buckets = append([]bucket{}, f.Minutes.Buckets...)
	f.Hours.Buckets = append([]bucket{}, f.Hours.Buckets...)
	return f
}
