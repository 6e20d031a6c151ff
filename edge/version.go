package edge

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
)

// version is the site's assets at one time, and the torrents that they lie in. It is never changed.
type version struct {
	id       string
	made     time.Time
	torrents []*torrent
	places   map[string]place  // by path
	bySum    map[[8]byte]place // by how the SHA-256 begins
	manifest func() []byte     // made when first asked for
}

// place says where an asset lies: from that piece on.
type place struct {
	asset   *asset
	torrent int
	first   int
}

// newVersion puts small assets together, sorted by their bytes, and gives each other one a torrent.
func newVersion(assets map[string]*asset) *version {
	v := &version{made: time.Now(), places: make(map[string]place, len(assets)), bySum: make(map[[8]byte]place, len(assets))}
	unique := map[string]*asset{}
	for _, path := range slices.Sorted(maps.Keys(assets)) {
		a := assets[path]
		if unique[key(a)] == nil {
			unique[key(a)] = a
		}
	}
	lies := make(map[string]place, len(unique))
	var bundle []*asset
	pieces := 0
	flush := func() {
		if len(bundle) == 0 {
			return
		}
		first := 0
		for _, a := range bundle {
			lies[key(a)] = place{torrent: len(v.torrents), first: first}
			first += a.pieces()
		}
		v.torrents = append(v.torrents, newBundle(bundle))
		bundle, pieces = nil, 0
	}
	sorted := slices.SortedFunc(maps.Values(unique), func(a, b *asset) int { return bytes.Compare(a.SHA256, b.SHA256) })
	for _, a := range sorted {
		if a.own() {
			continue
		}
		if pieces+a.pieces() > maxPieces {
			flush()
		}
		bundle = append(bundle, a)
		pieces += a.pieces()
	}
	flush()
	for _, a := range sorted {
		if a.own() {
			lies[key(a)] = place{torrent: len(v.torrents)}
			v.torrents = append(v.torrents, newOwn(a))
		}
	}
	for path, a := range assets {
		p := lies[key(a)]
		p.asset = a
		v.places[path] = p
		v.bySum[[8]byte(a.SHA256)] = p
	}
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(v.places)) {
		h.Write([]byte(path))
		h.Write([]byte{0})
		h.Write(v.places[path].asset.SHA256)
	}
	v.id = hex.EncodeToString(h.Sum(nil)[:8])
	v.manifest = sync.OnceValue(v.makeManifest)
	return v
}

// key tells assets apart that cannot lie in the same place: by their bytes, and whether they have a torrent of their own.
func key(a *asset) string {
	if a.own() {
		return "own" + string(a.SHA256)
	}
	return string(a.SHA256)
}

type manifest struct {
	Version  string                   `json:"version"`
	Torrents []manifestTorrent        `json:"torrents"`
	Assets   map[string]manifestAsset `json:"assets"`
}

type manifestTorrent struct {
	InfoHash    string `json:"infoHash"`
	PieceLength int64  `json:"pieceLength"`
	Pieces      int    `json:"pieces"`
}

type manifestAsset struct {
	Size   int64  `json:"size"`
	Type   string `json:"type"`
	ETag   string `json:"etag,omitempty"`
	SHA256 string `json:"sha256"`
	// Torrent is an index; First is the piece that the asset begins with.
	Torrent int `json:"torrent"`
	First   int `json:"first"`
}

func (v *version) describe(i int) manifestTorrent {
	t := v.torrents[i]
	return manifestTorrent{t.infoHash.String(), t.pieceLength, t.pieces}
}

func (v *version) makeManifest() []byte {
	m := manifest{Version: v.id, Torrents: []manifestTorrent{}, Assets: make(map[string]manifestAsset, len(v.places))}
	for i := range v.torrents {
		m.Torrents = append(m.Torrents, v.describe(i))
	}
	for path, p := range v.places {
		m.Assets[path] = manifestAsset{p.asset.Size, p.asset.Type, p.asset.ETag, base64.StdEncoding.EncodeToString(p.asset.SHA256), p.torrent, p.first}
	}
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return data
}
