package peer

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// The network that a machine is in hears of it where the default route leads elsewhere, as with a VPN, or is none.
func TestLSDWithoutDefaultRoute(t *testing.T) {
	internet := testnet.NewInternet(t)
	m, neighbour := internet.Machine(), internet.Machine()
	var p *Peer
	m.Do(func() { p = start(t, func(o *Options) { o.Listen, o.LSD = "0.0.0.0:0", true }) })
	var heard *net.UDPConn
	var err error
	neighbour.Do(func() {
		var group *net.UDPAddr
		var eth0 *net.Interface
		if group, err = net.ResolveUDPAddr("udp4", lsdAddress); err != nil {
			return
		}
		if eth0, err = net.InterfaceByName("eth0"); err == nil {
			heard, err = net.ListenMulticastUDP("udp4", eth0, group)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	shared := share(t, p, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), random(1000, 1))}})
	b := make([]byte, lsdPacket)
	_ = heard.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := heard.Read(b)
	if ih := shared.InfoHash(); err != nil || !strings.Contains(string(b[:n]), hexOf(ih)) {
		t.Errorf("the network hears %q, %v", b[:n], err)
	}
}
