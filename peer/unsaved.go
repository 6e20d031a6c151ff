package peer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
)

// UnsavedError is Stats.Problem while what comes, or what has come, cannot be written. It is tried again every five seconds.
type UnsavedError struct {
	// Err is what the system says of it.
	Err error

	all bool // has come
}

// Error says what to do as well.
func (e *UnsavedError) Error() string {
	what := "what comes cannot be saved"
	if e.all {
		what = "all has come but cannot be put in its place"
	}
	return fmt.Sprintf("%s: %v: %s; it is tried again", what, e.Err, e.Help())
}

// Unwrap returns Err.
func (e *UnsavedError) Unwrap() error { return e.Err }

// Help is what somebody can do about it, without a capital letter or a full stop.
func (e *UnsavedError) Help() string {
	is := func(which ...error) bool {
		return slices.ContainsFunc(which, func(one error) bool { return errors.Is(e.Err, one) })
	}
	switch {
	case is(syscall.ENOSPC, syscall.EDQUOT):
		return "make room on the disk"
	case is(fs.ErrPermission, syscall.EROFS):
		return "let this program write there"
	case is(syscall.EFBIG):
		return "fetch it to a disk whose file system takes files that large"
	case is(syscall.ENAMETOOLONG):
		return "fetch it to a folder whose path is shorter"
	case is(syscall.EMFILE, syscall.ENFILE):
		return "let this program open more files (ulimit -n)"
	case is(fs.ErrNotExist, syscall.ENOTDIR, syscall.ESTALE):
		return "leave its folder where it is"
	}
	return "see whether the disk is there still, and sound"
}
