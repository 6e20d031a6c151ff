package tracker_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/starling-p2p/starling/tracker"
)

// Whoever takes the packed form is told of the same peers, be they anywhere, in a network or on this machine.
func TestCompact(t *testing.T) {
	s := tracker.New[int](tracker.Options{Expiry: time.Minute})
	hosts := []string{
		"192.0.2.1", "198.51.100.1", "172.15.255.255", "172.32.0.0", "192.167.0.1", "169.253.0.1", "128.0.0.1",
		"10.255.0.1", "172.16.0.0", "172.31.255.255", "192.168.255.1", "169.254.0.1", "127.0.0.1", "127.255.0.1",
		"2001:db8::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "::1",
	}
	said := make([]tracker.AddrAnnounce, len(hosts))
	for i, host := range hosts {
		said[i] = tracker.AddrAnnounce{
			PeerID: tracker.PeerID{byte(i)}, Left: tracker.Some, Want: tracker.MaxWant,
			Addr: netip.AddrPortFrom(netip.MustParseAddr(host), uint16(258+i)),
		}
		if _, _, err := s.AnnounceAddr(&said[i], nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range said {
		counts, picks, err := s.AnnounceAddr(&said[i], nil)
		if err != nil || len(picks) == 0 {
			t.Fatalf("%s is told of %v: %v", hosts[i], picks, err)
		}
		var want []string
		for _, p := range picks {
			ip := p.Contact.Addr()
			if from := said[i].Addr.Addr(); ip.IsLoopback() && !from.IsLoopback() ||
				(ip.IsPrivate() || ip.IsLinkLocalUnicast()) && !(from.IsPrivate() || from.IsLinkLocalUnicast() || from.IsLoopback()) {
				t.Errorf("%s is told of %s", from, ip)
			}
			want = append(want, string(binary.BigEndian.AppendUint16(ip.AsSlice(), p.Contact.Port())))
		}
		also, packed, err := s.AnnounceCompact(&said[i], []byte("before"))
		packed, ok := bytes.CutPrefix(packed, []byte("before"))
		if err != nil || !ok || also != counts {
			t.Fatalf("%s: %q, %+v, %v", hosts[i], packed, also, err)
		}
		var got []string
		for c := range slices.Chunk(packed, len(want[0])) {
			got = append(got, string(c))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s is told of %q, packed of %q", hosts[i], want, got)
		}
	}
}

// Nothing is left for the garbage collector by those who come again.
func TestCompactAllocates(t *testing.T) {
	s := tracker.New[int](tracker.Options{Expiry: time.Minute})
	a := tracker.AddrAnnounce{Left: tracker.Some, Want: 50}
	room := make([]byte, 0, 18*50)
	for i := range 200 {
		a.PeerID, a.Addr = tracker.PeerID{byte(i)}, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 1)
		if _, _, err := s.AnnounceCompact(&a, room); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = s.AnnounceCompact(&a, room) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
