package peer

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/anacrolix/torrent/bencode"

	"github.com/starling-p2p/starling/internal/testnet"
)

// A file that changes while it is seeded is said, and nobody gets any of it until it is as it was.
func TestChangedFile(t *testing.T) {
	for i := range 4 {
		private, replaced := i&1 != 0, i&2 != 0
		t.Run(fmt.Sprintf("private=%v, replaced=%v", private, replaced), func(t *testing.T) {
			dir := t.TempDir()
			seeder := start(t)
			data := random(1<<20, 1)
			path := write(t, filepath.Join(dir, "a"), data)
			shared := share(t, seeder, ShareOptions{Paths: []string{path}, Private: private})
			bad := bytes.Clone(data)
			bad[500_000]++
			change := func(to []byte) {
				if !replaced {
					write(t, path, to)
				} else if err := os.Rename(write(t, path+".new", to), path); err != nil {
					t.Fatal(err)
				}
			}
			change(bad)

			fetcher := start(t)
			fetched := add(t, fetcher, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}})
			testnet.Until(t, "the change is said", func() bool { return shared.Stats().Problem != nil })
			if !strings.Contains(shared.Stats().Problem.Error(), path) {
				t.Errorf("it says %q, which does not name the file", shared.Stats().Problem)
			}
			hashed := func() {
				t.Helper()
				testnet.Until(t, "the file was hashed again", func() bool {
					shared.mu.Lock()
					defer shared.mu.Unlock()
					return !shared.checks && shared.suspects[0].wrong == shared.store.files.look(0)
				})
			}
			hashed()
			if got, err := io.ReadAll(shared.Files()[0].NewReader(soon(t))); err == nil || !bytes.HasPrefix(data, got) {
				t.Errorf("read here it is %d bytes, %v", len(got), err)
			}
			if s := shared.Stats(); s.BytesDone >= s.Bytes || s.BytesDone == 0 {
				t.Errorf("%d of %d bytes are said to be right", s.BytesDone, s.Bytes)
			}
			// What was right of it is wrong now, and the other way round. There is one who knows that it was right.
			other := start(t)
			lazy := add(t, other, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "lazy"), Lazy: true, Peers: []string{seeder.Addr().String()}})
			if err := lazy.Ready(soon(t)); err != nil {
				t.Fatal(err)
			}
			testnet.Until(t, "all that is right has come", func() bool { return fetched.Stats().BytesDone == shared.Stats().BytesDone })
			worse := bytes.Clone(data)
			worse[100_000]++
			change(worse)
			hashed()
			r, read := lazy.Files()[0].NewReader(soon(t)), make(chan error, 1)
			go func() {
				b := make([]byte, 100)
				_, _ = r.Seek(100_000, io.SeekStart)
				_, err := io.ReadFull(r, b)
				if err == nil && !bytes.Equal(b, data[100_000:100_100]) {
					err = errors.New("other bytes came")
				}
				read <- err
			}()
			done(t, fetched)
			if len(fetcher.client.BadPeerIPs())+len(other.client.BadPeerIPs()) > 0 {
				t.Error("the seeder sent data that was not good")
			}

			change(data)
			if err := <-read; err != nil {
				t.Error(err)
			}
			same(t, filepath.Join(dir, "to/a"), data)
			testnet.Until(t, "nothing is wrong any more", func() bool { return shared.Stats().Problem == nil })
			if s := shared.Stats(); s.BytesDone != s.Bytes {
				t.Errorf("%d of %d bytes are said to be right in the end", s.BytesDone, s.Bytes)
			}
		})
	}
}

// One that is away is said as well, whether it was shared or fetched, and is not open just now.
func TestFileThatIsAway(t *testing.T) {
	for i := range 4 {
		private, came := i&1 != 0, i&2 != 0
		t.Run(fmt.Sprintf("private=%v, fetched=%v", private, came), func(t *testing.T) {
			dir := t.TempDir()
			seeder := start(t)
			data := random(1<<20, 1)
			path := write(t, filepath.Join(dir, "a"), data)
			shared := share(t, seeder, ShareOptions{Paths: []string{path}, Private: private})
			if came {
				first := seeder
				seeder = start(t)
				shared = add(t, seeder, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "first"), Peers: []string{first.Addr().String()}})
				done(t, shared)
				path = shared.Root()
				_ = first.Close()
			}
			seeder.handles.close()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if came { // and is read here first
				if _, err := shared.Files()[0].NewReader(soon(t)).Read(make([]byte, 1)); err == nil || shared.Stats().Problem == nil {
					t.Errorf("read here: %v, and it says %v", err, shared.Stats().Problem)
				}
			}
			fetched := add(t, start(t), shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}})
			testnet.Until(t, "it is said", func() bool { return shared.Stats().Problem != nil })
			if !strings.Contains(shared.Stats().Problem.Error(), path) {
				t.Errorf("it says %q, which does not name the file", shared.Stats().Problem)
			}
			testnet.Until(t, "they have met again", func() bool { return shared.Stats().Peers.TCP > 0 })
			write(t, path, data)
			done(t, fetched) // who is connected is told of what is back
			testnet.Until(t, "nothing is wrong any more", func() bool { return shared.Stats().Problem == nil })
		})
	}
}

// A folder of which one file was away is written anew as a whole, as from a backup: all of it is to be had again.
func TestFolderThatIsRestored(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run(fmt.Sprintf("private=%v", private), func(t *testing.T) {
			dir := t.TempDir()
			seeder := start(t)
			names := []string{"a", "b", "c"} // which share a piece
			restore := func() {
				for i, name := range names {
					write(t, filepath.Join(dir, "box", name), random(100, byte(i)))
				}
			}
			restore()
			shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(dir, "box")}, Private: private})
			if err := os.Remove(filepath.Join(dir, "box/a")); err != nil {
				t.Fatal(err)
			}
			fetched := add(t, start(t), shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}})
			testnet.Until(t, "it is said", func() bool { return shared.Stats().Problem != nil })
			restore()
			done(t, fetched)
			for i, name := range names {
				same(t, filepath.Join(dir, "to/box", name), random(100, byte(i)))
			}
			testnet.Until(t, "nothing is wrong any more", func() bool { return shared.Stats().Problem == nil })
		})
	}
}

// Of a folder in which one file has changed, the others are still to be had, but for what shares a piece with it.
func TestOneFileOfSeveralChanged(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run(fmt.Sprintf("private=%v", private), func(t *testing.T) {
			dir := t.TempDir()
			seeder := start(t)
			data := random(1<<20+1000, 1)
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				write(t, filepath.Join(dir, "box", name), data)
			}
			shared := share(t, seeder, ShareOptions{Paths: []string{filepath.Join(dir, "box")}, Private: private})
			write(t, filepath.Join(dir, "box/c"), []byte("other"))
			fetched := add(t, start(t), shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Lazy: true, Peers: []string{seeder.Addr().String()}})
			if err := fetched.Ready(soon(t)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = fetched.Files()[2].NewReader(soon(t)).Read(make([]byte, 1)) }()
			testnet.Until(t, "the change is said", func() bool { return shared.Stats().Problem != nil })
			for _, at := range []*Torrent{fetched, shared} {
				for _, i := range []int{0, 4} {
					r := at.Files()[i].NewReader(soon(t))
					if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
						t.Errorf("of %s there are %d bytes, %v", at.Files()[i].Path, len(got), err)
					}
					_ = r.Close()
				}
			}
		})
	}
}

// wire speaks the peer wire protocol by hand.
type wire struct {
	t *testing.T
	net.Conn
}

func dial(t *testing.T, to net.Addr, from string, ih [20]byte) wire {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp4", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	w := wire{t, conn}
	w.shake(ih)
	if _, err := io.ReadFull(conn, make([]byte, 68)); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w wire) shake(ih [20]byte) {
	b := append([]byte("\x13BitTorrent protocol\x00\x00\x00\x00\x00\x10\x00\x05"), ih[:]...)
	_, _ = w.Write(append(b, "-XX0000-abcdefghijkl"...))
}

func (w wire) send(kind byte, payload ...byte) {
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)))
	_, _ = w.Write(append(append(b, kind), payload...))
}

// next is the next message, without keep-alives.
func (w wire) next() (kind byte, payload []byte, err error) {
	var length [4]byte
	for {
		if _, err := io.ReadFull(w, length[:]); err != nil {
			return 0, nil, err
		}
		n := binary.BigEndian.Uint32(length[:])
		if n == 0 {
			continue
		}
		b := make([]byte, n)
		_, err := io.ReadFull(w, b)
		return b[0], b[1:], err
	}
}

// A peer that sends wrong data, or wrong metadata, is banned, and all comes from another.
func TestLiar(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	data := random(1<<20, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}})
	info := seeder.state.get(infoBucket, shared.ih[:])

	lied := make(chan bool, 1)
	liar := listen(t, func(w wire) { lie(w, shared.ih, len(info), lied) }).String()
	fetcher := start(t)
	fetched := add(t, fetcher, shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{liar}})
	<-lied // metadata
	testnet.Until(t, "the liar is banned", func() bool { return fetcher.guard.NumRanges() > 0 })
	fetched.found.peers([]string{seeder.Addr().String()})
	done(t, fetched)
	same(t, filepath.Join(dir, "to/a"), data)

	// With the metadata at hand, it lies about data.
	file := write(t, filepath.Join(dir, "a.torrent"), bencode.MustMarshal(map[string]any{"info": bencode.Bytes(info)}))
	fetcher = start(t)
	fetched = add(t, fetcher, file, AddOptions{Dir: filepath.Join(dir, "to2"), Peers: []string{liar}})
	testnet.Until(t, "the liar is banned", func() bool { return len(fetcher.client.BadPeerIPs()) > 0 })
	fetched.found.peers([]string{seeder.Addr().String()})
	done(t, fetched)
	same(t, filepath.Join(dir, "to2/a"), data)
}

func lie(w wire, ih [20]byte, size int, lied chan<- bool) {
	w.shake(ih)
	w.send(20, append([]byte{0}, fmt.Sprintf("d1:md11:ut_metadatai3ee13:metadata_sizei%dee", size)...)...)
	w.send(14) // have all
	w.send(1)  // unchoke
	for {
		kind, payload, err := w.next()
		if err != nil {
			return
		}
		switch {
		case kind == 6: // request
			w.send(7, append(payload[:8:8], make([]byte, binary.BigEndian.Uint32(payload[8:]))...)...)
		case kind == 20 && payload[0] == 3 && bytes.HasPrefix(payload[1:], []byte("d8:msg_typei0e5:piecei0e")):
			w.send(20, append([]byte{2}, fmt.Sprintf("d8:msg_typei1e5:piecei0e10:total_sizei%dee%s", size, bytes.Repeat([]byte("x"), size))...)...)
			select {
			case lied <- true:
			default:
			}
		}
	}
}

// No message of a stranger ends the process, nor keeps others from their data.
func TestHostileMessages(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t, func(o *Options) { o.PEX = true })
	data := random(1<<18, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}})
	var unknown [20]byte
	unknown[0] = 1
	nothing := add(t, seeder, hexOf(unknown), AddOptions{Dir: dir})
	testnet.Until(t, "it is loaded", func() bool { return nothing.engine.Load() != nil })

	ltep := func(id byte, text string) []byte { return append([]byte{id}, text...) }
	hash := make([]byte, 48)
	for name, messages := range map[string][][]byte{
		"metadata, negative piece":   {{20}, ltep(0, "d1:md11:ut_metadatai1eee"), {20}, ltep(3, "d8:msg_typei0e5:piecei-5ee")},
		"metadata, far piece":        {{20}, ltep(0, "d1:md11:ut_metadatai1eee"), {20}, ltep(3, "d8:msg_typei0e5:piecei9223372036854775807ee")},
		"metadata, unasked for":      {{20}, ltep(0, "d1:md11:ut_metadatai1e13:metadata_sizei5eee"), {20}, ltep(3, "d8:msg_typei1e5:piecei7eexxxxx")},
		"metadata, of a huge size":   {{20}, ltep(0, "d1:md11:ut_metadatai1ee13:metadata_sizei4294967301ee")},
		"metadata, of negative size": {{20}, ltep(0, "d1:md11:ut_metadatai1ee13:metadata_sizei-1ee")},
		"handshake, very deep":       {{20}, ltep(0, strings.Repeat("l", 60_000))},
		"handshake, nothing":         {{20}, ltep(0, "")},
		"metadata, very deep":        {{20}, ltep(0, "d1:md11:ut_metadatai1eee"), {20}, ltep(3, strings.Repeat("d1:x", 10_000))},
		"holepunch, unnamed":         {{20}, ltep(1, "\x00\x00\x7f\x00\x00\x01\x00\x50\x00\x00\x00\x00")},
		"hash request":               {{21}, hash},
		"hashes":                     {{22}, hash},
		"hash reject":                {{23}, hash},
		"have, far":                  {{4}, {0xff, 0xff, 0xff, 0xff}},
		"bitfield, long":             {{5}, bytes.Repeat([]byte{0xff}, 60_000)},
		"request, long":              {{2}, nil, {6}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1}},
		"request, huge":              {{2}, nil, {6}, bytes.Repeat([]byte{0xff}, 12)},
		"piece, unasked for":         {{7}, bytes.Repeat([]byte{0xff}, 100)},
		"reject, unasked for":        {{16}, bytes.Repeat([]byte{0xff}, 12)},
		"cancel, unasked for":        {{8}, bytes.Repeat([]byte{0xff}, 12)},
		"allowed fast, far":          {{17}, {0xff, 0xff, 0xff, 0xff}},
		"unheard of":                 {{99}, hash},
		"ports":                      bytesTimes([][]byte{{9}, {0x00, 0x01}}, 100),
	} {
		for _, ih := range [][20]byte{shared.ih, unknown} {
			w := dial(t, seeder.Addr(), "127.0.0.77", ih)
			for i := 0; i < len(messages); i += 2 {
				w.send(messages[i][0], messages[i+1]...)
			}
			// Whatever it makes of them, it has read them when it answers the last of these, or is gone.
			_ = w.SetReadDeadline(time.Now().Add(10 * time.Second))
			w.send(20, ltep(0, "d1:md11:ut_metadatai1eee")...)
			w.send(20, ltep(3, "d8:msg_typei0e5:piecei99ee")...)
			for {
				kind, payload, err := w.next()
				if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
					t.Errorf("%s: no answer, and no end", name)
				}
				if err != nil || kind == 20 && payload[0] == 1 && bytes.Contains(payload, []byte("piecei99e")) {
					break
				}
			}
			_ = w.Close()
		}
	}
	done(t, add(t, start(t), shared.Link("h"), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}}))
}

// listen plays a peer whom others call.
func listen(t *testing.T, play func(wire)) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.66:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := io.ReadFull(conn, make([]byte, 68)); err == nil {
					play(wire{t, conn})
				}
			}()
		}
	}()
	return l.Addr()
}

func bytesTimes(b [][]byte, n int) (all [][]byte) {
	for range n {
		all = append(all, b...)
	}
	return all
}

// Metadata that would do harm is refused with an error, or made harmless.
func TestMetadataBombs(t *testing.T) {
	file := func(size int64, path ...string) any { return map[string]any{"length": size, "path": path} }
	folder := func(files ...any) map[string]any {
		return map[string]any{"name": "n", "piece length": 1 << 16, "pieces": make([]byte, 20), "files": files}
	}
	with := func(d map[string]any, key string, value any) map[string]any { d[key] = value; return d }
	for _, c := range []struct {
		name string
		info any
		want string // the paths, "" where it is refused
	}{
		{"parents", folder(file(1, "..", "..", "etc", "passwd")), "_/_/etc/passwd"},
		{"absolute", folder(file(1, "/etc/passwd")), "_etc_passwd"},
		{"devices", folder(file(1, "CON"), file(1, "aux.txt")), "_CON _aux.txt"},
		{"collision", folder(file(1, "a"), file(1, "A"), file(1, "a", "b")), "a (2) A (3) a/b"},
		{"controls", folder(file(1, "a\x00b\x1b[2J\u202egpj.exe")), "ab[2Jgpj.exe"},
		{"empty", folder(file(1, "")), "_"},
		{"no path", folder(file(1)), ""},
		{"long", folder(file(1, strings.Repeat("x", 5000)+".mp4")), strings.Repeat("x", 200)},
		{"negative", folder(file(-1, "a")), ""},
		{"overflow", folder(file(1<<62, "a"), file(1<<62, "b")), ""},
		{"sizes that add up to one", folder(file(1<<62, "a"), file(1<<62, "b"), file(1<<62, "c"), file(1<<62, "d"), file(1, "e")), ""},
		{"nothing but padding", folder(with(file(1, "a").(map[string]any), "attr", "p"), with(file(1, "b").(map[string]any), "attr", "p")), ""},
		{"links", folder(file(1, "a"), with(file(0, "b").(map[string]any), "attr", "l")), "a "},
		{"very many files", folder(append(slices.Repeat([]any{file(0, "a")}, maxFiles), file(1, "b"))...), ""},
		{"very long", with(folder(file(1, "a")), "more", make([]byte, maxInfo)), ""},
		{"too few hashes", folder(file(1<<20, "a")), ""},
		{"no pieces", with(folder(file(1, "a")), "piece length", 0), ""},
		{"negative pieces", with(folder(file(1, "a")), "piece length", -65536), ""},
		{"odd pieces", with(folder(file(1, "a")), "piece length", 1000), ""},
		{"huge pieces", with(folder(file(1, "a")), "piece length", 1<<40), ""},
		{"both kinds", with(folder(file(1, "a")), "length", 1), ""},
		{"hybrid", with(folder(file(1, "a")), "meta version", 2), "a"},
		{"version 2", with(map[string]any{"name": "n", "piece length": 1 << 16}, "meta version", 2), ""},
		{"no files, no length", with(folder(), "pieces", []byte{}), "n"},
		{"hidden name", with(folder(file(1, "a")), "name", ".."), "a"},
	} {
		m, err := parseInfo(bencode.MustMarshal(c.info))
		var paths []string
		if err == nil {
			for _, f := range m.files {
				paths = append(paths, f.path)
			}
		}
		if got := strings.Join(paths, " "); got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	for name, b := range map[string]string{
		"depth":  "d6:lengthi1e4:name1:n12:piece lengthi65536e6:pieces20:aaaaaaaaaaaaaaaaaaaa1:x" + strings.Repeat("l", maxDepth) + strings.Repeat("e", maxDepth) + "e",
		"ending": strings.Repeat("l", 1<<20), "size": string(make([]byte, maxInfo+1)), "nothing": "", "number": "i99999999999999999999e",
		"length": "9223372036854775807:x", "half": "d4:name",
	} {
		if _, err := parseInfo([]byte(b)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, want := range map[string]string{
		".bashrc": "_bashrc", ".starling": "_starling", "a/b": "a_b", "": "_", strings.Repeat("ü", 199) + ".mp4": "", "x" + strings.Repeat("ü", 199): "",
	} {
		got := topName(name, 240)
		if len(got) > 255 || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\") || got[0] == '.' || want != "" && got != want {
			t.Errorf("%q becomes %q", name, got)
		}
	}
}

// A .torrent file ends where it ends, but for the line break of an editor.
func TestTorrentFileEnds(t *testing.T) {
	good := bencode.MustMarshal(map[string]any{"info": map[string]any{"name": "n", "piece length": 1 << 16, "pieces": make([]byte, 20), "length": 1}})
	for end, want := range map[string]bool{"": true, "\n": true, "\r\n": true, "xyz": false, "d3:abce": false} {
		if _, _, err := parseTorrentFile(append(bytes.Clone(good), end...)); (err == nil) != want {
			t.Errorf("with %q behind it: %v", end, err)
		}
	}
}

// What trackers' sites write where clients do not look keeps nobody from a torrent.
func TestTorrentFileOddities(t *testing.T) {
	info := map[string]any{"name": "n", "piece length": 1 << 16, "pieces": make([]byte, 20), "length": 1}
	const one = "udp://t:1"
	for name, odd := range map[string]map[string]any{
		"trackers in a row":       {"announce": one, "announce-list": one + ",udp://t:2"},
		"trackers, not in tiers":  {"announce": one, "announce-list": []string{"udp://t:2"}},
		"trackers by name":        {"announce": one, "announce-list": map[string]any{"a": 1}},
		"trackers that are none":  {"announce": one, "announce-list": [][]string{{""}}},
		"a number for a comment":  {"announce": one, "comment": 1, "created by": 2, "encoding": 3},
		"a number for a web seed": {"announce": one, "url-list": 1},
		"keys without order":      {"announce": one, "azureus_properties": bencode.Bytes("d1:bi1e1:ai1ee")},
	} {
		odd["info"] = info
		if _, r, err := parseTorrentFile(bencode.MustMarshal(odd)); err != nil || !slices.Equal(r.Trackers, []string{one}) {
			t.Errorf("%s: %v, %v", name, r.Trackers, err)
		}
	}
}

// What is skimmed first no decoder can overflow the stack with, which would end the program.
func TestSkim(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("l", n) + strings.Repeat("e", n) }
	for text, want := range map[string]int{
		"le": 2, "de": 2, "0:": 2, "3:abcd": 5, "i-5ei6e": 4, "d1:ai1ee": 8, nested(maxDepth): 2 * maxDepth, nested(maxDepth) + "more": 2 * maxDepth,
		nested(maxDepth + 1): 0, "": 0, "e": 0, "el": 0, "l": 0, "x": 0, "-1:": 0, "3:ab": 0, "3": 0, "3x:abc": 0, "ie": 0, "i1": 0, "i1.5e": 0, "4294967296:": 0,
	} {
		if n, err := skim([]byte(text)); n != want || (err == nil) != (want > 0) {
			t.Errorf("%.40q: %d, %v, want %d", text, n, err, want)
		}
	}
}

// A bomb that comes from a peer, rather than from a file, ends in an error for who waits.
func TestMetadataBombFromPeer(t *testing.T) {
	dir := t.TempDir()
	bomb := []byte("d4:name" + strings.Repeat("l", 1<<19) + strings.Repeat("e", 1<<19) + "e")
	ih := sha1.Sum(bomb)
	liar := listen(t, func(w wire) { serveMetadata(w, ih, bomb) }).String()
	fetched := add(t, start(t), hexOf(ih), AddOptions{Dir: dir, Peers: []string{liar}})
	if err := fetched.Ready(soon(t)); !errors.Is(err, errDamaged) {
		t.Errorf("%v, want %v", err, errDamaged)
	}
}

func serveMetadata(w wire, ih [20]byte, info []byte) {
	w.shake(ih)
	w.send(20, append([]byte{0}, fmt.Sprintf("d1:md11:ut_metadatai3ee13:metadata_sizei%dee", len(info))...)...)
	for {
		kind, payload, err := w.next()
		if err != nil {
			return
		}
		var m metadataMessage
		if kind == 20 && payload[0] == 3 && bencode.Unmarshal(payload[1:], &m) == nil {
			part := info[m.Piece*metadataPiece : min((m.Piece+1)*metadataPiece, len(info))]
			answer := fmt.Sprintf("d8:msg_typei1e5:piecei%de10:total_sizei%dee", m.Piece, len(info))
			w.send(20, append(append([]byte{2}, answer...), part...)...)
		}
	}
}
