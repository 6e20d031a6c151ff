package peer

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/starling-p2p/starling/seal"
)

func TestParseRef(t *testing.T) {
	const text = "0123456789abcdef0123456789abcdef01234567"
	var ih [20]byte
	_, _ = hex.Decode(ih[:], []byte(text))
	key := seal.Key{1, 2, 3}
	k := key.String()
	for ref, want := range map[string]Ref{
		text:                               {InfoHash: ih},
		" " + strings.ToUpper(text) + "\n": {InfoHash: ih},
		"AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH": {InfoHash: ih},
		text + "." + k:                     {InfoHash: ih, Key: &key},
		"https://h.org/f#" + text:          {InfoHash: ih, Host: "h.org", Trackers: []string{"wss://h.org/announce"}},
		"http://h.org:8080/m#" + text + "." + k + ").": {
			InfoHash: ih, Key: &key, Host: "h.org:8080", Trackers: []string{"ws://h.org:8080/announce"},
		},
		"https://h.org/f#" + text + "&tr=wss%3A%2F%2Ft%2Fannounce&tr=file:///x&ws=https://w/": {
			InfoHash: ih, Host: "h.org", Trackers: []string{"wss://t/announce"}, WebSeeds: []string{"https://w/"},
		},
		"magnet:?dn=a%1b%0ab&xt=urn:btih:" + text + "&tr=udp://t:1&tr=udp://t:1&x.pe=1.2.3.4:5": {
			InfoHash: ih, Name: "ab", Trackers: []string{"udp://t:1"}, Peers: []string{"1.2.3.4:5"},
		},
		"MAGNET:?xt.1=urn:btmh:1220&xt.2=urn:btih:" + text: {InfoHash: ih},
		// Copied out of a page's source, and with a name as it is.
		"magnet:?xt=urn:btih:" + text + "&amp;dn=a&amp;tr=udp://t:1": {InfoHash: ih, Name: "a", Trackers: []string{"udp://t:1"}},
		"magnet:?xt=urn:btih:" + text + "&dn=100% a;b&tr=udp://t:1":  {InfoHash: ih, Trackers: []string{"udp://t:1"}},
		"magnet:?xt=URN:BTIH:" + text:                                {InfoHash: ih},
		"h.org/f#" + text + "&tr=udp://t:1":                          {InfoHash: ih, Trackers: []string{"udp://t:1"}},
		"f#" + text:                                                  {InfoHash: ih},
		"a/film.torrent":                                             {TorrentFile: "a/film.torrent"},
		"https://h.org/film.torrent?x=1":                             {TorrentFile: "https://h.org/film.torrent?x=1"},
	} {
		if got, err := ParseRef(ref); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %+v, %v, want %+v", ref, got, err, want)
		}
	}
	for _, ref := range []string{
		"", "#", "hello", "https://h.org/f", "https://h.org/f#", text[:39], "https://h.org/f#" + text[:30], text + "." + k[:21],
		text + "." + k + "x", "h.org/f#" + text, "localhost:8080/f#" + text + "." + k, "magnet:?dn=x", "magnet:?xt=urn:btih:123", strings.Repeat("0", 40), strings.Repeat("x", maxRef+1),
	} {
		if got, err := ParseRef(ref); err == nil {
			t.Errorf("%.50q is %+v, want an error", ref, got)
		}
	}
}

// Links and magnets say what they were made of.
func TestLinks(t *testing.T) {
	ih, key := [20]byte{1}, seal.NewKey()
	for _, want := range []Ref{
		{InfoHash: ih, Host: "h.org", Trackers: []string{"wss://h.org/announce"}},
		{InfoHash: ih, Host: "h.org", Key: &key, Trackers: []string{"wss://h.org/announce", "udp://t:1/a?b=c&d"}, WebSeeds: []string{"https://w/a b"}},
	} {
		link := makeLink("h.org", want.InfoHash, want.Key, want.Trackers, want.WebSeeds)
		if got, err := ParseRef(link); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v, want %+v", link, got, err, want)
		}
		if len(want.Trackers) == 1 && strings.Contains(link, "&tr=") {
			t.Errorf("%s names the host's own tracker", link)
		}
		want.Host, want.Key, want.Name = "", nil, "a&b"
		magnet := makeMagnet(want.InfoHash, want.Name, want.Trackers, want.WebSeeds)
		if got, err := ParseRef(magnet); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v, want %+v", magnet, got, err, want)
		}
	}
	if link := makeLink("http://localhost:8080/", ih, nil, []string{"ws://localhost:8080/announce"}, nil); link != "http://localhost:8080/f#"+hexOf(ih) {
		t.Errorf("a link of a server without TLS is %s", link)
	}
}

// Whoever makes links does not make those who open them ask any number of servers.
func TestLinksAreBounded(t *testing.T) {
	var many string
	for i := range 3 * maxURLs {
		many += fmt.Sprintf("&tr=udp://t:%d&ws=https://w/%d&x.pe=192.0.2.1:%d", i+1, i, i+1)
	}
	r, err := ParseRef("magnet:?xt=urn:btih:" + strings.Repeat("ab", 20) + "&tr=udp://" + strings.Repeat("t", maxURL) + many)
	if err != nil || len(r.Trackers) != maxURLs || len(r.WebSeeds) != maxURLs || len(r.Peers) != maxURLs || r.Trackers[0] != "udp://t:1" {
		t.Errorf("%d trackers, %d web seeds, %d peers, %v", len(r.Trackers), len(r.WebSeeds), len(r.Peers), err)
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add("https://h/f#0123456789abcdef0123456789abcdef01234567.AAAAAAAAAAAAAAAAAAAAAA&tr=wss://t")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRef(text)
		if err != nil || r.TorrentFile != "" {
			return
		}
		again, err := ParseRef(makeLink("h", r.InfoHash, r.Key, r.Trackers, r.WebSeeds))
		if err != nil || again.InfoHash != r.InfoHash || (again.Key == nil) != (r.Key == nil) {
			t.Errorf("%q is %+v, and its link %+v, %v", text, r, again, err)
		}
	})
}

func FuzzParseInfo(f *testing.F) {
	f.Add([]byte("d6:lengthi1e4:name1:a12:piece lengthi65536e6:pieces20:aaaaaaaaaaaaaaaaaaaae"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseInfo(b)
		if err != nil {
			return
		}
		hashes, err := hashesOf(b)
		if err != nil || len(hashes) != 20*m.pieces || m.length < 0 {
			t.Errorf("%d bytes of hashes, %v, for %d pieces of %d bytes", len(hashes), err, m.pieces, m.length)
		}
		seen := map[string]bool{}
		for _, file := range m.files {
			if file.padding {
				continue
			}
			if file.path == "" || file.path[0] == '/' || seen[file.path] {
				t.Errorf("a file's path is %q", file.path)
			}
			seen[file.path] = true
		}
	})
}
