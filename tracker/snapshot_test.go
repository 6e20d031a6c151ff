package tracker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func snapshot(t testing.TB, s *Store[int]) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func hashOf(n int) (h InfoHash) {
	binary.BigEndian.PutUint32(h[16:], uint32(n))
	return h
}

// A store that is filled from a snapshot counts and tells what the other did, and forgets when that would have.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := Options{Expiry: 4 * time.Minute, AddrExpiry: 30 * time.Minute}
		s := New[int](options)
		addr := func(n int) string {
			if n%3 == 0 {
				return fmt.Sprintf("[2001:db8::%x]:%d", n+1, n+1)
			}
			return fmt.Sprintf("192.0.%d.%d:%d", n/250, n%250+1, n+1)
		}
		const peers, swarms = 700, 40
		for n := range peers {
			says(t, s, AddrAnnounce{InfoHash: hashOf(n % swarms), PeerID: peer(n), Addr: at(addr(n)), Key: uint32(n) << 20, Left: Left(1 + n%2)})
			if n == peers/2 {
				time.Sleep(20 * time.Minute)
			}
		}
		says(t, s, AddrAnnounce{InfoHash: hashOf(1), PeerID: peer(1), Addr: at(addr(1)), Key: 1 << 20, Event: Completed})
		join(t, s, 1, Some) // on a connection
		file := snapshot(t, s)

		time.Sleep(5 * time.Minute) // the machine is being repaired
		again := New[int](options)
		if err := again.Load(bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
		want := s.Stats()
		want.Peers, want.WebRTC = want.Peers-1, 0
		if got := again.Stats(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		for h := range swarms {
			want := s.Counts(hashOf(h))
			if h == 0 {
				want.WebRTC, want.Leechers = Part{}, want.Leechers-1
			}
			if got := again.Counts(hashOf(h)); got != want {
				t.Errorf("swarm %d: %+v, want %+v", h, got, want)
			}
		}
		// Each is where it was, and still the owner of its peer_id, by its key.
		_, picks := says(t, again, AddrAnnounce{InfoHash: hashOf(1), PeerID: peer(1), Addr: at("198.51.100.1:9"), Key: 1 << 20, Left: Some, Want: 100})
		_, expect := says(t, s, AddrAnnounce{InfoHash: hashOf(1), PeerID: peer(1), Addr: at("198.51.100.1:9"), Key: 1 << 20, Left: Some, Want: 100})
		if !slices.Equal(picks, expect) || len(picks) == 0 {
			t.Errorf("told of %v, want %v", picks, expect)
		}
		// The first half was last heard of 25 minutes ago.
		time.Sleep(6 * time.Minute)
		again.Sweep()
		if got := again.Stats().Peers; got >= peers*6/10 || got <= peers*4/10 {
			t.Errorf("%d peers are left of %d, half of which are too old", got, peers)
		}
		time.Sleep(25 * time.Minute)
		again.Sweep()
		if got := again.Stats(); got != (Stats{}) {
			t.Errorf("left: %+v", got)
		}
		if err := again.Load(bytes.NewReader(file)); err != nil || again.Stats() != (Stats{}) {
			t.Errorf("one that is too old: %v, %+v", err, again.Stats())
		}
	})
}

// A swarm larger than what is copied at once.
func TestSnapshotOfACrowd(t *testing.T) {
	s := newStore()
	const peers = 5*snapshotBatch/2 + 1
	for n := range peers {
		says(t, s, AddrAnnounce{PeerID: peer(n), Addr: at(fmt.Sprintf("198.51.%d.%d:1", n/250, n%250)), Left: Left(1 + n%2)})
	}
	file, into := snapshot(t, s), newStore()
	if err := into.Load(bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if got, want := into.Counts(InfoHash{}), s.Counts(InfoHash{}); got != want || want.IPv4.Seeders+want.IPv4.Leechers != peers {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestSnapshotKeepsLimits(t *testing.T) {
	s := newStore()
	for n := range 100 {
		says(t, s, AddrAnnounce{InfoHash: hashOf(n), PeerID: peer(n), Addr: at(fmt.Sprintf("192.0.2.%d:1", n+1))})
	}
	file := snapshot(t, s)
	few := New[int](Options{Expiry: 2 * interval, MaxPeers: 10, Allow: func(h InfoHash) bool { return h[19]%2 == 0 }})
	if err := few.Load(bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if got := few.Stats(); got.Peers != 10 || got.Swarms != 10 || few.Counts(hashOf(1)) != (Counts{}) {
		t.Errorf("%+v", got)
	}
	// The peers of one network are counted, so that its owner cannot have more of them after each restart.
	one := New[int](Options{Expiry: 2 * interval, MaxPerNetwork: 1})
	if err := one.Load(bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := one.AnnounceAddr(&AddrAnnounce{InfoHash: hashOf(1), PeerID: peer(1000), Addr: at("192.0.2.1:2")}, nil); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
}

// Whatever byte is wrong, or missing: it is found out, and nothing is taken in.
func TestSnapshotDamage(t *testing.T) {
	s := newStore()
	says(t, s, AddrAnnounce{PeerID: peer(1), Addr: at("192.0.2.1:1")})
	says(t, s, AddrAnnounce{PeerID: peer(2), Addr: at("[2001:db8::1]:1")})
	file := snapshot(t, s)
	for i := range file {
		damaged := slices.Clone(file)
		damaged[i] ^= 1
		for what, data := range map[string][]byte{"damaged at": damaged, "cut at": file[:i]} {
			into := newStore()
			if err := into.Load(bytes.NewReader(data)); !errors.Is(err, ErrSnapshot) || into.Stats() != (Stats{}) {
				t.Errorf("%s %d: %v, %+v", what, i, err, into.Stats())
			}
		}
	}
	// Of another version, with a peer of a kind unheard of, and without its end: all with the right checksum.
	version, kind := slices.Clone(file[:len(file)-4]), slices.Clone(file[:len(file)-4])
	version[len(snapshotMagic)]++
	kind[17+29]++
	for _, data := range [][]byte{version, kind, file[:len(file)-10]} {
		data = binary.BigEndian.AppendUint32(slices.Clip(data), crc32.Checksum(data, castagnoli))
		if err := newStore().Load(bytes.NewReader(data)); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%x: %v", data, err)
		}
	}
}

// room is a disk with room for so many bytes.
type room int

func (r *room) Write(p []byte) (int, error) {
	if *r -= room(len(p)); *r < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// What cannot be written to its end takes nothing's place.
func TestSnapshotOnAFullDisk(t *testing.T) {
	s := newStore()
	says(t, s, AddrAnnounce{PeerID: peer(1), Addr: at("192.0.2.1:1")})
	for n := range room(len(snapshot(t, s))) {
		if left := n; s.Save(&left) == nil {
			t.Errorf("with room for %d bytes it is all written", n)
		}
	}
	path := filepath.Join(t.TempDir(), "tracker.snapshot")
	if err := s.SaveFile(path); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveFile(filepath.Dir(path)); err == nil {
		t.Error("a snapshot in a folder's place")
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		return
	}
	if err := os.Symlink("/dev/full", path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveFile(path); err == nil {
		t.Error("a full disk is not told of")
	}
	if err := newStore().LoadFile(path); err != nil {
		t.Errorf("the one that was there: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left beside it: %v", entries)
	}
}

func TestSnapshotFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tracker.snapshot")
	s := newStore()
	if err := s.LoadFile(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	for n := range 3 {
		says(t, s, AddrAnnounce{PeerID: peer(n), Addr: at(fmt.Sprintf("192.0.2.1:%d", n+1))})
		if err := s.SaveFile(path); err != nil {
			t.Fatal(err)
		}
		into := newStore()
		if err := into.LoadFile(path); err != nil || into.Stats().Peers != n+1 {
			t.Errorf("%v, %+v", err, into.Stats())
		}
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("others may read who takes part in what: %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left beside it: %v", entries)
	}
	if err := os.WriteFile(path, append([]byte(snapshotMagic), make([]byte, 10<<10)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.LoadFile(path); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a damaged one: %v", err)
	}
	if err := New[int](Options{MaxPeers: 100}).LoadFile(path); err == nil || !strings.Contains(err.Error(), "is larger than a snapshot of 100 peers") {
		t.Errorf("a large one: %v", err)
	}
	for _, text := range []string{"# a list of what is denied", "short"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.LoadFile(path); !errors.Is(err, ErrForeign) {
			t.Errorf("what is no snapshot: %v", err)
		}
	}
	if err := s.SaveFile(filepath.Join(path, "x")); err == nil {
		t.Error("a snapshot below a file")
	}
}

// Anything behind a right checksum: no panic, no more than there is room for, and what was taken in holds together.
func FuzzSnapshot(f *testing.F) {
	s := newStore()
	says(f, s, AddrAnnounce{PeerID: peer(1), Addr: at("192.0.2.1:1"), Left: Nothing})
	says(f, s, AddrAnnounce{PeerID: peer(2), Addr: at("[2001:db8::1]:1")})
	says(f, s, AddrAnnounce{InfoHash: hashOf(3), PeerID: peer(1), Addr: at("192.0.2.1:1")})
	whole := snapshot(f, s)
	f.Add(whole[17 : len(whole)-4])
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, body []byte) {
		var file []byte
		file = append(file, whole[:17]...)
		file = append(file, body...)
		file = binary.BigEndian.AppendUint32(file, crc32.Checksum(file, crc32.MakeTable(crc32.Castagnoli)))
		into := New[int](Options{Expiry: 10_000 * time.Hour, MaxPeers: 5})
		_ = into.Load(bytes.NewReader(file))
		got := into.Stats()
		if got.Peers > 5 || got.Peers < 0 {
			t.Fatalf("%+v", got)
		}
		if again := newStore(); again.Load(bytes.NewReader(snapshot(t, into))) != nil {
			t.Fatal("what it writes cannot be read")
		}
	})
}
