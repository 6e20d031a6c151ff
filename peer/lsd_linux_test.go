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
	b := make([]byte, lsdPacket)
	n, files := 0, 0
	testnet.Until(t, "the network hears of it", func() bool { // a packet may get lost, and of each torrent there is one
		files++
		path := write(t, filepath.Join(t.TempDir(), "a"), random(1000, byte(files)))
		share(t, p, ShareOptions{Paths: []string{path}})
		_ = heard.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, err = heard.Read(b)
		return err == nil
	})
	known := 0
	for _, shared := range p.Torrents() {
		known += strings.Count(string(b[:n]), "Infohash: "+hexOf(shared.InfoHash()))
	}
	if known == 0 {
		t.Errorf("the network hears %q", b[:n])
	}
}
