package peer

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/starling-p2p/starling/internal/testnet"
)

// A machine that has no IPv6 at all, or a service that may not use it, has peers all the same.
func TestWithoutIPv6(t *testing.T) {
	if !testnet.Refused(t, unix.SYS_SOCKET, unix.AF_INET6, syscall.EAFNOSUPPORT) {
		return
	}
	o := Defaults(t.TempDir())
	o.DHT.Enabled, o.LSD = false, false // which would ask others
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
}

// So has a service that may not ask which network interfaces there are.
func TestWithoutNetlink(t *testing.T) {
	if !testnet.Refused(t, unix.SYS_SOCKET, unix.AF_NETLINK, syscall.EAFNOSUPPORT) {
		return
	}
	alone := func(o *Options) { o.WebRTC, o.TCP, o.LSD = true, false, true }
	trackers := []string{tracker(t, "ws")}
	dir := t.TempDir()
	data := random(1<<18, 1)
	shared := share(t, start(t, alone), ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}, Trackers: trackers})
	done(t, add(t, start(t, alone), shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to")}))
	same(t, filepath.Join(dir, "to/a"), data)
}

// Of a file system that has no locks, as NFS at times, it is said that the data folder cannot be there.
func TestWithoutLocks(t *testing.T) {
	if !testnet.Refused(t, unix.SYS_FLOCK, -1, syscall.ENOLCK) {
		return
	}
	if p, err := New(Defaults(t.TempDir())); !errors.Is(err, ErrUnfit) || !errors.Is(err, syscall.ENOLCK) {
		t.Errorf("%v, %v", p, err)
	}
}
