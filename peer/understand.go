package peer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/starling-p2p/starling/seal"
)

// gotInfo goes on with metadata whose hash is right.
func (t *Torrent) gotInfo(info []byte) {
	if t.isKnown.Swap(true) {
		return
	}
	if err := t.understand(info); err != nil {
		t.fail(err)
		return
	}
	t.p.goWork(func() {
		if err := t.prepare(); err != nil {
			t.fail(err)
		}
	})
}

// understand makes a store of the metadata, and finds what is on disk already.
func (t *Torrent) understand(info []byte) error {
	m, err := parseInfo(info)
	if err != nil {
		return err
	}
	if t.key != nil && m.folder {
		return seal.ErrFormat
	}
	t.private.Store(m.private)
	t.mu.Lock()
	r := t.record
	t.mu.Unlock()
	if t.key == nil {
		r.Name = m.name
	}
	s := newStore(m)
	placed, err := t.onDisk(s, m, info, &r)
	if err != nil {
		return err
	}
	s.changed = t.fileChanged
	if err := t.p.state.put(entry{infoBucket, t.ih[:], info}, recordEntry(t.bucket, t.ih, &r)); err != nil {
		return fmt.Errorf("writing down what is known of it: %w", err)
	}
	t.mu.Lock()
	t.record, t.meta, t.store = r, m, s
	t.mu.Unlock()
	if placed {
		if t.engine.Load() != nil { // its metadata has come from others
			t.unload()
			t.found.completed()
		}
		close(t.placed)
		return nil
	}
	if s.missing() == 0 {
		t.p.goWork(t.finish)
		return nil
	}
	t.informed(info, s)
	return nil
}

// onDisk gives the store what is there. placed: all of it lies under its name, and nothing is to be fetched.
func (t *Torrent) onDisk(s *store, m *meta, info []byte, r *record) (placed bool, err error) {
	if placed, err = t.resumePlaced(s, m, info, r); placed || err != nil {
		return placed, err
	}
	if t.key == nil { // else its files are not known yet
		from, files, p, err := t.existing(m, info, r)
		if err != nil {
			return false, err
		}
		if files != nil {
			if !t.fresh {
				t.clear(r)
			}
			files.seal(p.stamps)
			s.placed(from, files, p.done)
			if err := t.p.state.put(entry{progressBucket, t.ih[:], p.encode()}); err != nil {
				return false, fmt.Errorf("writing down what is known of it: %w", err)
			}
			return true, nil
		}
	}
	to, err := t.partContent(m, r)
	if err != nil {
		return false, err
	}
	p, ok := parseProgress(t.p.state.get(progressBucket, t.ih[:]), len(to.files), m.pieces)
	s.fetching(to, p, ok)
	s.complete = func() { t.p.goWork(t.finish) }
	return false, nil
}

// prepare finds out what files there are; of a private torrent, its header tells.
func (t *Torrent) prepare() error {
	t.mu.Lock()
	m, r := t.meta, t.record
	t.mu.Unlock()
	if t.key == nil {
		t.setFiles(filesOf(m), nil)
		return nil
	}
	if r.Placed {
		t.setFiles(filesOfHeader(r.Files), nil)
		return nil
	}
	opened, err := seal.Open(*t.key, t.comingBytes(), m.length)
	if err != nil {
		return err
	}
	h, salt := opened.Header(), opened.Salt()
	r.Name, r.Header, r.Files, r.Salt = h.Name, opened.RawHeader(), h.Files, salt[:]
	from, files, p, err := t.existing(m, t.infoBytes(), &r)
	if errors.Is(err, ErrTaken) && t.fresh {
		t.unload()
		t.clear(&r)
	}
	if err != nil {
		return err
	}
	if files != nil {
		err := t.take(from, files, p, r)
		t.setFiles(filesOfHeader(r.Files), nil)
		return err
	}
	t.mu.Lock()
	t.record = r
	t.mu.Unlock()
	if err := t.p.state.put(recordEntry(t.bucket, t.ih, &r)); err != nil {
		return fmt.Errorf("writing down what is known of it: %w", err)
	}
	t.setFiles(filesOfHeader(h.Files), opened)
	return nil
}

// comingBytes reads the torrent's bytes as they come, for nobody in particular: nothing is fetched ahead of what is read.
func (t *Torrent) comingBytes() io.ReaderAt {
	ctx, stop := context.WithCancelCause(t.ctx)
	return &reader{file: File{t: t}, ctx: ctx, stop: stop}
}

func filesOf(m *meta) (files []File) {
	for _, f := range m.files {
		if !f.padding {
			files = append(files, File{Path: f.path, Size: f.size, Type: typeOf(f.path), offset: f.offset})
		}
	}
	return files
}

func filesOfHeader(all []seal.File) (files []File) {
	var offset int64
	for _, f := range all {
		files = append(files, File{Path: f.Path, Size: f.Size, Type: f.Type, offset: offset})
		offset += f.Size
	}
	return files
}

func (t *Torrent) setFiles(files []File, opened *seal.Opened) {
	for i := range files {
		files[i].t, files[i].index = t, i
	}
	t.mu.Lock()
	t.files, t.opened = files, opened
	t.mu.Unlock()
	close(t.ready)
}
