// Package ctime tells what a file's size and time do not, where the system does: that another one has taken its place, as
// long as it was and of the same time. Builds that can be made again give all files one time for ever.
package ctime

import (
	"io/fs"
	"syscall"
)

// Of is when a file was last written, moved or touched, by the system's own clock in nanoseconds since 1970; 0 where that is
// not known.
func Of(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctim.Nano()
	}
	return 0
}
