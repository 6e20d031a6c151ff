package load

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc: USER_HZ, which Linux has at 100 on all machines that Go runs on.
const tick = 10 * time.Millisecond

// process is what a process has used.
type process struct {
	cpu    time.Duration // of all its threads, in user and kernel mode
	memory int64         // resident, in bytes
}

// measure reads /proc, which is Linux's. Of no process it returns zeros.
func measure(pid int) (p process, err error) {
	if pid == 0 {
		return p, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, fmt.Errorf("measuring the process %d: %w", pid, err)
	}
	// The name, in brackets, may have blanks and brackets in it. Fields are counted as in proc(5), from 1.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	field := func(n int) int64 {
		if n-3 >= len(fields) {
			return 0
		}
		v, _ := strconv.ParseInt(fields[n-3], 10, 64)
		return v
	}
	return process{cpu: time.Duration(field(14)+field(15)) * tick, memory: field(24) * int64(os.Getpagesize())}, nil
}
