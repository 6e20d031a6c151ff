package edge

import (
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

const (
	// smallPiece is the piece length of torrents of many assets: one block (BEP 3), so that a piece comes from one peer.
	smallPiece = 16 << 10
	// ownTorrent is the size from which on an asset has a torrent of its own; audio and video always have.
	ownTorrent = 16 << 20
	// largest is more than any asset may have: pieces of 4 MiB, and so many that their hashes are 640 kB.
	largest = 128 << 30
	sumSize = 20
)

// asset is one path's bytes, as everybody gets them. It is never changed.
type asset struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	Type string `json:"type"`
	// ETag and Modified are the validators that come with the bytes.
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	// Stamp is that of the file, where it lies in a folder.
	Stamp  string `json:"stamp,omitempty"`
	SHA256 []byte `json:"sha256"`
	// PieceLength cuts the bytes. Sums are the first 20 bytes of each piece's SHA-256: visitors go by these. Hashes are
	// the SHA-1 of each piece, which the torrent needs (BEP 3); a short last piece of a small asset counts as filled up
	// with zeros, for so it lies in its torrent.
	PieceLength int64  `json:"pieceLength"`
	Sums        []byte `json:"sums"`
	Hashes      []byte `json:"hashes"`
	// Seconds is how long it plays; 0: that is not known.
	Seconds float64 `json:"seconds,omitempty"`
}

func (a *asset) validators() validators { return validators{a.Size, a.ETag, a.Modified} }

func (a *asset) pieces() int { return len(a.Sums) / sumSize }

// own says whether it has a torrent of its own.
func (a *asset) own() bool { return ownsTorrent(kindOf(a.Type), a.Size) }

func ownsTorrent(k kind, size int64) bool { return k == audio || k == video || size >= ownTorrent }

// sound says whether what was read from the cache can be an asset.
func (a *asset) sound() bool {
	want := pieceLengthFor(kindOf(a.Type), a.Size)
	n := pieceCount(a.Size, want)
	return a.Size > 0 && a.Size <= largest && len(a.SHA256) == sha256.Size && a.PieceLength == want &&
		int64(len(a.Sums)) == n*sumSize && int64(len(a.Hashes)) == n*sha1.Size
}

// pieceLengthFor depends on kind and size alone, and so does a film's infohash on its bytes alone.
func pieceLengthFor(k kind, size int64) int64 {
	if !ownsTorrent(k, size) {
		return smallPiece
	}
	length := int64(64 << 10)
	for length < 4<<20 && size/length > 1400 {
		length *= 2
	}
	return length
}

func pieceCount(size, length int64) int64 { return (size + length - 1) / length }

var errChanged = errors.New("it changed while it was read")

// hasher makes an asset of bytes that are written to it, in constant memory.
type hasher struct {
	asset    asset
	fill     bool // zeros after the last piece
	reel     *reel
	all      hash.Hash
	sum, sha hash.Hash
	at       int64 // bytes of the piece
	size     int64
}

func newHasher(a asset) (*hasher, error) {
	if a.Size <= 0 || a.Size > largest {
		return nil, fmt.Errorf("%d bytes are too few or too many", a.Size)
	}
	k := kindOf(a.Type)
	a.PieceLength = pieceLengthFor(k, a.Size)
	return &hasher{asset: a, fill: !ownsTorrent(k, a.Size), reel: newReel(a.Type), all: sha256.New(), sum: sha256.New(), sha: sha1.New()}, nil
}

func (h *hasher) Write(p []byte) (n int, err error) {
	if h.size += int64(len(p)); h.size > h.asset.Size {
		return 0, errChanged
	}
	h.all.Write(p)
	h.reel.Write(p)
	for n < len(p) {
		part := p[n:min(len(p), n+int(h.asset.PieceLength-h.at))]
		h.sum.Write(part)
		h.sha.Write(part)
		n += len(part)
		if h.at += int64(len(part)); h.at == h.asset.PieceLength {
			h.cut()
		}
	}
	return n, nil
}

func (h *hasher) cut() {
	var sum [sha256.Size]byte
	h.asset.Sums = append(h.asset.Sums, h.sum.Sum(sum[:0])[:sumSize]...)
	h.asset.Hashes = h.sha.Sum(h.asset.Hashes)
	h.sum.Reset()
	h.sha.Reset()
	h.at = 0
}

// finish returns the asset, when all bytes came.
func (h *hasher) finish() (*asset, error) {
	if h.size != h.asset.Size {
		return nil, errChanged
	}
	if h.at > 0 {
		if h.fill {
			h.sha.Write(make([]byte, h.asset.PieceLength-h.at))
		}
		h.cut()
	}
	h.asset.SHA256, h.asset.Seconds = h.all.Sum(nil), h.reel.seconds
	a := h.asset
	return &a, nil
}

// hashAll reads an asset to its end.
func hashAll(a asset, r io.Reader) (*asset, error) {
	h, err := newHasher(a)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(h, r); err != nil {
		return nil, err
	}
	return h.finish()
}
