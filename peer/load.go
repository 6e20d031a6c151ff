package peer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
)

// justLoaded stands for the time of the next tick.
const justLoaded = -1

// late is the storage of a torrent whose metadata may still come.
type late struct{ t *Torrent }

func (l late) OpenTorrent(ctx context.Context, info *metainfo.Info, ih metainfo.Hash) (storage.TorrentImpl, error) {
	if s := l.t.data(); s != nil {
		return s.OpenTorrent(ctx, info, ih)
	}
	return storage.TorrentImpl{}, errors.New("metadata came past its check")
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
	options := torrent.AddTorrentOpts{InfoHash: t.ih, Storage: late{t}}
	if s != nil {
		options.InfoBytes = t.p.state.get(infoBucket, t.ih[:])
		t.info.Store(&options.InfoBytes)
	}
	e, _ := t.p.client.AddTorrentOpt(options)
	t.engine.Store(e)
	t.used.Store(justLoaded)
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
		e.DisallowDataDownload()
		return
	}
	e.SetOnWriteChunkError(t.pause)
	e.AddWebSeeds(t.webSeeds())
	t.wants.apply(e, s.meta.pieces)
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
	if e := t.engine.Swap(nil); e != nil {
		t.meter.stop(e)
		e.Drop()
		t.info.Store(nil)
	}
}

// informed gives the engine the metadata, with a store to go with it.
func (t *Torrent) informed(info []byte, s *store) {
	t.loading.Lock()
	e := t.engine.Load()
	if e != nil {
		t.info.Store(&info)
		if err := e.SetInfoBytes(info); err == nil {
			t.started(e, s)
		}
	}
	t.loading.Unlock()
	if e == nil {
		t.load()
	}
}

// pause stops fetching for as long as what has come cannot be written.
func (t *Torrent) pause(err error) {
	if t.ctx.Err() != nil || errors.Is(err, errReadOnly) {
		return
	}
	t.mu.Lock()
	first := t.problem == nil
	t.paused, t.full = true, true
	t.problem = fmt.Errorf("what comes cannot be saved: %w. Make room on the disk: it goes on by itself", err)
	t.mu.Unlock()
	if e := t.engine.Load(); e != nil {
		e.DisallowDataDownload()
	}
	if first {
		t.p.log.Warn("paused, as what comes cannot be saved", "torrent", t.Name(), "error", err)
	}
}

// resume tries again.
func (t *Torrent) resume() {
	t.mu.Lock()
	paused := t.paused
	t.paused = false
	t.mu.Unlock()
	if e := t.engine.Load(); paused && e != nil {
		e.AllowDataDownload()
	}
}
