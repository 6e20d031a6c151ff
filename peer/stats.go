package peer

import (
	"strings"
	"sync"
	"time"

	"github.com/anacrolix/torrent"
)

// Peers are how many are connected, by the way they came.
type Peers struct {
	// Browser are those over links: browsers, and Starling peers that were met like them.
	Browser int
	TCP     int
	UTP     int
	// WebSeed are servers that have the files (BEP 19).
	WebSeed int
}

// Tracker is how it went with one tracker.
type Tracker struct {
	URL       string
	Connected bool // it answered last time
	Err       error
	// Seeders and Leechers are how many it knows.
	Seeders, Leechers int
}

// Stats are a torrent's figures at one moment.
type Stats struct {
	Bytes     int64 // of all data, 0 until it is known
	BytesDone int64 // of those, verified
	// DownloadSpeed and UploadSpeed are bytes of data per second, over the last few.
	DownloadSpeed, UploadSpeed float64
	// Downloaded and Uploaded are bytes of data since it was shared or added.
	Downloaded, Uploaded int64
	// Metadata is bytes of the info dictionary that have come, those that turned out to be wrong included.
	Metadata int64
	Peers    Peers
	Trackers []Tracker
	// Problem is what keeps it from going on (*UnsavedError), or is wrong with its files; nil: nothing.
	Problem error
}

// Stats may be called as often as one likes.
func (t *Torrent) Stats() Stats {
	t.mu.Lock()
	s := Stats{Problem: t.problem}
	store := t.store
	t.mu.Unlock()
	if store != nil {
		s.Bytes = store.meta.length
		s.BytesDone = s.Bytes - store.missing()
	}
	if checking := t.checking.Load(); checking > 0 {
		s.Bytes, s.BytesDone = checking, t.checked.Load()
	}
	if e := t.engine.Load(); e != nil {
		for _, pc := range e.PeerConns() {
			switch {
			case strings.HasPrefix(pc.Network, "webrtc"):
				s.Peers.Browser++
			case strings.HasPrefix(pc.Network, "udp"):
				s.Peers.UTP++
			default:
				s.Peers.TCP++
			}
		}
		if t.lacking() {
			s.Peers.WebSeed = len(e.WebseedPeerConns())
		}
		t.meter.sample(e, time.Now())
	}
	s.DownloadSpeed, s.UploadSpeed, s.Downloaded, s.Uploaded = t.meter.read(time.Now())
	s.Metadata = t.metadataCame.Load()
	s.Trackers = t.found.trackers()
	return s
}

// Links are a peer's WebRTC connections, those of all its torrents together.
type Links struct {
	// Open is how many there are now: one per peer, whatever the number of torrents that are shared with it. Channels
	// are what they carry: one per torrent and peer.
	Open, Channels int
	// Made counts the connections since the start, unanswered offers included.
	Made int
}

// Links may be called as often as one likes.
func (p *Peer) Links() Links {
	if p.finders.links == nil {
		return Links{}
	}
	s := p.finders.links.Stats()
	return Links{s.Links, s.Channels, s.Made}
}

// meter measures how fast data goes, by the monotonic clock.
type meter struct {
	mu       sync.Mutex
	down, up int64 // while it was loaded before
	loaded   sample
	of       *torrent.Torrent
	recent   [8]sample // at least half a second apart, the latest first
	samples  int
}

type sample struct {
	at       time.Time
	down, up int64
}

const meterStep = 500 * time.Millisecond

func (m *meter) sample(e *torrent.Torrent, now time.Time) {
	stats := e.Stats()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of != e {
		m.keep()
		m.of = e
	}
	m.loaded = sample{now, stats.BytesReadUsefulData.Int64(), stats.BytesWrittenData.Int64()}
	if m.samples > 0 && now.Sub(m.recent[0].at) < meterStep {
		return
	}
	copy(m.recent[1:], m.recent[:])
	m.recent[0] = sample{now, m.down + m.loaded.down, m.up + m.loaded.up}
	m.samples = min(m.samples+1, len(m.recent))
}

// stop is for a torrent that leaves the engine.
func (m *meter) stop(e *torrent.Torrent) {
	m.sample(e, time.Now())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep()
	m.of = nil
}

func (m *meter) keep() {
	m.down += m.loaded.down
	m.up += m.loaded.up
	m.loaded = sample{}
}

// add is for data that came past the engine.
func (m *meter) add(down int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down += down
}

func (m *meter) read(now time.Time) (downloadSpeed, uploadSpeed float64, down, up int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	down, up = m.down+m.loaded.down, m.up+m.loaded.up
	if m.samples < 2 {
		return 0, 0, down, up
	}
	oldest := m.recent[m.samples-1]
	if seconds := now.Sub(oldest.at).Seconds(); seconds > 0 {
		downloadSpeed, uploadSpeed = float64(down-oldest.down)/seconds, float64(up-oldest.up)/seconds
	}
	return downloadSpeed, uploadSpeed, down, up
}

func (m *meter) totals() (down, up int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.down + m.loaded.down, m.up + m.loaded.up
}
