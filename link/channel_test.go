package link_test

import (
	"net"
	"testing"

	"github.com/starling-p2p/starling/link"
	"golang.org/x/net/nettest"
)

// pair returns the two ends of the first channel of a new link.
func pair(t testing.TB) (a, b *link.Channel, stop func()) {
	t.Helper()
	x, y := newNode(t, '1', habits{raw: true}), newNode(t, '2', habits{raw: true})
	must(t, introduce(t, x, y, hash(1)))
	return <-x.raw, <-y.raw, func() {
		_ = x.Close()
		_ = y.Close()
	}
}

func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b, stop := pair(t)
		return a, b, stop, nil
	})
}
