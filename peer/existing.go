package peer

import (
	"crypto/sha1"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// ErrTaken is for AddOptions.Exact: something else has the name.
var ErrTaken = errors.New("the name is taken by a file or folder with other contents: move that away, or choose another name")

var errDiffers = errors.New("other contents")

// existing looks whether all files of a torrent that is new here, or for which no other name will do, lie already where they
// are to go: fetched by another program, say. They are hashed, up to the first piece that is wrong. If all is right the
// record says where they are, and nothing needs to be fetched.
func (t *Torrent) existing(m *meta, info []byte, r *record) (from io.ReaderAt, files *content, p progress, err error) {
	if t.lazy || !t.fresh && !t.exact {
		return nil, nil, p, nil
	}
	top, inside := t.shape(m, r)
	if r.As != "" {
		top = r.As
	}
	there := *r
	there.Root = filepath.Join(r.Dir, top)
	if _, err := os.Lstat(there.Root); err != nil {
		return nil, nil, p, nil
	}
	there.Paths = placedPaths(there.Root, inside)
	if from, files, err = t.placedSource(m, &there); err != nil {
		return nil, nil, p, err
	}
	stamps, err := t.hashExisting(from, files, m, info)
	switch {
	case err != nil:
		return nil, nil, p, err
	case stamps == nil && t.exact:
		return nil, nil, p, ErrTaken
	case stamps == nil:
		return nil, nil, p, nil
	}
	there.Placed = true
	*r = there
	return from, files, wholly(m, stamps), nil
}

// wholly is the progress of files that are all there.
func wholly(m *meta, stamps []stamp) progress {
	p := progress{newBitset(m.pieces), stamps}
	for i := range m.pieces {
		p.done.set(i)
	}
	return p
}

// hashExisting returns how the files look if they are the torrent's, and did not change while they were read; else nil.
func (t *Torrent) hashExisting(from io.ReaderAt, files *content, m *meta, info []byte) ([]stamp, error) {
	before := files.lookAll()
	for i, f := range files.files {
		if f.path != "" && (!before[i].exists || before[i].size != f.size) {
			return nil, nil
		}
	}
	hashes, err := hashesOf(info)
	if err != nil {
		return nil, err
	}
	t.checking.Store(m.length)
	defer t.checking.Store(0)
	t.checked.Store(0)
	err = t.p.eachPiece(t.ctx, from, m, allOf(m.pieces), func(i int, sum [sha1.Size]byte, err error) error {
		if err != nil || string(sum[:]) != string(hashes[i*sha1.Size:(i+1)*sha1.Size]) {
			return errDiffers
		}
		t.checked.Add(m.size(i))
		return nil
	})
	if errors.Is(err, errDiffers) {
		return nil, nil
	}
	if err != nil || !slices.Equal(before, files.lookAll()) {
		return nil, err
	}
	return before, nil
}

// take makes a private torrent that is being fetched one of files that lie in their place: only its header has told
// which they are.
func (t *Torrent) take(from io.ReaderAt, files *content, p progress, r record) error {
	s := t.data()
	s.mu.RLock()
	to := s.to
	s.mu.RUnlock()
	t.keeping.Lock()
	err := t.p.state.put(recordEntry(t.bucket, t.ih, &r), entry{progressBucket, t.ih[:], p.encode()})
	if err == nil {
		files.seal(p.stamps)
		s.placed(from, files, p.done)
	}
	t.keeping.Unlock()
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.record, t.finishes = r, true
	t.mu.Unlock()
	t.unload() // the engine is to look anew at what there is
	to.close()
	t.clear(&r)
	t.found.completed()
	close(t.placed)
	return nil
}

// clear removes what has come of a torrent that is not fetched any more.
func (t *Torrent) clear(r *record) {
	part := t.partDir(r)
	_ = os.RemoveAll(part)
	_ = os.Remove(filepath.Dir(part)) // unless there is more in it
}
