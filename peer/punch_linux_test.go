package peer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// Two behind routers that let in answers only: somebody who is connected to both has each call the other at once (BEP
// 55), and so their routers let them in.
func TestHolepunch(t *testing.T) {
	needUTP(t)
	internet := testnet.NewInternet(t)
	utp := func(o *Options) { o.Listen, o.TCP, o.UTP, o.dialing = "0.0.0.0:0", false, true, time.Second }
	at := func(m *testnet.Machine) (p *Peer, public netip.AddrPort) {
		m.Do(func() { p = start(t, utp) })
		return p, netip.AddrPortFrom(m.Public, uint16(p.client.LocalPort()))
	}
	middle, here := at(internet.Machine())
	seeder, seederAt := at(internet.Behind(testnet.Ordinary))
	leecher, _ := at(internet.Behind(testnet.Ordinary))

	// The seeder knows of nobody but him in the middle.
	tracker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		ip := here.Addr().As4()
		_, _ = fmt.Fprintf(w, "d8:completei1e10:incompletei1e8:intervali900e5:peers6:%se", append(ip[:], byte(here.Port()>>8), byte(here.Port())))
	}))
	defer tracker.Close()
	film := write(t, filepath.Join(t.TempDir(), "film.bin"), random(300_000, 1))
	shared := share(t, seeder, ShareOptions{Paths: []string{film}, Trackers: []string{tracker.URL + "/announce"}})
	both := add(t, middle, hexOf(shared.ih), AddOptions{Lazy: true})
	for ctx := soon(t); both.Stats().Peers.UTP == 0; time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatal("the seeder has not come")
		}
	}
	met := add(t, leecher, hexOf(shared.ih), AddOptions{Peers: []string{here.String(), seederAt.String()}})
	done(t, met)
	punched := func(p *Peer) int { return p.client.Stats().NumPeersDialedSuccessfullyAfterHolepunchConnect }
	if punched(seeder)+punched(leecher) == 0 {
		t.Error("they met without a hole in their routers")
	}
}
