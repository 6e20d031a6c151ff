package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/starling-p2p/starling/peer"
)

func TestServersOfLinks(t *testing.T) {
	hash := strings.Repeat("ab", 20)
	for link, want := range map[string]string{
		"https://Share.example.org/f#" + hash: "https://share.example.org wss://share.example.org/announce",
		" http://localhost:8080/m#" + hash:    "http://localhost:8080 ws://localhost:8080/announce here",
		"http://127.0.0.2/f#" + hash:          "http://127.0.0.2 ws://127.0.0.2/announce here",
		"magnet:?xt=urn:btih:" + hash:         "",
		hash:                                  "",
		"#" + hash:                            "",
		"ftp://x/#" + hash:                    "",
		"/etc/passwd#" + hash:                 "",
	} {
		got := ""
		if s := serverOf(link); s.URL != nil {
			got = s.String() + " " + s.tracker()
			if s.here() {
				got += " here"
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", link, got, want)
		}
	}
	for text, want := range map[string]string{
		"share.example.org": "https://share.example.org", "http://x:8080/": "http://x:8080",
		"localhost:8080": "http://localhost:8080", "LocalHost": "http://localhost", "127.0.0.1:8080/": "http://127.0.0.1:8080",
		"https://localhost:8443": "https://localhost:8443", "192.168.1.5:8080": "https://192.168.1.5:8080",
		"https://x/y": "", "udp://x": "", "": "", "http://": "", "https://me@x": "", "https://x?y": "",
	} {
		got := ""
		if s, err := parseServer(text); err == nil {
			got = s.String()
		}
		if got != want {
			t.Errorf("--server %q: %q, want %q", text, got, want)
		}
	}
}

func TestHints(t *testing.T) {
	away := errors.New("a proxy")
	for _, c := range []struct {
		server    string
		ws, http  error
		elsewhere bool
		want      string
	}{
		{"https://share.example.org", nil, nil, false, ""},
		{"https://share.example.org", nil, away, false, ""},
		{"https://share.example.org", away, nil, false, "Browsers cannot fetch what is shared: nobody is introduced to them at wss://share.example.org/announce (a proxy)"},
		{"https://share.example.org", away, away, true, "No Starling server is at https://share.example.org (a proxy)"},
		{"http://localhost:8080", nil, nil, false, "on this machine only"},
		{"http://localhost:8080", away, nil, false, "Browsers cannot fetch"},
		{"http://192.168.1.5:8080", nil, nil, false, "192.168.1.5:8080 needs https://"},
	} {
		s, err := parseServer(c.server)
		if err != nil {
			t.Fatal(err)
		}
		urls := s.trackers()
		trackers := []peer.Tracker{
			{URL: urls[0], Connected: c.ws == nil, Err: c.ws}, {URL: urls[1], Connected: c.http == nil, Err: c.http},
			{URL: "wss://other.example/announce", Connected: c.elsewhere},
		}
		for range trackers {
			trackers = append(trackers[1:], trackers[0])
			if got := s.hint(trackers, true); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("%s, ws %v, http %v: %q, want %q", c.server, c.ws, c.http, got, c.want)
			}
			if got := s.hint(trackers, false); strings.Contains(got, "rowsers") {
				t.Errorf("%s, for machines: %q", c.server, got)
			}
		}
	}
}
