package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/starling-p2p/starling/tracker"
)

const (
	maxBeacon = 2 << 10
	// mostBytes is the most that one beacon may claim: it tells of half a minute.
	mostBytes = 512 << 20
	mostCount = 4096
	// Beacons of one network (IPv4 address or IPv6 /64), per second and at once.
	beaconRate, beaconBurst = 5, 60
	maxNetworks             = 16 << 10
	keepEach                = time.Minute
)

// causes are why something came over HTTP, in the order in which they are kept: nobody to ask, it came into view, peers
// were slower than the deadline, a video needed it soon, the site had something else by then, and any fault.
var causes = [...]string{"alone", "view", "deadline", "late", "stale", "failed"}

// beacon is what a visitor's script says has happened since its last one. None of it can be proved.
type beacon struct {
	Peers  int64 `json:"peers"`  // bytes that came from peers and were verified
	HTTP   int64 `json:"http"`   // bytes that came from the site
	Kept   int64 `json:"kept"`   // bytes that were there from before
	Sent   int64 `json:"sent"`   // bytes sent to peers
	Liars  int64 `json:"liars"`  // peers banned
	Links  int64 `json:"links"`  // open now
	Stalls int64 `json:"stalls"` // times that a video waited
	// Causes are how many assets, or pieces of videos, came over HTTP for each cause.
	Causes map[string]int64 `json:"causes"`
}

// bucket is a minute's or an hour's figures.
type bucket struct {
	At       int64              `json:"at"` // seconds since 1970
	Served   int64              `json:"served"`
	Peers    int64              `json:"peers"`
	HTTP     int64              `json:"http"`
	Kept     int64              `json:"kept"`
	Sent     int64              `json:"sent"`
	Liars    int64              `json:"liars"`
	Stalls   int64              `json:"stalls"`
	Links    int64              `json:"links"`    // most that one visitor told of
	Visitors int64              `json:"visitors"` // most that the tracker knew of at once
	Causes   [len(causes)]int64 `json:"causes"`
}

func (b *bucket) add(o *bucket) {
	b.Served += o.Served
	b.Peers += o.Peers
	b.HTTP += o.HTTP
	b.Kept += o.Kept
	b.Sent += o.Sent
	b.Liars += o.Liars
	b.Stalls += o.Stalls
	b.Links = max(b.Links, o.Links)
	b.Visitors = max(b.Visitors, o.Visitors)
	for i := range b.Causes {
		b.Causes[i] += o.Causes[i]
	}
}

// series are the last so many stretches of time of which anything is known.
type series struct {
	Each    int64    `json:"each"` // seconds
	Buckets []bucket `json:"buckets"`
	most    int
}

func (s *series) at(now time.Time) *bucket {
	here := bucket{At: now.Unix() / s.Each * s.Each}
	n := len(s.Buckets)
	if n > 0 && s.Buckets[n-1].At == here.At {
		return &s.Buckets[n-1]
	}
	// What was counted before the clock was set back is of now: else all would count as of then until then.
	for ; n > 0 && s.Buckets[n-1].At >= here.At; n-- {
		here.add(&s.Buckets[n-1])
	}
	if s.Buckets = s.Buckets[:n]; n >= s.most {
		s.Buckets = append(s.Buckets[:0], s.Buckets[n-s.most+1:]...)
	}
	s.Buckets = append(s.Buckets, here)
	return &s.Buckets[len(s.Buckets)-1]
}

// figures are what is kept.
type figures struct {
	Since   int64  `json:"since"`
	Total   bucket `json:"total"`
	Minutes series `json:"minutes"`
	Hours   series `json:"hours"`
}

// stats gather what the edge sees itself (bytes of assets that it served) and what visitors say.
type stats struct {
	path string
	keep bool
	now  func() time.Time
	// served are bytes since they were last counted in; responses of any length add to it.
	served  atomic.Int64
	beacons atomic.Int64
	refused atomic.Int64

	mu       sync.Mutex
	figures  figures
	networks map[netip.Prefix]*rate.Limiter
}

func newStats(path string, keep bool, now func() time.Time) *stats {
	s := &stats{path: path, keep: keep, now: now, networks: map[netip.Prefix]*rate.Limiter{}}
	if data, err := os.ReadFile(path); keep && err == nil {
		// What cannot be read is begun anew: these are figures, and nothing hangs on them.
		if json.Unmarshal(data, &s.figures) != nil {
			s.figures = figures{}
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.figures = figures{}
	}
	f := &s.figures
	f.Minutes.Each, f.Minutes.most = 60, 24*60
	f.Hours.Each, f.Hours.most = 3600, 30*24
	if f.Since == 0 {
		f.Since = now().Unix()
	}
	return s
}

func (s *stats) run(ctx context.Context) {
	tick := time.NewTicker(keepEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.save() // again in a minute, and what the last one says is returned by Close
		}
	}
}

func (s *stats) save() error {
	s.mu.Lock()
	s.count(&bucket{})
	data, err := json.Marshal(s.figures)
	s.mu.Unlock()
	if !s.keep {
		return nil
	}
	if err == nil {
		err = replaceFile(s.path, data)
	}
	if err != nil {
		return fmt.Errorf("keeping figures in %s: %w", s.path, err)
	}
	return nil
}

// count adds to now, together with what was served since. The lock is held.
func (s *stats) count(b *bucket) {
	b.Served += s.served.Swap(0)
	f := &s.figures
	f.Total.add(b)
	now := s.now()
	f.Minutes.at(now).add(b)
	f.Hours.at(now).add(b)
}

// allow says whether that network may say more now.
func (s *stats) allow(network netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.networks[network]
	if l == nil {
		if len(s.networks) >= maxNetworks {
			clear(s.networks)
		}
		l = rate.NewLimiter(beaconRate, beaconBurst)
		s.networks[network] = l
	}
	return l.AllowN(s.now(), 1)
}

// take counts a beacon. Figures that nobody honest has are cut to what somebody might.
func (s *stats) take(b beacon, visitors int) {
	within := func(n int64, most int64) int64 { return min(max(n, 0), most) }
	add := bucket{
		Peers: within(b.Peers, mostBytes), HTTP: within(b.HTTP, mostBytes), Kept: within(b.Kept, mostBytes), Sent: within(b.Sent, mostBytes),
		Liars: within(b.Liars, 64), Stalls: within(b.Stalls, 64), Links: within(b.Links, 1024), Visitors: int64(visitors),
	}
	for i, cause := range causes {
		add.Causes[i] = within(b.Causes[cause], mostCount)
	}
	s.beacons.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(&add)
}

func (e *Edge) beacon(w http.ResponseWriter, r *http.Request) {
	if !e.stats.allow(tracker.Network(e.address(r))) {
		e.stats.refused.Add(1)
		http.Error(w, "Too many.", http.StatusTooManyRequests)
		return
	}
	var b beacon
	if err := json.NewDecoder(body(w, r, maxBeacon)).Decode(&b); err != nil {
		e.stats.refused.Add(1)
		http.Error(w, "This is no beacon.", http.StatusBadRequest)
		return
	}
	e.stats.take(b, e.swarms.Stats().Peers)
	w.Header().Set("Cache-Control", "no-store")
	// So that a visitor who stays learns of a new version.
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, e.library.version.Load().id)
}

// meter counts what is sent of assets.
type meter struct {
	http.ResponseWriter
	stats *stats
	on    bool
}

func (s *stats) meter(w http.ResponseWriter, asset bool) *meter {
	return &meter{ResponseWriter: w, stats: s, on: asset}
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.ResponseWriter.Write(p)
	m.count(int64(n))
	return n, err
}

func (m *meter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(m.ResponseWriter, r)
	m.count(n)
	return n, err
}

func (m *meter) count(n int64) {
	if m.on {
		m.stats.served.Add(n)
	}
}

// Unwrap is for http.ResponseController.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }
