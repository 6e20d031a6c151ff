package load

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what was measured. Times are milliseconds, sizes bytes. What comes of the tracker's process is 0 without one.
type Report struct {
	URL         string `json:"url"`
	Connections int    `json:"connections"` // asked for
	Connected   int    `json:"connected"`
	// Lost connections were closed by the tracker, or the network, during the load.
	Lost     int     `json:"lost"`
	Swarms   int     `json:"swarms"`
	HotSwarm int     `json:"hotSwarm"` // peers in it
	Seconds  float64 `json:"seconds"`  // of load
	CPU      float64 `json:"cpuSeconds"`

	Announces Announces `json:"announces"`
	Offers    Relayed   `json:"offers"`
	Answers   Relayed   `json:"answers"`
	// Messages that the tracker sent: replies, offers and answers.
	Messages      Throughput `json:"messagesOut"`
	OfferToAnswer Latency    `json:"offerToAnswer"`
	// Lateness is how late this program itself made announces, which is in all latencies.
	Lateness Latency `json:"lateness"`
	Own      Own     `json:"own"`
	// Others is nil where nobody knows.
	Others *Others `json:"others,omitempty"`
	Memory Memory  `json:"memory"`
	// Pauses are nil where Options.Metrics is empty.
	Pauses *Pauses `json:"gcPauses,omitempty"`
	// Problem is the first thing that went wrong.
	Problem string `json:"problem,omitempty"`
}

// Throughput is per second of load, and per second that the tracker's process computed.
type Throughput struct {
	Count        int64   `json:"count"`
	PerSecond    float64 `json:"perSecond"`
	PerCPUSecond float64 `json:"perCpuSecond"`
}

// Announces were due: Sent, or Unsent where too much waited for the tracker to read it, where the connection was lost, or
// where this program was far too late. Throughput and Latency are of those that were replied to.
type Announces struct {
	Sent   int64 `json:"sent"`
	Unsent int64 `json:"unsent"`
	Failed int64 `json:"failed"`
	Throughput
	Latency
}

// Relayed are offers or answers: how many of those that should have been passed on arrived. Unsent answers were not
// given for the same reasons.
type Relayed struct {
	Sent      int64   `json:"sent"`
	Unsent    int64   `json:"unsent"`
	Expected  int64   `json:"expected"`
	Delivered int64   `json:"delivered"`
	Ratio     float64 `json:"ratio"` // 1 where none was expected
}

// Latency is quantiles.
type Latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Memory of the tracker's process: before anybody joined, when all had, and at the end of the load.
type Memory struct {
	Before            int64   `json:"before"`
	Idle              int64   `json:"idle"`
	Busy              int64   `json:"busy"`
	IdlePerConnection float64 `json:"idlePerConnection"` // what joining added, for each
	BusyPerConnection float64 `json:"busyPerConnection"`
}

func (r *Report) fill(m *run, loaded time.Duration, before, idle, busy, after process) {
	r.Lost = int(m.lost.Load())
	r.Seconds = loaded.Seconds()
	r.CPU = (after.cpu - idle.cpu).Seconds()
	per := func(n int64) Throughput {
		t := Throughput{Count: n}
		if r.Seconds > 0 {
			t.PerSecond = float64(n) / r.Seconds
		}
		if r.CPU > 0 {
			t.PerCPUSecond = float64(n) / r.CPU
		}
		return t
	}
	replies, answers, offered, answered := m.replies.Load(), m.answers.Load(), m.offered.Load(), m.answered.Load()
	r.Announces = Announces{m.sent.Load(), m.due.Load() - m.sent.Load(), m.failures.Load(), per(replies), latency(&m.announceTime)}
	r.Offers = relayed(m.made.Load(), 0, m.expected.Load(), offered)
	r.Answers = relayed(answers, max(0, offered-answers), answers, answered)
	r.Messages = per(replies + offered + answered)
	r.OfferToAnswer = latency(&m.answerTime)
	r.Lateness = latency(&m.lateness)
	n := float64(r.Connected)
	r.Memory = Memory{before.memory, idle.memory, busy.memory, float64(idle.memory-before.memory) / n, float64(busy.memory-before.memory) / n}
	r.Problem = m.first()
}

func relayed(sent, unsent, expected, delivered int64) Relayed {
	ratio := 1.0
	if expected > 0 {
		ratio = float64(delivered) / float64(expected)
	}
	return Relayed{sent, unsent, expected, delivered, ratio}
}

func latency(h *histogram) Latency {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return Latency{ms(h.quantile(0.5)), ms(h.quantile(0.99)), ms(h.quantile(0.999)), ms(time.Duration(h.longest.Load()))}
}

// Print writes the report for people. What the tracker said is in Problem only, which is left to the caller.
func (r *Report) Print(to io.Writer) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	row := func(what string, cells ...string) { fmt.Fprintf(t, "%s\t%s\n", what, strings.Join(cells, "\t")) }
	times := func(what string, l Latency) {
		row(what, fmt.Sprintf("p50 %.2f ms", l.P50), fmt.Sprintf("p99 %.2f ms", l.P99), fmt.Sprintf("p99.9 %.2f ms", l.P999))
	}
	rate := func(what string, x Throughput) {
		cells := []string{fmt.Sprintf("%.0f per second", x.PerSecond)}
		if r.CPU > 0 {
			cells = append(cells, fmt.Sprintf("%.0f per CPU-second", x.PerCPUSecond))
		}
		row(what, cells...)
	}
	row("connections", fmt.Sprintf("%d of %d", r.Connected, r.Connections), fmt.Sprintf("%d lost", r.Lost))
	row("swarms", fmt.Sprint(r.Swarms), fmt.Sprintf("%d peers in the hot one", r.HotSwarm))
	if a := r.Announces; a.Sent+a.Unsent > 0 {
		rate("announces", a.Throughput)
		row("", fmt.Sprintf("%d of %d replied to", a.Count, a.Sent), fmt.Sprintf("%d failed", a.Failed), fmt.Sprintf("%d not sent", a.Unsent))
		if r.Offers.Sent > 0 {
			rate("messages out", r.Messages)
			row("offers", fmt.Sprintf("%d of %d", r.Offers.Delivered, r.Offers.Expected), fmt.Sprintf("%.2f %%", 100*r.Offers.Ratio))
			row("answers", fmt.Sprintf("%d of %d", r.Answers.Delivered, r.Answers.Expected), fmt.Sprintf("%.2f %%", 100*r.Answers.Ratio), fmt.Sprintf("%d not sent", r.Answers.Unsent))
		}
		times("announce", a.Latency)
		if r.Offers.Sent > 0 {
			times("offer to answer", r.OfferToAnswer)
		}
		times("own lateness", r.Lateness)
		if r.Own.Late {
			row("", "this command was late itself: ask for less, or give it a processor of its own")
		}
	}
	if o := r.Others; o != nil {
		row("others had", fmt.Sprintf("%.1f %% of its processors", 100*o.Share))
		if o.Many {
			row("", "the longest times may be theirs: keep others off the tracker's processors")
		}
	}
	if m := r.Memory; m.Idle > 0 {
		kB := func(bytes float64) string { return fmt.Sprintf("%.1f kB", bytes/1000) }
		row("memory", fmt.Sprintf("%.1f MB before", float64(m.Before)/1e6), fmt.Sprintf("%.1f MB idle", float64(m.Idle)/1e6), fmt.Sprintf("%.1f MB busy", float64(m.Busy)/1e6))
		row("per connection", kB(m.IdlePerConnection)+" idle", kB(m.BusyPerConnection)+" busy")
	}
	if p := r.Pauses; p != nil {
		row("collections", fmt.Sprint(p.Collections), fmt.Sprintf("longest pause of %d: %.2f ms", p.Of, p.Longest), fmt.Sprintf("mean %.3f ms", p.Mean))
	}
	return t.Flush()
}
