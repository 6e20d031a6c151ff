package peer

import (
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
