package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Pauses are those of the tracker's garbage collector, as Go's runtime tells them in /metrics, to the nanosecond. In
// each collection the program stands still twice; a pause here is both together.
type Pauses struct {
	// Collections is how many there were during the load.
	Collections int64 `json:"collections"`
	// Longest is the longest pause of the last Of collections, which are all since the tracker's start up to 256: those
	// while peers joined are among them.
	Longest float64 `json:"longestMs"`
	Of      int64   `json:"of"`
	// Mean is of all collections since the tracker's start.
	Mean float64 `json:"meanMs"`
}

// pauses are counts since the tracker's start.
type pauses struct {
	count        int64
	sum, longest float64 // seconds
}

const (
	pauseMetric = "go_gc_duration_seconds"
	// remembered is how many collections Go's runtime has in mind for the longest pause.
	remembered = 256
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
		switch name {
		case pauseMetric + "_count":
			p.count, found = int64(value), true
		case pauseMetric + "_sum":
			p.sum = value
		case pauseMetric + `{quantile="1"}`:
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
	return &Pauses{
		Collections: after.count - before.count,
		Longest:     1000 * after.longest, Of: min(after.count, remembered),
		Mean: 1000 * after.sum / float64(after.count),
	}
}
