package tracker_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/starling-p2p/starling/tracker"
	trackerhttp "github.com/starling-p2p/starling/tracker/http"
	"github.com/starling-p2p/starling/tracker/udp"
	"github.com/starling-p2p/starling/tracker/ws"
)

// A tracker for WebTorrent and BitTorrent in ten lines of your own program.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	store := tracker.New[ws.Handle](tracker.Options{Expiry: 4 * time.Minute, AddrExpiry: 30 * time.Minute})
	go store.Run(ctx)
	go udp.New(store, udp.Options{}).ListenAndServe(ctx, "127.0.0.1:6969") // udp://…
	announces := trackerhttp.New(store, trackerhttp.Options{})             // http://…/announce, http://…/scrape
	sockets := ws.New(store, ws.Options{})                                 // ws://…
	defer sockets.Close(ctx)
	mux := http.NewServeMux()
	mux.Handle("/", sockets)
	mux.Handle("/announce", announces)
	mux.Handle("/scrape", announces)

	server := httptest.NewServer(mux)
	defer server.Close()
	for _, peer := range []string{"-SL0001-aaaaaaaaaaaa", "-SL0001-bbbbbbbbbbbb"} {
		query := url.Values{"info_hash": {strings.Repeat("h", 20)}, "peer_id": {peer}, "port": {"6881"}, "left": {"0"}}
		response, err := http.Get(server.URL + "/announce?" + query.Encode())
		if err != nil {
			panic(err)
		}
		answer, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Printf("%.14s\n", answer)
	}
	// Output:
	// d8:completei1e
	// d8:completei2e
}
