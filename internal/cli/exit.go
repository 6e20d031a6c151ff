package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/starling-p2p/starling/peer"
)

// Exit codes; docs/commands/README.md has them for scripts.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitNobody  = 3
	exitLink    = 4
	exitMachine = 5
	exitStopped = 6
)

// failure is an error with the exit code that tells it apart.
type failure struct {
	code int
	error
}

func (f failure) Unwrap() error { return f.error }

func exitCode(err error) int {
	var f failure
	if errors.As(err, &f) {
		return f.code
	}
	return exitFailed
}

// stopped is for a signal that came before a command was done; the next one of the same words goes on from there.
func stopped(what string) error {
	return failure{exitStopped, errors.New("stopped: " + what)}
}

// onMachine gives errors of this machine's disks and folders their exit code, and says what to do.
func onMachine(err error) error {
	var f failure
	var e syscall.Errno
	var unsaved *peer.UnsavedError
	errors.As(err, &e)
	switch {
	case errors.Is(err, peer.ErrTaken), errors.Is(err, peer.ErrBusy):
		return failure{exitMachine, err}
	case err == nil, errors.As(err, &f):
		return err
	case e == syscall.ENOSPC || e == syscall.EDQUOT:
		return failure{exitMachine, errors.New("there is no space left on the disk: free some, then run the same command again to go on from here")}
	case errors.As(err, &unsaved):
		return failure{exitMachine, fmt.Errorf("what was fetched cannot be saved: %w: %s, then run the command again", unsaved.Err, unsaved.Help())}
	case errors.Is(err, fs.ErrPermission) || e == syscall.EROFS:
		return failure{exitMachine, fmt.Errorf("%w: choose a folder that you may write to", err)}
	case e == syscall.ENOTDIR:
		return failure{exitMachine, fmt.Errorf("%w: choose a folder", err)}
	case errors.Is(err, fs.ErrNotExist), ofFiles(err):
		return failure{exitMachine, err}
	}
	return err
}

// ofFiles says whether an error is of a file or a folder.
func ofFiles(err error) bool {
	var p *fs.PathError
	var l *os.LinkError
	return errors.As(err, &p) || errors.As(err, &l)
}

// inFolder says by which flag another folder is named, where it is the folder that is no good.
func inFolder(flag string, err error) error {
	var e *fs.PathError
	if !errors.As(err, &e) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return err
	}
	return failure{exitMachine, fmt.Errorf("%w: name another folder with %s", err, flag)}
}

// onReading is onMachine for what is to be shared.
func onReading(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return failure{exitMachine, fmt.Errorf("%w: share what you may read, or ask for the right to", err)}
	}
	return onMachine(err)
}

// ofLink gives what is wrong with a link, or with what it leads to, its exit code: trying again does not help.
func ofLink(err error) error {
	var f failure
	err = onMachine(err)
	if errors.As(err, &f) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return failure{exitLink, err}
}
