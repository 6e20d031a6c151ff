package cli

import (
	"strings"
	"testing"
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
