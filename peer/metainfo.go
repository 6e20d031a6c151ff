package peer

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"

	"github.com/starling-p2p/starling/internal/mimetypes"
	"github.com/starling-p2p/starling/internal/names"
)

const (
	maxInfo        = 8 << 20 // BEP 9 metadata
	maxTorrentFile = maxInfo + 1<<20
	blockSize      = 16 << 10
	maxPieceLength = 64 << 20
	maxFiles       = 1 << 16
	maxSize        = 1<<53 - 1 // what browsers count to
)

var (
	errDamaged  = errors.New("this torrent is damaged: ask for another one")
	errUnusable = errors.New("this torrent is of a kind that Starling cannot fetch: ask for another one")
)

// meta is an info dictionary that can be relied upon, without its hashes.
type meta struct {
	name        string
	pieceLength int64
	length      int64 // of all pieces, padding included
	pieces      int
	files       []metaFile
	folder      bool // several files, or one in folders, below a folder that is named by name
	private     bool // BEP 27: found through its trackers only
}

type metaFile struct {
	path         string // clean, "/" between its parts, without the torrent's name
	offset, size int64
	padding      bool // BEP 47: zeros that are no file; so are symbolic links
}

// parseInfo checks what a stranger sent. Errors: errDamaged, errUnusable, errV2.
func parseInfo(b []byte) (*meta, error) {
	if len(b) > maxInfo {
		return nil, errUnusable
	}
	if n, err := skim(b); err != nil || n != len(b) {
		return nil, errDamaged
	}
	var info metainfo.Info
	if err := bencode.Unmarshal(v1Of(b), &info); err != nil {
		return nil, errDamaged
	}
	if info.MetaVersion > 1 {
		return nil, errV2
	}
	if info.PieceLength <= 0 || info.PieceLength > maxPieceLength || info.PieceLength%blockSize != 0 || len(info.Files) > maxFiles {
		return nil, errUnusable
	}
	m := &meta{
		name: names.Name(info.BestName()), pieceLength: info.PieceLength, folder: len(info.Files) > 0,
		private: info.Private != nil && *info.Private,
	}
	if m.folder && (info.Length != 0 || info.Attr != "") {
		return nil, errDamaged
	}
	var paths [][]string
	real := 0
	for _, f := range info.UpvertedFiles() {
		parts := f.BestPath()
		if !m.folder {
			parts = []string{info.BestName()}
		}
		if f.Length < 0 || f.Length > maxSize-m.length || len(parts) == 0 {
			return nil, errDamaged
		}
		padding := strings.ContainsAny(f.Attr, "pl")
		if !padding {
			real++
			paths = append(paths, parts)
		}
		m.files = append(m.files, metaFile{offset: m.length, size: f.Length, padding: padding})
		m.length += f.Length
	}
	m.pieces = int((m.length + m.pieceLength - 1) / m.pieceLength)
	if real == 0 || len(info.Pieces) != sha1.Size*m.pieces {
		return nil, errDamaged
	}
	clean := names.Paths(paths)
	for i, next := 0, 0; i < len(m.files); i++ {
		if !m.files[i].padding {
			m.files[i].path = clean[next]
			next++
		}
	}
	return m, nil
}

// hashesOf takes the hashes out of an info dictionary that parseInfo has accepted.
func hashesOf(b []byte) ([]byte, error) {
	var info struct {
		Pieces []byte `bencode:"pieces"`
	}
	if err := bencode.Unmarshal(b, &info); err != nil {
		return nil, errDamaged
	}
	return info.Pieces, nil
}

// size of piece i, bytes.
func (m *meta) size(i int) int64 { return min(m.pieceLength, m.length-int64(i)*m.pieceLength) }

// covering are the pieces [first, end) in which bytes [from, to) lie.
func (m *meta) covering(from, to int64) (first, end int) {
	if from >= to || m.pieces == 0 {
		return 0, 0
	}
	return int(from / m.pieceLength), int((to + m.pieceLength - 1) / m.pieceLength)
}

// makeInfo is what web/engine/torrent/metainfo.ts makes: a single file without folders becomes a single-file torrent.
func makeInfo(name string, files []metaFile, pieceLength int64, hashes []byte) []byte {
	info := map[string]any{"name": name, "piece length": pieceLength, "pieces": hashes}
	if len(files) == 1 && !strings.Contains(files[0].path, "/") {
		info["length"] = files[0].size
	} else {
		list := make([]any, len(files))
		for i, f := range files {
			list[i] = map[string]any{"length": f.size, "path": strings.Split(f.path, "/")}
		}
		info["files"] = list
	}
	return bencode.MustMarshal(info)
}

// pieceLengthFor is a power of two from 64 KiB to 4 MiB, such that there are about 1,000 pieces; more for what would
// have more pieces than its info dictionary has room for.
func pieceLengthFor(length int64) int64 {
	size := int64(64 << 10)
	for size < 4<<20 && length > 1400*size || size < maxPieceLength && length/size > maxInfo/40 {
		size *= 2
	}
	return size
}

// parseTorrentFile reads a .torrent file (BEP 3, 12, 19).
func parseTorrentFile(b []byte) (info []byte, r Ref, err error) {
	n, err := skim(b)
	if err != nil || len(b)-n > 2 || len(b) > maxTorrentFile { // some end with a line break
		return nil, r, errDamaged
	}
	// One that is none of these is left out: programs write what they like there, and few read it.
	var d map[string]bencode.Bytes
	if bencode.Unmarshal(b[:n], &d) != nil || len(d["info"]) == 0 {
		return nil, r, errDamaged
	}
	var tiers [][]string
	_ = bencode.Unmarshal(d["announce-list"], &tiers)
	r.Trackers = trackerURLs(slices.Concat(tiers...))
	if len(r.Trackers) == 0 {
		var one string
		_ = bencode.Unmarshal(d["announce"], &one)
		r.Trackers = trackerURLs([]string{one})
	}
	var seeds metainfo.UrlList
	_ = bencode.Unmarshal(d["url-list"], &seeds)
	r.WebSeeds = seedURLs(seeds)
	r.InfoHash = sha1.Sum(d["info"])
	return d["info"], r, nil
}

// typeOf guesses a MIME type from a file's name.
func typeOf(name string) string {
	kind, _, _ := strings.Cut(mimetypes.Of(name), ";")
	return kind
}

func hexOf(ih [20]byte) string { return fmt.Sprintf("%x", ih) }
