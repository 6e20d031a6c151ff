package peer

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// A tracker counts each peer once that fetches something and ends at once, however it is told.
func TestDownloadsAreCountedOnce(t *testing.T) {
	byHTTP := tracker(t, "http")
	both := []string{"ws" + strings.TrimPrefix(byHTTP, "http"), byHTTP}
	for name, c := range map[string]struct {
		trackers []string
		private  bool
		change   func(*Options)
	}{
		"by WebSocket":                 {both[:1], true, links},
		"by HTTP":                      {both[1:], true, func(*Options) {}},
		"by both, private":             {both, true, func(o *Options) { links(o); o.TCP = true }},
		"by both, public":              {both, false, func(o *Options) { links(o); o.TCP = true }},
		"by both, one being of no use": {both, false, func(*Options) {}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			shared := share(t, start(t, c.change), ShareOptions{
				Paths: []string{write(t, filepath.Join(dir, name), random(100<<10, 1))}, Name: name, Private: c.private, Trackers: c.trackers,
			})
			testnet.Until(t, "the seeder is known", func() bool {
				for _, tracker := range shared.Stats().Trackers {
					if tracker.Connected {
						return true
					}
				}
				return false
			})
			const many = 6
			var all sync.WaitGroup
			for i := range many {
				p := start(t, c.change)
				all.Go(func() {
					f, err := p.Add(soon(t), shared.Link("example.org"), AddOptions{Dir: filepath.Join(dir, fmt.Sprint(i))})
					if err == nil {
						err = f.Done(soon(t))
					}
					if err == nil {
						err = p.Close()
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if got, err := Scrape(soon(t), byHTTP, shared.InfoHash()); err != nil || got != (Counts{Seeders: 1, Downloads: many}) {
				t.Errorf("%+v, %v; want %d downloads, and the one seeder", got, err, many)
			}
		})
	}
}

func TestScrapeErrors(t *testing.T) {
	at := tracker(t, "http")
	if c, err := Scrape(soon(t), at, [20]byte{1}); err != nil || c != (Counts{}) {
		t.Errorf("of an unknown torrent: %+v, %v", c, err)
	}
	for url, want := range map[string]string{
		"ws" + strings.TrimPrefix(at, "http"):            "is no tracker that counts",
		strings.Replace(at, "announce", "", 1):           "is no tracker that counts",
		strings.Replace(at, "announce", "x/announce", 1): "nothing that a tracker would",
	} {
		if _, err := Scrape(soon(t), url, [20]byte{1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// Who is asked to come again later does (BEP 31), or is banned by trackers.
func TestRetryIn(t *testing.T) {
	asked := map[string]*atomic.Int32{"": {}, "i60e": {}, "5:never": {}}
	var trackers []string
	for when, n := range asked {
		answer := "d14:failure reason2:no8:retry in" + when + "e"
		if when == "" {
			answer = "d14:failure reason2:noe"
		}
		server := newLocal(t, func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			_, _ = io.WriteString(w, answer)
		})
		trackers = append(trackers, server.URL+"/announce")
	}
	p := start(t, func(o *Options) { o.tick = time.Millisecond })
	share(t, p, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), random(1000, 1))}, Trackers: trackers})
	for when, n := range asked {
		testnet.Until(t, "all are asked, and one again: "+when, func() bool { return n.Load() > 0 && asked[""].Load() > 3 })
	}
	for when, n := range asked {
		if when != "" && n.Load() > 1 {
			t.Errorf("%s: asked %d times", when, n.Load())
		}
	}
}
