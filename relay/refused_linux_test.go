package relay_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/starling-p2p/starling/internal/outward"
	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/relay"
)

// A service that may not ask which network interfaces there are relays to none of its own addresses either.
func TestOwnAddressesWithoutNetlink(t *testing.T) {
	if !testnet.Refused(t, unix.SYS_SOCKET, unix.AF_NETLINK, syscall.EAFNOSUPPORT) {
		return
	}
	reaching, err := outward.Addresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range reaching {
		if !relay.Here(a) {
			t.Errorf("%s is taken for somebody else's", a)
		}
	}
}
