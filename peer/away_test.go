package peer

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/anacrolix/torrent/bencode"

	"github.com/starling-p2p/starling/internal/testnet"
)

// A tracker that is away at first, and again in mid-transfer, keeps nobody for long.
func TestTrackerAway(t *testing.T) {
	var away atomic.Bool
	away.Store(true)
	var peers atomic.Value
	peers.Store([]byte{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "not now", http.StatusBadGateway)
			return
		}
		_, _ = w.Write(bencode.MustMarshal(map[string]any{"interval": 1800, "complete": 1, "incomplete": 0, "peers": peers.Load()}))
	}))
	defer server.Close()

	dir := t.TempDir()
	seeder := start(t, func(o *Options) { o.UploadLimit = 4 << 20 })
	data := random(3<<20, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}, Trackers: []string{server.URL}})
	at := seeder.Addr().(*net.TCPAddr)
	peers.Store(append([]byte(at.IP.To4()), byte(at.Port>>8), byte(at.Port)))
	fetched := add(t, start(t), shared.Magnet(), AddOptions{Dir: filepath.Join(dir, "to")})
	testnet.Until(t, "it is said that the tracker is away", func() bool {
		s := fetched.Stats().Trackers
		return len(s) == 1 && s[0].Err != nil
	})
	away.Store(false)
	testnet.Until(t, "the tracker is asked again", func() bool { return fetched.Stats().BytesDone > 0 })
	server.CloseClientConnections()
	away.Store(true)
	done(t, fetched)
	same(t, filepath.Join(dir, "to/a"), data)
}
