package edge

import (
	"io/fs"
	"syscall"
)

// changedAt is when the file was last written, moved or touched, by the system's own clock.
func changedAt(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctim.Nano()
	}
	return 0
}
