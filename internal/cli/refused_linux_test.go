package cli

import (
	"bytes"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/starling-p2p/starling/internal/testnet"
)

// Where the home folder is on a file system without locks, as NFS is at times, it is said by which flag to name another.
func TestWithoutLocks(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	if !testnet.Refused(t, unix.SYS_FLOCK, -1, syscall.ENOLCK) {
		return
	}
	var out, said bytes.Buffer
	code := Run(t.Context(), []string{"get", strings.Repeat("a", 40)}, &out, &said)
	if code != exitMachine || !strings.Contains(said.String(), "no locks available: the data folder is on a file system") || !strings.Contains(said.String(), "--data-dir") {
		t.Errorf("exit code %d: %s", code, &said)
	}
}
