package load

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bearable is the share of the tracker's processors that others may have before the longest times there were say more
// about them than about the tracker: it was ready to go on, and somebody else ran.
const bearable = 0.03

// Others are all programs but the tracker, as far as they ran on the processors that it may run on. What a hypervisor
// gave to other machines is theirs too.
type Others struct {
	// Share is of the time of those processors, from before anybody joined to the end.
	Share float64 `json:"share"`
	// Many: more than is bearable.
	Many bool `json:"many"`
}

// usage is what some processors have done at a moment.
type usage struct {
	at        time.Time
	busy, cpu time.Duration // whoever ran there; the tracker
}

// watch begins to look who else runs on the processors of a process, and returns what tells it. Nil stands for nobody
// knows: there is no such process, this is not Linux, or this command may run there too.
func watch(pid int) func() *Others {
	nobodyKnows := func() *Others { return nil }
	if pid == 0 {
		return nobodyKnows
	}
	theirs, own := allowed(strconv.Itoa(pid)), allowed("self")
	if len(theirs) == 0 || slices.ContainsFunc(theirs, func(n int) bool { return slices.Contains(own, n) }) {
		return nobodyKnows
	}
	look := func() (u usage, err error) {
		p, err := measure(pid)
		if err != nil {
			return u, err
		}
		stat, err := os.ReadFile("/proc/stat")
		return usage{time.Now(), busy(string(stat), theirs), p.cpu}, err
	}
	before, err := look()
	if err != nil {
		return nobodyKnows
	}
	return func() *Others {
		after, err := look()
		if err != nil {
			return nil
		}
		return others(before, after, len(theirs))
	}
}

func others(before, after usage, processors int) *Others {
	there := after.at.Sub(before.at).Seconds() * float64(processors)
	if there <= 0 {
		return nil
	}
	share := max(0, (after.busy-before.busy-(after.cpu-before.cpu)).Seconds()/there)
	return &Others{Share: share, Many: share > bearable}
}

// allowed returns the processors that a process may run on.
func allowed(process string) []int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%s/status", process))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(status)) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return processorList(strings.TrimSpace(list))
		}
	}
	return nil
}

// processorList reads what the kernel writes as 0-3,8.
func processorList(list string) (all []int) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if err == nil && isRange {
			last, err = strconv.Atoi(to)
		}
		if err != nil {
			return nil
		}
		for n := first; n <= last; n++ {
			all = append(all, n)
		}
	}
	return all
}

// busy is the time that some processors have spent on anything, by /proc/stat:
//
//	cpu0 user nice system idle iowait irq softirq steal …
func busy(stat string, processors []int) (sum time.Duration) {
	for line := range strings.Lines(stat) {
		fields := strings.Fields(line)
		if len(fields) < 9 {
			continue
		}
		n, err := strconv.Atoi(strings.TrimPrefix(fields[0], "cpu"))
		if err != nil || !slices.Contains(processors, n) {
			continue
		}
		for i, field := range fields[1:9] {
			if ticks, err := strconv.ParseInt(field, 10, 64); err == nil && i != 3 && i != 4 {
				sum += time.Duration(ticks) * tick
			}
		}
	}
	return sum
}
