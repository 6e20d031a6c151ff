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
	ends := [2]chan *link.Channel{make(chan *link.Channel, 1), make(chan *link.Channel, 1)}
	var nodes [2]*node
	for i := range nodes {
		nodes[i] = newNode(t, '1'+byte(i), habits{raw: func(c *link.Channel) { ends[i] <- c }})
	}
	must(t, introduce(t, nodes[0], nodes[1], hash(1)))
	a, b = <-ends[0], <-ends[1]
	return a, b, func() {
		_ = nodes[0].Close()
		_ = nodes[1].Close()
	}
}

func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b, stop := pair(t)
		return a, b, stop, nil
	})
}
