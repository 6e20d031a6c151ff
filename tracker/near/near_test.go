package near_test

import (
	"bytes"
	"context"
	"log/slog"
	"math/bits"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/near"
)

type (
	record = map[string]any
	world  = map[netip.Prefix]map[string]any
)

// in is a record as MaxMind's databases have it.
func in(continent, country, region string, number int) record {
	return record{
		"continent": record{"code": continent}, "country": record{"iso_code": country, "names": record{"en": "Land"}},
		"subdivisions": []any{record{"iso_code": region}}, "autonomous_system_number": uint32(number),
	}
}

func net(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "geo.mmdb")
	}
	// As operators' tools do it: the file is another one at once.
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// shared is how many bytes two places have in common from the front.
func shared(place func(netip.Addr) tracker.Place, a, b string) int {
	return bits.LeadingZeros32(uint32(place(netip.MustParseAddr(a))^place(netip.MustParseAddr(b)))) / 8
}

func TestByPrefix(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"198.51.100.1", "198.51.100.200", 4},
		{"198.51.100.1", "::ffff:198.51.100.200", 4},
		{"198.51.96.1", "198.51.111.1", 3},
		{"198.51.1.1", "198.51.200.1", 2},
		{"198.48.1.1", "198.51.1.1", 1},
		{"198.51.100.1", "203.0.113.1", 0},
		{"2001:db8:1:1::1", "2001:db8:1:2::1", 4},
		{"2001:db8:1::1", "2001:db8:f::1", 3},
		{"2001:db8::1", "2001:db8:f000::1", 2},
		{"2001:db8::1", "2a00::1", 0},
		{"fe80::1%eth0", "fe80::2", 4},
	} {
		if got := shared(near.ByPrefix, c.a, c.b); got != c.want {
			t.Errorf("%s and %s share %d, want %d", c.a, c.b, got, c.want)
		}
	}
	if near.ByPrefix(netip.Addr{}) == 0 {
		t.Error("no address at all: a place is needed, though not a good one")
	}
}

func TestFinder(t *testing.T) {
	f, err := near.Open(write(t, "", testnet.MMDB(world{
		net("81.2.0.0/16"):   in("EU", "DE", "BE", 3320),
		net("91.0.0.0/10"):   in("EU", "DE", "HH", 3320),
		net("95.90.0.0/16"):  in("EU", "DE", "HH", 6805),
		net("90.0.0.0/9"):    in("EU", "FR", "IDF", 3215),
		net("73.0.0.0/8"):    in("NA", "US", "CA", 7922),
		net("2003::/19"):     in("EU", "DE", "", 3320),
		net("45.1.0.0/16"):   {"continent": record{"code": "SA"}, "country": record{"iso_code": "BR"}, "subdivisions": []any{record{"iso_code": "SP"}}},
		net("45.2.0.0/16"):   {"continent": record{"code": "SA"}, "country": record{"iso_code": "BR"}, "subdivisions": []any{record{"iso_code": "RJ"}}},
		net("45.3.0.0/16"):   {"continent": record{"code": "SA"}, "country": record{"iso_code": "BR"}, "subdivisions": []any{record{"iso_code": "RJ"}}},
		net("46.1.0.0/16"):   {"continent_code": "AS", "continent": "Asia", "country_code": "JP", "country": "Japan", "asn": "AS4713"},
		net("46.2.0.0/16"):   {"continent_code": "AS", "continent": "Asia", "country_code": "JP", "country": "Japan", "asn": "AS2516"},
		net("192.0.2.0/24"):  {"country": "ZZ", "continent": uint32(7)},
		net("192.0.3.0/24"):  {},
		net("2001:db8::/33"): {"country": record{"iso_code": uint32(1)}},
	})), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"81.2.1.1", "81.2.200.1", 4},
		{"81.2.1.1", "91.1.1.1", 3},
		{"81.2.1.1", "::ffff:91.1.1.1", 3},
		{"81.2.1.1", "2003::1", 3},
		{"81.2.1.1", "95.90.1.1", 2},
		{"81.2.1.1", "90.1.1.1", 1},
		{"81.2.1.1", "73.1.1.1", 0},
		{"45.2.1.1", "45.3.1.1", 3},
		{"45.1.1.1", "45.2.1.1", 2},
		{"46.1.1.1", "46.2.1.1", 2},
		{"46.1.1.1", "81.2.1.1", 0},
		{"10.1.2.3", "10.1.2.99", 4}, // which it does not know
		{"10.1.2.3", "81.2.1.1", 0},
		{"fd00::1", "fd00::2", 4},
	} {
		if got := shared(f.Place, c.a, c.b); got != c.want {
			t.Errorf("%s and %s share %d, want %d", c.a, c.b, got, c.want)
		}
	}
	for _, odd := range []string{"192.0.2.1", "192.0.3.1", "2001:db8::1", "::", "255.255.255.255"} {
		if f.Place(netip.MustParseAddr(odd)) == 0 {
			t.Errorf("%s has no place", odd)
		}
	}
}

// The file is read again when it changes; one that is none changes nothing.
func TestWatch(t *testing.T) {
	path := write(t, "", testnet.MMDB(world{net("81.0.0.0/8"): in("EU", "DE", "", 1), net("73.0.0.0/8"): in("NA", "US", "", 2)}))
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		f, err := near.Open(path, slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go f.Watch(ctx, nil)
		later := func() {
			time.Sleep(6 * time.Second)
			synctest.Wait()
		}
		apart := func() int { return shared(f.Place, "81.1.1.1", "73.1.1.1") }
		if got := apart(); got != 0 {
			t.Fatalf("they share %d", got)
		}
		write(t, path, []byte("half a dow"))
		later()
		later()
		if got := apart(); got != 0 || strings.Count(said.String(), "stays as it was") != 1 || !strings.Contains(said.String(), "is no GeoIP database") {
			t.Errorf("they share %d; %q", got, said.String())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		later()
		write(t, path, testnet.MMDB(world{net("81.0.0.0/8"): in("EU", "DE", "", 1), net("73.0.0.0/8"): in("EU", "DE", "", 1)}))
		later()
		if got := apart(); got != 3 {
			t.Errorf("they share %d: %q", got, said.String())
		}
		stop()
		synctest.Wait()
	})
}

func TestOpenErrors(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if _, err := near.Open(filepath.Join(t.TempDir(), "none"), log); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a file that is not there: %v", err)
	}
	path := write(t, "", []byte("no database"))
	if _, err := near.Open(path, log); err == nil || !strings.Contains(err.Error(), path+" is no GeoIP database (mmdb)") {
		t.Errorf("a file of another kind: %v", err)
	}
}

// A damaged file says nonsense, or is refused; it does no harm.
func TestDamage(t *testing.T) {
	whole := testnet.MMDB(world{net("81.0.0.0/12"): in("EU", "DE", "BE", 1), net("73.0.0.0/12"): {"country_code": "US", "asn": "AS1"}})
	path := filepath.Join(t.TempDir(), "geo.mmdb")
	for i := range whole {
		data := bytes.Clone(whole)
		data[i] ^= 0xff
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := near.Open(path, slog.New(slog.DiscardHandler)); err == nil {
			for _, a := range []string{"81.1.1.1", "73.1.1.1", "2001:db8::1"} {
				f.Place(netip.MustParseAddr(a))
			}
		}
	}
}

func BenchmarkPlace(b *testing.B) {
	path := filepath.Join(b.TempDir(), "geo.mmdb")
	if err := os.WriteFile(path, testnet.MMDB(world{net("81.0.0.0/12"): in("EU", "DE", "BE", 1)}), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := near.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	a := netip.MustParseAddr("81.1.2.3")
	b.ReportAllocs()
	for b.Loop() {
		f.Place(a)
	}
}
