package tracker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// A snapshot is what a store knows of peers at addresses, so that a restart need not wait for them to announce. Peers
// on connections are not in it: those end with the program, nobody could pass an offer on to them, and they are back in
// seconds by themselves. Integers are big-endian.
//
//	│ "starling" │ version 1: 2 │ written 8: Unix ms │ swarm … │ 0 │ CRC-32C 4, of all before │
//	swarm: │ 1 │ info_hash 20 │ downloaded 4 │ peers 4 │ peer … │   a large one comes in several parts
//	peer:  │ kind 1 │ peer_id 20 │ address 4 or 16 │ port 2 │ key 4 │ age 4: tenths of a second │
//	kind:  4 or 6, and 128 if it is a seeder
const (
	snapshotMagic   = "starling"
	snapshotVersion = 2
	snapshotEnd     = 5 // bytes: the 0 and the checksum
	snapshotSeeder  = 128
	// snapshotPeer is the most bytes of a peer, one that is alone in its swarm.
	snapshotPeer = 29 + 47
	// snapshotBatch is how many peers are written, or taken in, under one lock.
	snapshotBatch = 1024
)

// ErrSnapshot means that a file is no whole snapshot that this version can read.
var ErrSnapshot = errors.New("this is no whole snapshot of a tracker, or one of another version")

// ErrForeign means that a file is something else altogether, which somebody may want to keep.
var ErrForeign = errors.New("this is no snapshot of a tracker")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Save writes a snapshot. It locks a swarm for as long as it takes to copy 1,024 peers, so that announces need not wait.
// What changes meanwhile may be in it or not, and a few that change places meanwhile may be missing or be in it twice.
func (s *Store[C]) Save(to io.Writer) error {
	sum := crc32.New(castagnoli)
	w := bufio.NewWriterSize(io.MultiWriter(to, sum), 64<<10)
	b := append([]byte(snapshotMagic), snapshotVersion)
	_, _ = w.Write(binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixMilli()))) // Flush tells of all errors
	s.Each(func(h InfoHash) {
		for rest := math.MaxInt; rest > 0; {
			b, rest = s.appendPart(b[:0], h, rest)
			_, _ = w.Write(b)
		}
	})
	_ = w.WriteByte(0)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := to.Write(sum.Sum(nil))
	return err
}

// appendPart appends a batch of a swarm's first peers, the last of them, and returns how many are left before it. From
// the end to the beginning, for whoever goes gives the last one its place.
func (s *Store[C]) appendPart(b []byte, h InfoHash, first int) ([]byte, int) {
	sh := s.shard(h)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	w := sh.swarms[h]
	if w == nil {
		return b, 0
	}
	end := min(first, w.four.len()+w.six.len())
	start := max(0, end-snapshotBatch)
	if start == end {
		return b, 0
	}
	now := s.now()
	b = append(append(b, 1), h[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(w.downloaded))
	b = binary.BigEndian.AppendUint32(b, uint32(end-start))
	for i := start; i < end; i++ {
		if n := w.four.len(); i < n {
			b = appendPeer(b, w.four, 4, i, now)
		} else {
			b = appendPeer(b, w.six, 6, i-n, now)
		}
	}
	return b, start
}

func appendPeer[K address[K]](b []byte, g *group[K], kind byte, i int, now tick) []byte {
	r := &g.peers[i]
	if i < g.seeders {
		kind |= snapshotSeeder
	}
	b = append(append(b, kind), r.id[:]...)
	b = r.contact.appendIP(b)
	b = binary.BigEndian.AppendUint16(b, r.contact.addrPort().Port())
	b = binary.BigEndian.AppendUint32(b, r.contact.secret())
	return binary.BigEndian.AppendUint32(b, uint32(now-r.seen))
}

// Load takes in a snapshot. Peers who announced here meanwhile stay as they are; those whose time is over by now are
// left out, as are swarms that Options.Allow does not allow, and whoever does not fit within MaxPeers. A file that is
// damaged gives ErrSnapshot and changes nothing: it is read twice, once to be checked.
func (s *Store[C]) Load(from io.ReadSeeker) error {
	if err := check(from); err != nil {
		return err
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := &reader{from: bufio.NewReaderSize(from, 64<<10)}
	r.bytes(len(snapshotMagic) + 1)
	since := max(0, time.Since(time.UnixMilli(int64(r.uint64()))))
	for r.uint8() == 1 && r.err == nil {
		given := Handed[C]{InfoHash: InfoHash(r.bytes(20))}
		given.Downloaded = int(min(r.uint32(), math.MaxInt32))
		for n := r.uint32(); n > 0 && r.err == nil; n-- {
			if p, ok := r.peer(since); ok {
				given.Addr = append(given.Addr, p)
			}
			if len(given.Addr) == snapshotBatch {
				s.Give(&given)
				given.Addr = given.Addr[:0]
			}
		}
		s.Give(&given)
	}
	return r.err
}

// check reads all of a snapshot and compares the checksum.
func check(from io.ReadSeeker) error {
	size, err := from.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return err
	}
	start := make([]byte, len(snapshotMagic)+1)
	if _, err := io.ReadFull(from, start); err != nil || string(start) != snapshotMagic+string(rune(snapshotVersion)) || size < int64(len(start))+8+snapshotEnd {
		return ErrSnapshot
	}
	sum := crc32.New(castagnoli)
	_, _ = sum.Write(start) // takes all
	if _, err := io.CopyN(sum, from, size-int64(len(start))-4); err != nil {
		return err
	}
	end := make([]byte, 4)
	if _, err := io.ReadFull(from, end); err != nil {
		return err
	}
	if string(end) != string(sum.Sum(nil)) {
		return ErrSnapshot
	}
	return nil
}

// reader reads a snapshot up to the first error, and from then on zeros.
type reader struct {
	from *bufio.Reader
	room [20]byte
	err  error
}

// bytes returns the next n, at most 20, until the next call.
func (r *reader) bytes(n int) []byte {
	b := r.room[:n]
	if r.err == nil {
		if _, err := io.ReadFull(r.from, b); err != nil {
			r.err = ErrSnapshot
		}
	}
	if r.err != nil {
		clear(b)
	}
	return b
}

func (r *reader) uint8() uint8   { return r.bytes(1)[0] }
func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.bytes(2)) }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

// peer reads one that is that much older by now; false for one that cannot be.
func (r *reader) peer(since time.Duration) (p HandedPeer[HandedAddr], ok bool) {
	kind := r.uint8()
	p.ID, p.Seeder = PeerID(r.bytes(20)), kind&snapshotSeeder != 0
	size := 4
	switch kind &^ snapshotSeeder {
	case 4:
	case 6:
		size = 16
	default:
		r.err = ErrSnapshot
	}
	ip, _ := netip.AddrFromSlice(r.bytes(size)) // that many bytes are always one
	p.Contact.Addr = netip.AddrPortFrom(ip, r.uint16())
	p.Contact.Key = r.uint32()
	p.Age = since + time.Duration(r.uint32())*(time.Second/10)
	return p, r.err == nil && p.Contact.Addr.Port() != 0
}

// SaveFile writes a snapshot to a file that only this user may read, for it tells who takes part in what. Whoever reads
// it meanwhile, or after a crash, finds the old one or the new one, whole. Not safe for concurrent use with one path.
func (s *Store[C]) SaveFile(path string) error {
	fail := func(err error) error {
		_ = os.Remove(path + ".new")
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fail(err)
	}
	err = s.Save(file)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fail(err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fail(err)
	}
	return nil
}

// LoadFile takes in what SaveFile wrote. ErrForeign: the file is no snapshot, not even a damaged one, so do not save there.
func (s *Store[C]) LoadFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading a snapshot: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("reading a snapshot: %w", err)
	}
	start := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(file, start); err == nil && string(start) != snapshotMagic || err != nil && info.Size() > 0 {
		return fmt.Errorf("%s: %w", path, ErrForeign)
	}
	if most := int64(s.options.MaxPeers)*snapshotPeer + 64; info.Size() > most {
		return fmt.Errorf("%s is larger than a snapshot of %d peers, which is the most there may be", filepath.Base(path), s.options.MaxPeers)
	}
	if err := s.Load(file); err != nil {
		return fmt.Errorf("reading the snapshot %s: %w", path, err)
	}
	return nil
}
