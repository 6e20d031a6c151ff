package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/starling-p2p/starling/peer"
	"github.com/starling-p2p/starling/seal"
)

func TestExitCodes(t *testing.T) {
	full := fmt.Errorf("writing: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	for _, c := range []struct {
		err  error
		code int
		says string
	}{
		{onMachine(full), exitMachine, "there is no space left on the disk: free some"},
		{ofLink(full), exitMachine, "free some"},
		{onMachine(&fs.PathError{Op: "mkdir", Path: "x", Err: syscall.EACCES}), exitMachine, "choose a folder that you may write to"},
		{onMachine(&fs.PathError{Op: "mkdir", Path: "x", Err: syscall.EROFS}), exitMachine, "choose a folder that you may write to"},
		{onMachine(&fs.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}), exitMachine, "free some"},
		{onMachine(&fs.PathError{Op: "mkdir", Path: "x", Err: syscall.ENOTDIR}), exitMachine, "choose a folder"},
		{onMachine(&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}), exitMachine, "no such file"},
		{onMachine(&fs.PathError{Op: "read", Path: "x", Err: syscall.EIO}), exitMachine, "input/output error"},
		{ofLink(fmt.Errorf("x: %w", &fs.PathError{Op: "mkdirat", Path: "x", Err: syscall.ENAMETOOLONG})), exitMachine, "name too long"},
		{onMachine(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}), exitFailed, "refused"},
		{onMachine(&peer.UnsavedError{Err: full}), exitMachine, "there is no space left on the disk: free some"},
		{onMachine(&peer.UnsavedError{Err: syscall.EROFS}), exitMachine, "cannot be saved: read-only file system: let this program write there, then run"},
		{onMachine(&peer.UnsavedError{Err: syscall.EIO}), exitMachine, "the disk is there still, and sound, then run the command again"},
		{onMachine(errors.New("odd")), exitFailed, "odd"},
		{onReading(&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}), exitMachine, "permission denied: share what you may read"},
		{onReading(full), exitMachine, "free some"},
		{ofLink(fmt.Errorf("x: %w", peer.ErrTaken)), exitMachine, "move that away"},
		{ofLink(peer.ErrBusy), exitMachine, "wait until it has"},
		{ofLink(seal.ErrKey), exitLink, "ask for the link again"},
		{ofLink(nobody(time.Second, "")), exitNobody, "nothing has come for 1s: nobody who has it is online"},
		{ofLink(nobody(time.Second, "x does not answer (y)")), exitNobody, "nothing has come for 1s, and x does not answer (y): is the address right"},
		{ofLink(context.DeadlineExceeded), exitFailed, ""},
		{errors.Join(stopped("x"), errors.New("y")), exitStopped, "stopped: x"},
	} {
		if code := exitCode(c.err); code != c.code || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%v: exit code %d, want %d and %q", c.err, code, c.code, c.says)
		}
	}
	if onMachine(nil) != nil {
		t.Error("nothing is wrong, but something is")
	}
}

func TestTasksOfLongAgoAreForgotten(t *testing.T) {
	base := t.TempDir()
	old, month := time.Now().Add(-2*forgotten), time.Now().Add(-doneFor-time.Hour)
	const runs, done = "share-00112233445566ff", "get-00000000000000dd"
	for name, at := range map[string]time.Time{
		"get-0123456789abcdef": old, "share-0123456789abcdef": time.Now(), "mine": old, "get-x": old, runs: old,
		done: month, "get-00000000000000ee": month,
	} {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if name == runs {
			p, err := peer.New(peer.Options{DataDir: path})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.Close() }()
		}
		if name == done {
			(&found{own: path}).done()
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	forget(base)
	left, err := os.ReadDir(base)
	if err != nil || len(left) != 5 || left[0].Name() != "get-00000000000000ee" || left[1].Name() != "get-x" || left[3].Name() != runs {
		t.Errorf("%v, %v", left, err)
	}
	forget(filepath.Join(base, "none"))
}
