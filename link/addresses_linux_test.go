package link_test

import (
	"testing"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/link"
)

// What a machine has besides the address that it is reached at keeps no peer from starting.
func TestListensWhereItCan(t *testing.T) {
	for name, commands := range map[string][]string{
		// Docker and libvirt make bridges, and while nothing is plugged in, their IPv6 addresses stay tentative.
		"a bridge without carrier": {"link add idle type bridge", "link set idle up", "address add fd00:77::1/64 dev idle"},
		"one address twice":        {"link add other type bridge", "link set other up", "address add 5.5.0.2/32 dev other"},
	} {
		t.Run(name, func(t *testing.T) {
			m := testnet.NewInternet(t).Machine()
			m.IP(commands...)
			var links *link.Links
			var err error
			m.Do(func() { links, err = link.New(link.Options{PeerID: link.PeerID{1}}) })
			must(t, err)
			defer links.Close()
			if links.Port() == 0 {
				t.Error("it listens nowhere")
			}
		})
	}
}
