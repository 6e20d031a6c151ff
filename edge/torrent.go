package edge

import (
	"crypto/sha1"
	"encoding/hex"
	"net/url"
	"strconv"

	"github.com/starling-p2p/starling/tracker"
)

// maxPieces of one torrent of small assets: 1 GiB, a bitfield of 8 kB.
const maxPieces = 1 << 16

const (
	// Names are part of the info dictionary, and so of the infohash: they are the same on every site.
	bundleName = "starling"
	ownName    = "asset"
	padding    = ".pad"
)

// torrent is what assets lie in. It is never changed.
type torrent struct {
	infoHash    tracker.InfoHash
	info        []byte
	pieceLength int64
	pieces      int
	assets      []*asset // in order; no two with the same bytes
}

// newBundle makes the torrent of small assets, which are sorted by their bytes. Each begins with a piece: padding files
// (BEP 47) fill the last one of each. So the infohash depends on the bytes alone, and where an asset lies changes nothing
// about its pieces.
//
//	pieces  | a a a│a 0 | b b 0 | c c c│c c c│c 0 |       0: padding
func newBundle(assets []*asset) *torrent {
	t := &torrent{pieceLength: smallPiece, assets: assets}
	var hashes []byte
	b := bencoder("d5:filesl")
	for _, a := range assets {
		b.text("d").bytes("length").number(a.Size).bytes("path").text("l").bytes(bundlePath(a)).text("ee")
		if fill := int64(a.pieces())*smallPiece - a.Size; fill > 0 {
			b.text("d").bytes("attr").bytes("p").bytes("length").number(fill)
			b.bytes("path").text("l").bytes(padding).bytes(strconv.FormatInt(fill, 10)).text("ee")
		}
		t.pieces += a.pieces()
		hashes = append(hashes, a.Hashes...)
	}
	b.text("e").bytes("name").bytes(bundleName)
	return t.end(b, hashes)
}

// newOwn makes the torrent of one asset.
func newOwn(a *asset) *torrent {
	t := &torrent{pieceLength: a.PieceLength, pieces: a.pieces(), assets: []*asset{a}}
	b := bencoder("d")
	b.bytes("length").number(a.Size).bytes("name").bytes(ownName)
	return t.end(b, a.Hashes)
}

func (t *torrent) end(b bencoder, hashes []byte) *torrent {
	b.bytes("piece length").number(t.pieceLength).bytes("pieces").bytes(string(hashes)).text("e")
	t.info, t.infoHash = b, sha1.Sum(b)
	return t
}

// bundlePath names an asset in its torrent by its bytes.
func bundlePath(a *asset) string { return hex.EncodeToString(a.SHA256[:16]) }

// file is the .torrent file (BEP 3, 19). site is the site's URL without a slash at its end.
func (t *torrent) file(site string, trackers []string) []byte {
	b := bencoder("d")
	if len(trackers) > 0 {
		b.bytes("announce").bytes(trackers[0])
	}
	b.bytes("info").text(string(t.info))
	b.bytes("url-list").text("l").bytes(t.webSeed(site)).text("ee")
	return b
}

// webSeed is the URL under which clients find the torrent's files: a single file at the URL itself, others below it.
func (t *torrent) webSeed(site string) string {
	if len(t.assets) == 1 && t.assets[0].own() {
		return site + (&url.URL{Path: t.assets[0].Path}).EscapedPath()
	}
	return site + Prefix + "w/"
}

// bencoder writes bencoding (BEP 3); keys are written in order by whoever calls it.
type bencoder []byte

func (b *bencoder) text(s string) *bencoder {
	*b = append(*b, s...)
	return b
}

func (b *bencoder) number(n int64) *bencoder {
	*b = append(strconv.AppendInt(append(*b, 'i'), n, 10), 'e')
	return b
}

func (b *bencoder) bytes(s string) *bencoder {
	*b = append(append(strconv.AppendInt(*b, int64(len(s)), 10), ':'), s...)
	return b
}
