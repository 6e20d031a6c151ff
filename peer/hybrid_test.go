package peer

import (
	"crypto/sha1"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anacrolix/torrent/bencode"
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
	for len(all) > 0 {
		n := min(64<<10, len(all))
		sum := sha1.Sum(all[:n])
		pieces, all = append(pieces, sum[:]...), all[n:]
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
