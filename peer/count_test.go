package peer

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// downloads is how many the tracker has counted.
func downloads(t *testing.T, tracker string, ih [20]byte) int {
	t.Helper()
	response, err := http.Get(strings.Replace(tracker, "/announce", "/scrape", 1) + "?info_hash=" + url.QueryEscape(string(ih[:])))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`10:downloadedi(\d+)e`).FindSubmatch(body)
	if found == nil {
		t.Fatalf("the tracker says %q", body)
	}
	n, _ := strconv.Atoi(string(found[1])) // they are digits
	return n
}

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
			until(t, "the seeder is known", func() bool {
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
			if got := downloads(t, byHTTP, shared.InfoHash()); got != many {
				t.Errorf("%d downloads were counted, want %d", got, many)
			}
		})
	}
}
