package peer

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	g "github.com/anacrolix/generics"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
)

// The engine ends the program when it is told that a read has failed for a torrent that it has let go of. It must not be
// told: neither of a file that is gone, for which the torrent is taken from it, nor of anything after that.
func TestFailedReadsAreNotSaidToAnEngineThatHasLetGo(t *testing.T) {
	p := start(t)
	path := write(t, filepath.Join(t.TempDir(), "a"), random(100_000, 1))
	shared := share(t, p, ShareOptions{Paths: []string{path}})
	e := shared.load()
	l := &late{t: shared}
	l.engine.Store(e)
	opened, err := l.OpenTorrent(t.Context(), nil, metainfo.Hash{})
	if err != nil {
		t.Fatal(err)
	}
	var pieces []storage.PieceImpl
	for i := range e.NumPieces() {
		pieces = append(pieces, opened.PieceWithHash(e.Info().Piece(i), g.None[[]byte]()))
	}
	b := make([]byte, 1000)
	if n, err := pieces[0].ReadAt(b, 0); n != len(b) || err != nil || bytes.Equal(b, make([]byte, len(b))) {
		t.Fatalf("before: %d bytes, %v", n, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		n, err := piece.ReadAt(b, 0)
		select {
		case <-e.Closed():
		default:
			t.Error("the engine has it still")
		}
		if n != len(b) || err != nil || !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if shared.engine.Load() == e {
		t.Error("it is loaded still")
	}
}
