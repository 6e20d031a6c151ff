package peer_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/starling-p2p/starling/internal/egress"
	"github.com/starling-p2p/starling/peer"
)

func TestICEServersOf(t *testing.T) {
	answer := `{"iceServers":[{"urls":"stun:a:1"},{"urls":["turn:b:2","turn:b:3"],"username":"u","credential":"c"}],"lifetime":3600}`
	mux := http.NewServeMux()
	mux.HandleFunc("/api/ice", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })
	h := httptest.NewServer(mux)
	defer h.Close()
	for _, server := range []string{h.URL, h.URL + "/"} {
		list, err := peer.ICEServersOf(server, nil)(t.Context())
		if err != nil || len(list) != 2 || list[0].URLs[0] != "stun:a:1" || len(list[1].URLs) != 2 || list[1].Credential != "c" {
			t.Errorf("%s: %+v, %v", server, list, err)
		}
	}
	// A link may not have this machine asked.
	ways := egress.New()
	defer ways.Close()
	client := ways.Given()
	for _, ask := range []func() (string, *http.Client){
		func() (string, *http.Client) { return strings.Replace(h.URL, "127.0.0.1", "0.0.0.0", 1), client },
		func() (string, *http.Client) { return h.URL + "/elsewhere", nil },
		func() (string, *http.Client) { answer = "<html>"; return h.URL, nil },
		func() (string, *http.Client) { h.Close(); return h.URL, nil },
	} {
		server, client := ask()
		list, err := peer.ICEServersOf(server, client)(t.Context())
		if err == nil || list != nil || !strings.Contains(err.Error(), server+"/api/ice") {
			t.Errorf("%s: %+v, %v", server, list, err)
		}
	}
}
