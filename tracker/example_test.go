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

// A tracker for WebTorrent and BitTorrent in your own program.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	store := tracker.New[ws.Handle](tracker.Options{Expiry: 4 * time.Minute, AddrExpiry: 30 * time.Minute})
	go store.Run(ctx)
	go udp.New(store, udp.Options{}).ListenAndServe(ctx, "127.0.0.1:6969") // udp://…
	announces := trackerhttp.New(store, trackerhttp.Options{})             // http://…/announce, http://…/scrape
	sockets := ws.New(store, ws.Options{})                                 // ws://…/announce
	defer sockets.Close(ctx)
	mux := http.NewServeMux()
	mux.Handle("/scrape", announces)
	mux.HandleFunc("/announce", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			sockets.ServeHTTP(w, r)
		} else {
			announces.ServeHTTP(w, r)
		}
	})

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
	browser, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/announce", nil)
	if err != nil {
		panic(err)
	}
	browser.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"c3RhcmxpbmdzdGFybGluZw=="},
	}
	response, err := http.DefaultClient.Do(browser)
	if err != nil {
		panic(err)
	}
	response.Body.Close()
	fmt.Println(response.Status)
	// Output:
	// d8:completei1e
	// d8:completei2e
	// 101 Switching Protocols
}
