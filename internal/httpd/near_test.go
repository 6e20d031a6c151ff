package httpd_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// Half of those told of are in the asker's country, as the database has it.
func TestNearestFirst(t *testing.T) {
	config := testnet.Config()
	config.TrustedProxy = []string{"127.0.0.1"}
	config.GeoIP = filepath.Join(t.TempDir(), "geo.mmdb")
	if err := os.WriteFile(config.GeoIP, testnet.MMDB(map[netip.Prefix]map[string]any{
		netip.MustParsePrefix("81.0.0.0/8"): {"country": map[string]any{"iso_code": "DE"}, "continent": map[string]any{"code": "EU"}},
		netip.MustParsePrefix("73.0.0.0/8"): {"country": map[string]any{"iso_code": "US"}, "continent": map[string]any{"code": "NA"}},
	}), 0o600); err != nil {
		t.Fatal(err)
	}
	at := announceURLs(t, config)[1]
	announce := func(n int) string {
		from := fmt.Sprintf("%d.%d.0.1", []int{73, 81}[n%2], n)
		_, body := testnet.Ask(t, "GET", fmt.Sprintf("%s?info_hash=%s&peer_id=-SL0001-%012d&port=6881&left=1&numwant=20", at, strings.Repeat("h", 20), n), "X-Forwarded-For", from)
		return body
	}
	const peers = 120
	for n := range peers {
		announce(n)
	}
	same, all := 0, 0
	for n := range peers {
		_, compact, _ := strings.Cut(announce(n), "5:peers120:")
		for i := 0; i+6 <= len(compact); i += 6 {
			all++
			if compact[i] == []byte{73, 81}[n%2] {
				same++
			}
		}
	}
	// Half of them, and by chance half of the others.
	if share := float64(same) / float64(all); all != 20*peers || share < 0.7 || share > 0.8 {
		t.Errorf("%d of %d peers told of are in the same country", same, all)
	}
	config.GeoIP += ".none"
	if _, err := httpd.Listen(config, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), "--geoip: ") {
		t.Errorf("without the file: %v", err)
	}
}

// So are those that offers by WebSocket go to: two of four, where there are as many.
func TestNearestFirstBySocket(t *testing.T) {
	config := testnet.Config()
	config.TrustedProxy, config.Nearby = []string{"127.0.0.1"}, true
	url := testnet.Serve(t, config, nil)
	const peers = 20
	sockets := make([]*testnet.Socket, peers)
	says := func(n int, more string) {
		sockets[n].Send(fmt.Sprintf(`{"action":"announce","info_hash":"hhhhhhhhhhhhhhhhhhhh","peer_id":"-SL0001-%012d","left":1%s}`, n, more))
	}
	// heard reads all that has come to a socket, and counts the offers.
	heard := func(n int) (offers int) {
		sockets[n].Send(`{"action":"scrape","info_hash":"hhhhhhhhhhhhhhhhhhhh"}`)
		for {
			m := sockets[n].Next()
			if m["action"] == "scrape" {
				return offers
			}
			if m["offer"] != nil {
				offers++
			}
		}
	}
	for n := range peers {
		// Two networks, one of the even and one of the odd.
		sockets[n] = testnet.Connect(t, dial(t, "tcp", url, nil), fmt.Sprintf("X-Forwarded-For: %s.0.%d", []string{"81.2", "73.9"}[n%2], n))
		says(n, "")
		heard(n)
	}
	for n := range peers {
		var offers []string
		for i := range 4 {
			offers = append(offers, fmt.Sprintf(`{"offer_id":"%d-%d","offer":{"type":"offer","sdp":"v=0"}}`, n, i))
		}
		says(n, `,"offers":[`+strings.Join(offers, ",")+`]`)
		heard(n)
		near, all := 0, 0
		for to := range peers {
			if to != n {
				got := heard(to)
				all += got
				near += got * (1 - (to^n)%2)
			}
		}
		if all != 4 || near < 2 {
			t.Errorf("of %d offers of %d, %d go to its own network", all, n, near)
		}
	}
}
