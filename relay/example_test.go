package relay_test

import (
	"encoding/json"
	"log"
	"net/http"
	"net/netip"

	"github.com/starling-p2p/starling/relay"
)

// STUN and TURN by UDP in a server of one's own. Pages whose engine has it for a server ask at /api/ice.
func Example() {
	r, err := relay.Listen(relay.Options{Addr: netip.MustParseAddrPort("[::]:3478"), MaxAllocations: 4096, MaxPerAddress: 256})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = r.Close() }()

	type server struct {
		URLs       string `json:"urls"`
		Username   string `json:"username,omitempty"`
		Credential string `json:"credential,omitempty"`
	}
	http.HandleFunc("/api/ice", func(w http.ResponseWriter, _ *http.Request) {
		c := r.Credentials()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Access-Control-Allow-Origin", "*") // for pages of other sites
		_ = json.NewEncoder(w).Encode(map[string]any{
			"iceServers": []server{
				{URLs: "stun:share.example.org:3478"},
				{URLs: "turn:share.example.org:3478?transport=udp", Username: c.User, Credential: c.Password},
			},
			"lifetime": relay.Lifetime.Seconds(),
		})
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
