package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Pauses are those of the tracker's garbage collector, as Go's runtime tells them in /metrics.
type Pauses struct {
	// Count is how many there were during the load, two in each cycle.
	Count int64 `json:"count"`
	// Above is how many were longer than Bound, the greatest that the runtime counts up to and that is no longer than 1 ms.
	Above int64   `json:"above"`
	Bound float64 `json:"boundMs"`
	// Longest is the longest of the last 256 cycles, those before the load included: both pauses together.
	Longest float64 `json:"longestMs"`
}

// pauses are counts since the tracker's start.
type pauses struct {
	count, within  float64
	bound, longest float64 // seconds
}

const (
	pauseMetric   = "go_sched_pauses_total_gc_seconds"
	longestMetric = `go_gc_duration_seconds{quantile="1"}`
	longestPause  = 1e-3 // seconds
)

func readPauses(ctx context.Context, url string) (p pauses, err error) {
	if url == "" {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return p, fmt.Errorf("reading metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return p, fmt.Errorf("reading metrics: %w", err)
	}
	defer response.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	if response.StatusCode != http.StatusOK {
		return p, fmt.Errorf("reading metrics: %s from %s", response.Status, url)
	}
	found := false
	for lines := bufio.NewScanner(io.LimitReader(response.Body, maxMessage)); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue // comments
		}
		switch bucket, ok := strings.CutPrefix(name, pauseMetric+`_bucket{le="`); {
		case ok:
			bound, _ := strconv.ParseFloat(strings.TrimSuffix(bucket, `"}`), 64)
			if bound > p.bound && bound <= longestPause {
				p.bound, p.within = bound, value
			}
		case name == pauseMetric+"_count":
			p.count, found = value, true
		case name == longestMetric:
			p.longest = value
		}
	}
	if !found {
		return p, fmt.Errorf("reading metrics: %s has no %s", url, pauseMetric)
	}
	return p, nil
}

func paused(before, after pauses) *Pauses {
	if after.count == 0 {
		return nil
	}
	count := after.count - before.count
	return &Pauses{
		Count: int64(count), Above: int64(math.Round(count - (after.within - before.within))),
		Bound: 1000 * after.bound, Longest: 1000 * after.longest,
	}
}
