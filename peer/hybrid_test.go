package peer

import (
	"crypto/sha1"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anacrolix/torrent/bencode"

	"github.com/starling-p2p/starling/internal/testnet"
)

// hybrid is an info dictionary of two files for v1 and v2; pieces makes it one, nil: it is v2 alone.
func hybrid(pieces []byte) []byte {
	root := strings.Repeat("r", 32)
	file := func(length int) any { return map[string]any{"": map[string]any{"length": length, "pieces root": root}} }
	d := map[string]any{
		"meta version": 2, "name": "both", "piece length": 64 << 10,
		"file tree": map[string]any{"a.bin": file(100_000), "b.bin": file(50_000)},
	}
	if pieces != nil {
		d["pieces"] = pieces
		d["files"] = []any{
			map[string]any{"length": 100_000, "path": []string{"a.bin"}},
			map[string]any{"attr": "p", "length": 31_072, "path": []string{".pad", "31072"}},
			map[string]any{"length": 50_000, "path": []string{"b.bin"}},
		}
	}
	return bencode.MustMarshal(d)
}

func TestHybrid(t *testing.T) {
	a, b := random(100_000, 1), random(50_000, 2)
	all := append(append(append([]byte{}, a...), make([]byte, 31_072)...), b...)
	var pieces []byte
	for piece := range slices.Chunk(all, 64<<10) {
		sum := sha1.Sum(piece)
		pieces = append(pieces, sum[:]...)
	}
	info := hybrid(pieces)
	torrent := bencode.MustMarshal(map[string]any{"info": bencode.Bytes(info)})
	file := write(t, filepath.Join(t.TempDir(), "both.torrent"), torrent)

	// Its files are in their place, so that there is a first one who has it.
	have := t.TempDir()
	write(t, filepath.Join(have, "both", "a.bin"), a)
	write(t, filepath.Join(have, "both", "b.bin"), b)
	seeder := start(t)
	seeds := add(t, seeder, file, AddOptions{Dir: have})
	done(t, seeds)

	// From the infohash alone, so that the metadata comes from the other, as it was.
	leecher := start(t)
	into := t.TempDir()
	fetched := add(t, leecher, hexOf(sha1.Sum(info)), AddOptions{Dir: into, Peers: []string{seeder.Addr().String()}})
	done(t, fetched)
	same(t, filepath.Join(into, "both", "a.bin"), a)
	same(t, filepath.Join(into, "both", "b.bin"), b)
	if string(fetched.infoBytes()) != string(info) {
		t.Error("its metadata has changed on the way")
	}

	// From a web server, which has no padding: at once, or by the engine, where the first request fails.
	for _, fails := range []bool{false, true} {
		var asked atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == 1 && fails {
				http.Error(w, "later", http.StatusInternalServerError)
				return
			}
			http.FileServer(http.Dir(have)).ServeHTTP(w, r)
		}))
		defer server.Close()
		into := t.TempDir()
		done(t, add(t, start(t), file, AddOptions{Dir: into, WebSeeds: []string{server.URL + "/"}}))
		same(t, filepath.Join(into, "both", "a.bin"), a)
		same(t, filepath.Join(into, "both", "b.bin"), b)
	}

	// What has come is written down while more is awaited, padding or not.
	half := listen(t, func(w wire) {
		w.shake(sha1.Sum(info))
		w.send(5, 0b1100_0000) // bitfield: the first two pieces
		w.send(1)
		for {
			kind, payload, err := w.next()
			if err != nil {
				return
			}
			if kind == 6 {
				at := binary.BigEndian.Uint32(payload)<<16 + binary.BigEndian.Uint32(payload[4:])
				w.send(7, append(payload[:8:8], all[at:at+binary.BigEndian.Uint32(payload[8:])]...)...)
			}
		}
	})
	into = t.TempDir()
	fetched = add(t, start(t), file, AddOptions{Dir: into, Peers: []string{half.String()}})
	testnet.Until(t, "two pieces have come", func() bool { return fetched.Stats().BytesDone >= 100_000 })
	fetched.flush(false)
	if problem := fetched.Stats().Problem; problem != nil {
		t.Error(problem)
	}
	fetched.found.peers([]string{seeder.Addr().String()})
	done(t, fetched)
	same(t, filepath.Join(into, "both", "b.bin"), b)
}

// Whatever is left out, the length is the same.
func TestV1Of(t *testing.T) {
	for n := range 1200 {
		d := map[string]any{"pieces": "", metaVersion: 2, "file tree": strings.Repeat("x", n)}
		info := bencode.MustMarshal(d)
		v1 := v1Of(info)
		var back map[string]bencode.Bytes
		if err := bencode.Unmarshal(v1, &back); err != nil || len(v1) != len(info) || back[metaVersion] != nil || back["file tree"] != nil {
			t.Fatalf("%d bytes of %d, %v: %.60q", len(v1), len(info), err, v1)
		}
	}
}

func TestV2Alone(t *testing.T) {
	info := hybrid(nil)
	file := write(t, filepath.Join(t.TempDir(), "v2.torrent"), bencode.MustMarshal(map[string]any{"info": bencode.Bytes(info)}))
	for _, ref := range []string{file, "magnet:?xt=urn:btmh:1220" + strings.Repeat("ab", 32)} {
		if _, err := start(t).Add(soon(t), ref, AddOptions{}); err == nil || !strings.Contains(err.Error(), "v2 alone") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
