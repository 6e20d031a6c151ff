package http

import (
	"net/netip"
	"net/url"
	"testing"

	"github.com/starling-p2p/starling/tracker"
)

// FuzzQuery compares the scanner with net/url, wherever that accepts the query.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A&peer_id=-TR4000-abcdefghijkl&port=6881&uploaded=0&downloaded=0&left=0&compact=1&event=started&numwant=80&key=5f2d&ip=10.0.0.1",
		"info_hash=aaaaaaaaaaaaaaaaaaaa&info_hash=bbbbbbbbbbbbbbbbbbbb",
		"info_hash=%0a%1b%2c%3d%4e%5f%a0%b1%c2%d3%0A%1B%2C%3D%4E%5F%A0%B1%C2%D3", "info_hash=%e4%f6%78%89%99%E4%F6%78%89%99aaaaaaaaaa&peer_id=%e4%f6%78%89%99%E4%F6%78%89%99aaaaaaaaaa&port=1",
		"info_hash=++++++++++++++++++++&peer_id=%2b", "&&=&a&%", "info_hash=%", "info_hash=%4", "info_hash=%zz", "port=1;left=0", "info%5fhash=a", "left=", "ip=%3a%3a1",
	} {
		f.Add(s)
	}
	q := new(query)
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := q.announce(raw, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
		if err == nil && (a.Want < 0 || a.Want > maxWant || !a.Addr.Addr().IsValid()) {
			t.Fatalf("%+v", a)
		}
		hashes, scrapeErr := q.scrape(raw)
		want, parseErr := url.ParseQuery(raw)
		if parseErr != nil {
			return
		}
		good := len(want["info_hash"]) > 0 && len(want["info_hash"]) <= maxHashes
		for _, h := range want["info_hash"] {
			good = good && len(h) == 20
		}
		escaped := len(want["info_hash"]) != len(literal(raw)) // a key with percent signs in it
		if good != (scrapeErr == nil) && !escaped {
			t.Fatalf("scrape of %q: %v, net/url finds %q", raw, scrapeErr, want["info_hash"])
		}
		if scrapeErr == nil && !escaped {
			for i, h := range want["info_hash"] {
				if string(hashes[i][:]) != h {
					t.Fatalf("scrape of %q: %q, want %q", raw, hashes[i], h)
				}
			}
		}
		if err == nil && !escaped && (string(a.InfoHash[:]) != want.Get("info_hash")) {
			t.Fatalf("%q: info_hash %q, want %q", raw, a.InfoHash, want.Get("info_hash"))
		}
		if left := want.Get("left"); err == nil && len(want["left"]) == 1 && left == "0" && literalHas(raw, "left") && a.Left == tracker.Unsaid {
			t.Fatalf("%q: left was not seen", raw)
		}
	})
}

// literal are the values of info_hash whose key is written plainly.
func literal(raw string) (values []string) {
	for raw != "" {
		var key, value string
		if key, value, raw = next(raw); key == "info_hash" {
			values = append(values, value)
		}
	}
	return values
}

func literalHas(raw, want string) bool {
	for raw != "" {
		var key string
		if key, _, raw = next(raw); key == want {
			return true
		}
	}
	return false
}

func TestQueryDoesNotAllocate(t *testing.T) {
	q := new(query)
	raw := "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A&peer_id=-TR4000-abcdefghijkl&port=6881&left=0&numwant=80&key=5f2d&event=started"
	from := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	if n := testing.AllocsPerRun(100, func() {
		if _, err := q.announce(raw, from); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
