package peer

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	g "github.com/anacrolix/generics"
	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
)

// nextTick stands for the time of the next tick.
const nextTick = -1

// late is the storage of a torrent whose metadata may still come, for as long as it is loaded.
type late struct {
	t      *Torrent
	engine atomic.Pointer[torrent.Torrent]
}

func (l *late) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	s := l.t.data()
	if s == nil {
		return storage.TorrentImpl{}, errors.New("metadata came past its check")
	}
	return storage.TorrentImpl{
		PieceWithHash: func(p metainfo.Piece, _ g.Option[[]byte]) storage.PieceImpl { return loaded{piece{s, p.Index()}, l} },
		Close:         func() error { return nil },
	}, nil
}

// loaded is a piece whose failed reads do not reach an engine that has let go of the torrent meanwhile: it would end the
// program.
type loaded struct {
	piece
	l *late
}

func (p loaded) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.piece.ReadAt(b, off)
	e := p.l.engine.Load()
	if err == nil || e == nil {
		return n, err
	}
	if c := (changedError{}); errors.As(err, &c) {
		// It is taken from the engine now.
		p.l.t.p.goWork(func() { p.l.t.unloadFrom(e) })
		<-e.Closed()
	}
	select {
	case <-e.Closed():
		// Nobody gets these: its connections are closed.
		clear(b)
		return len(b), nil
	default:
		return n, err
	}
}

// load hands the torrent to the engine, if that has it not. A torrent that lacks data is loaded always, others while
// somebody asks for them.
func (t *Torrent) load() *torrent.Torrent {
	t.loading.Lock()
	defer t.loading.Unlock()
	if e := t.engine.Load(); e != nil {
		return e
	}
	if t.ctx.Err() != nil {
		return nil
	}
	s := t.data()
	l := &late{t: t}
	options := torrent.AddTorrentOpts{InfoHash: t.ih, Storage: l}
	if s != nil {
		info := t.p.state.get(infoBucket, t.ih[:])
		t.info.Store(&info)
		options.InfoBytes = v1Of(info)
	}
	e, _ := t.p.client.AddTorrentOpt(options)
	l.engine.Store(e)
	t.engine.Store(e)
	t.used.Store(nextTick)
	if s != nil {
		t.started(e, s)
	}
	if t.lacking() {
		t.found.nudge()
	}
	return e
}

// started: the engine has the torrent's metadata.
func (t *Torrent) started(e *torrent.Torrent, s *store) {
	if !s.writable() {
		return // no piece has a priority, so none is asked for
	}
	e.SetOnWriteChunkError(t.pause)
	t.wants.apply(e, s.meta.pieces)
	if urls := t.webSeeds(); len(urls) > 0 {
		fill := paddingOf(s.meta, e.Info())
		e.AddWebSeeds(urls, fill.from)
		info := t.infoBytes()
		t.p.goWork(func() { t.early(e, s, info, urls, fill) })
	}
}

func (t *Torrent) webSeeds() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.record.WebSeeds)
}

// unload takes it from the engine.
func (t *Torrent) unload() {
	t.loading.Lock()
	defer t.loading.Unlock()
	t.drop(t.engine.Load())
}

// unloadFrom does it unless that was done already; it may have been loaded anew since.
func (t *Torrent) unloadFrom(e *torrent.Torrent) {
	t.loading.Lock()
	defer t.loading.Unlock()
	if t.engine.Load() == e {
		t.drop(e)
	}
}

// drop needs the lock.
func (t *Torrent) drop(e *torrent.Torrent) {
	if e == nil {
		return
	}
	t.engine.Store(nil)
	t.meter.stop(e)
	t.found.remember(e)
	e.Drop()
	t.info.Store(nil)
}

// informed gives the engine the metadata, with a store to go with it.
func (t *Torrent) informed(info []byte, s *store) {
	t.loading.Lock()
	e := t.engine.Load()
	if t.p.guard.number(t, s.meta.pieces) {
		t.drop(e)
		e = nil
	}
	if e != nil {
		t.info.Store(&info)
		if err := e.SetInfoBytes(v1Of(info)); err == nil {
			t.started(e, s)
		}
	}
	t.loading.Unlock()
	if e == nil {
		t.load()
	}
}

// pause stops fetching for as long as what has come cannot be written: the torrent leaves the engine, whose own switch
// for it ends the program at times.
func (t *Torrent) pause(err error) {
	if t.ctx.Err() != nil || errors.Is(err, errReadOnly) {
		return
	}
	t.pausing.Lock()
	defer t.pausing.Unlock()
	t.mu.Lock()
	first := t.problem == nil
	t.paused, t.full = true, true
	t.problem = &UnsavedError{Err: err}
	t.mu.Unlock()
	t.unload()
	if first {
		t.p.log.Info("paused, as what comes cannot be saved", "torrent", t.Name(), "error", err)
	}
}

// resume tries again.
func (t *Torrent) resume() {
	t.pausing.Lock()
	defer t.pausing.Unlock()
	t.mu.Lock()
	paused := t.paused
	t.paused = false
	t.mu.Unlock()
	if paused && t.lacking() {
		t.load()
		t.found.wake()
	}
}
