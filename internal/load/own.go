package load

import (
	"context"
	"os"
)

// tolerable is how late 99 % of announces may be made, in milliseconds, before figures say more about this command than
// about the tracker.
const tolerable = 2

// Own is what this command itself took part in the figures.
type Own struct {
	CPU float64 `json:"cpuSeconds"` // 0 where the system does not tell
	// Late: it did not make announces when they were due, so that latencies are its own too, and what the tracker could
	// have done was not asked of it.
	Late bool `json:"late"`
}

// moment is what is known before the load, and after it.
type moment struct {
	process, own process
	pauses       pauses
}

func (r *run) look(ctx context.Context) (m moment, err error) {
	if m.process, err = measure(r.PID); err != nil {
		return m, err
	}
	if m.pauses, err = readPauses(ctx, r.Metrics); err != nil {
		return m, err
	}
	m.own, _ = measure(os.Getpid()) // Linux only
	return m, nil
}

func own(before, after moment, lateness Latency) Own {
	return Own{CPU: (after.own.cpu - before.own.cpu).Seconds(), Late: lateness.P99 > tolerable}
}
