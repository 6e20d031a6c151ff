package peer

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/segments"
	"github.com/anacrolix/torrent/webseed"
)

const (
	// engineLooks is how often the engine looks whether there is something to ask of web seeds. Nobody may hurry it.
	engineLooks = 5 * time.Second
	// wanting is how often it is looked here whether somebody wants something of a lazy torrent.
	wanting = 50 * time.Millisecond
)

// early fetches from web seeds for as long as the engine may take to begin with them, unless data comes from elsewhere:
// one piece after another, those that readers wait for first. A web seed that fails is left to the engine.
func (t *Torrent) early(e *torrent.Torrent, s *store, info []byte, urls []string, fill padding) {
	ctx, stop := context.WithTimeout(t.ctx, engineLooks)
	defer stop()
	hashes, err := hashesOf(info)
	if err != nil {
		return // the engine has no use for it either
	}
	index := e.Info().FileSegmentsIndex()
	for _, at := range urls {
		seed := &webseed.Client{Logger: slog.New(slog.DiscardHandler), HttpClient: t.p.ways.WebSeeds(), Url: at}
		if seed.SetInfo(e.Info(), &index); seed.Pieces.IsEmpty() {
			continue // its URL is not for a folder
		}
		fill.from(seed)
		for ctx.Err() == nil && t.engine.Load() == e && !begun(e) && t.lacking() {
			i, wanted := t.wants.next(s)
			if !wanted {
				select {
				case <-time.After(wanting):
				case <-ctx.Done():
				}
				continue
			}
			b, err := t.p.pieceFrom(ctx, seed, s.meta, i)
			if err == nil && sha1.Sum(b) != [sha1.Size]byte(hashes[i*sha1.Size:]) {
				err = errors.New("its data is not that of the torrent")
			}
			if err != nil {
				t.p.log.Debug("a web seed is left to the engine", "url", at, "error", err)
				break
			}
			if !t.came(e, s, i, b) {
				return
			}
		}
	}
}

// begun says whether data has come to the engine.
func begun(e *torrent.Torrent) bool {
	s := e.Stats()
	return s.BytesReadData.Int64() > 0
}

// pieceFrom asks a web seed for a piece.
func (p *Peer) pieceFrom(ctx context.Context, seed *webseed.Client, m *meta, i int) ([]byte, error) {
	b := make([]byte, m.size(i))
	if p.down != nil {
		for left := len(b); left > 0; left -= burst {
			if err := p.down.WaitN(ctx, min(left, burst)); err != nil {
				return nil, err
			}
		}
	}
	r := seed.StartNewRequest(ctx, segments.Extent{Start: int64(i) * m.pieceLength, Length: int64(len(b))}, seed.Logger)
	defer r.Close()
	defer r.Cancel(errLeft)
	if _, err := io.ReadFull(r.Body, b); err != nil {
		return nil, fmt.Errorf("piece %d: %w", i, err)
	}
	return b, nil
}

var errLeft = errors.New("nobody waits for it any more")

// came writes a verified piece down and tells the engine. It says whether there is room for more.
func (t *Torrent) came(e *torrent.Torrent, s *store, i int, b []byte) bool {
	if _, err := s.write(b, int64(i)*s.meta.pieceLength); err != nil {
		t.pause(err)
		return false
	}
	s.touch(i)
	s.mark(i, true)
	t.meter.add(int64(len(b)))
	t.loading.Lock()
	defer t.loading.Unlock()
	if t.engine.Load() == e {
		e.Piece(i).UpdateCompletion()
	}
	return true
}
