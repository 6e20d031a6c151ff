package peer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/starling-p2p/starling/seal"
)

// finish puts the files in their place when all pieces have come. What fails is tried again: a full disk may have room
// later.
func (t *Torrent) finish() {
	t.mu.Lock()
	if t.finishes {
		t.mu.Unlock()
		return
	}
	t.finishes = true
	t.mu.Unlock()
	select {
	case <-t.ready:
	case <-t.ctx.Done():
		return
	}
	select {
	case <-t.placed:
		return // it was there
	default:
	}
	for !t.toRead {
		err := t.place()
		if err == nil {
			break
		}
		if errors.Is(err, errTorn) {
			t.fetchTorn()
			return
		}
		if errors.Is(err, ErrTaken) {
			t.fail(err)
		}
		if t.ctx.Err() != nil {
			return
		}
		t.p.log.Warn("what has come cannot be put in its place", "torrent", t.Name(), "error", err)
		t.say(&UnsavedError{err, true})
		select {
		case <-time.After(5 * time.Second):
		case <-t.ctx.Done():
			return
		}
	}
	t.say(nil)
	if e := t.engine.Load(); e != nil {
		e.CancelPieces(0, t.pieces()) // should any be lost, the files are nobody's to write to any more
	}
	t.found.completed() // before anybody may end it, so that it is heard
	close(t.placed)
}

var errTorn = errors.New("somebody has cut or removed what has come")

// fetchTorn goes back to fetching what has come and is gone.
func (t *Torrent) fetchTorn() {
	t.p.log.Warn("it is fetched again", "torrent", t.Name(), "error", errTorn)
	t.unload() // the engine is to look anew at what there is
	t.mu.Lock()
	t.finishes = false
	s := t.store
	t.mu.Unlock()
	t.p.handles.forgetAll(s.to) // of files that have no name any more
	t.load()
	t.found.wake()
}

// place does it such that a process may end at any moment: the name is chosen and written down, the files are renamed,
// and that is written down. Found half done, resumePlaced goes on with it.
//
// A private torrent's files are decrypted beside its container first. For that time they need their room twice; then
// the container goes, and is made of the files again as peers ask for it.
func (t *Torrent) place() (err error) {
	t.flush(true)
	t.mu.Lock()
	s, m, r := t.store, t.meta, t.record
	t.mu.Unlock()
	part := t.partDir(&r)
	to := s.to
	if s.lose() {
		return errTorn
	}

	top, inside := t.shape(m, &r)
	if t.key != nil {
		defer func() {
			if err != nil && t.ctx.Err() == nil { // they are made anew the next time, and may have filled the disk
				_ = os.RemoveAll(filepath.Join(part, filesFolder))
			}
		}()
		if err := t.decrypt(s, m, part, top, inside, &r); err != nil {
			return err
		}
	} else if err := to.createEmpty(); err != nil {
		return err
	}

	t.keeping.Lock()
	defer t.keeping.Unlock()
	if err := t.nameFiles(s, m, &r, top, inside); err != nil {
		return err
	}
	r.Placed = true
	t.mu.Lock()
	t.record, t.opened = r, nil
	t.mu.Unlock()
	put := t.p.state.put(recordEntry(t.bucket, t.ih, &r), entry{progressBucket, t.ih[:], s.snapshot().encode()})
	if put != nil {
		t.p.log.Warn("a finished torrent could not be written down", "torrent", r.Name, "error", put)
	}
	to.close()
	t.clear(&r)
	return nil
}

// nameFiles puts the files under the first name that nothing else has.
func (t *Torrent) nameFiles(s *store, m *meta, r *record, top string, inside []*string) error {
	const most = 10_000
	made := filepath.Join(t.partDir(r), filesFolder, top)
	info, err := os.Lstat(made)
	if err != nil {
		return err
	}
	called := cmp.Or(r.As, top)
	for n := 1; ; n++ {
		if t.exact && n > 1 {
			return ErrTaken
		}
		r.Root = filepath.Join(r.Dir, numbered(called, info.IsDir(), n))
		r.Paths = placedPaths(r.Root, inside)
		if _, err := os.Lstat(r.Root); err == nil && n < most {
			continue
		}
		if err := t.p.state.put(recordEntry(t.bucket, t.ih, r)); err != nil {
			return err
		}
		from, files, err := t.placedSource(m, r)
		if err != nil {
			return err
		}
		err = s.swap(from, files, func() error { return renameNew(made, r.Root) })
		if !errors.Is(err, os.ErrExist) || n >= most {
			return err
		}
	}
}

// shape is the name of the file or folder that the torrent becomes, and the paths inside of that folder: "" for a
// file, none for padding.
func (t *Torrent) shape(m *meta, r *record) (top string, inside []*string) {
	path := func(p string) *string { return &p }
	longest := t.p.longestName(r.Dir)
	if t.key == nil {
		for _, f := range m.files {
			switch {
			case f.padding:
				inside = append(inside, nil)
			case m.folder:
				inside = append(inside, path(diskPath(f.path, longest)))
			default:
				inside = append(inside, path(""))
			}
		}
		return topName(m.name, longest), inside
	}
	if len(r.Files) == 1 && !strings.Contains(r.Files[0].Path, "/") {
		return topName(r.Files[0].Path, longest), []*string{path("")}
	}
	for _, f := range r.Files {
		inside = append(inside, path(diskPath(f.Path, longest)))
	}
	return topName(r.Name, longest), inside
}

func placedPaths(root string, inside []*string) (paths [][]byte) {
	for _, path := range inside {
		if path == nil {
			paths = append(paths, nil)
		} else {
			paths = append(paths, []byte(filepath.Join(root, filepath.FromSlash(*path))))
		}
	}
	return paths
}

// numbered is "name.ext", "name (2).ext", …; of a folder "name", "name (2)", …
func numbered(name string, folder bool, n int) string {
	if n == 1 {
		return name
	}
	ext := filepath.Ext(name)
	if folder {
		ext = ""
	}
	return fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext)
}

// createEmpty makes the files that have no bytes, which no piece has made.
func (c *content) createEmpty() error {
	for i, f := range c.files {
		if f.path == "" || f.size > 0 {
			continue
		}
		h, err := c.create(i)
		if err != nil {
			return err
		}
		if err := h.Close(); err != nil {
			return err
		}
	}
	return nil
}

// decrypt writes a private torrent's files to the part folder, and checks that they make the same container again.
func (t *Torrent) decrypt(s *store, m *meta, part, top string, inside []*string, r *record) error {
	opened, err := seal.Open(*t.key, s, m.length)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(part, filesFolder)); err != nil {
		return err
	}
	root, err := os.OpenRoot(part)
	if err != nil {
		return err
	}
	spans := make([]span, len(inside))
	var size int64
	for i, f := range r.Files {
		path := filesFolder + "/" + top
		if *inside[i] != "" {
			path += "/" + *inside[i]
		}
		spans[i] = span{path, size, f.Size}
		size += f.Size
	}
	files := over(t.p.handles, root, spans)
	defer files.close()
	if err := files.createEmpty(); err != nil {
		return err
	}
	all := make([]int, len(spans))
	for i := range spans {
		all[i] = i
		if err := copyFile(files, spans[i], opened.File(i)); err != nil {
			return err
		}
		if t.ctx.Err() != nil {
			return t.ctx.Err()
		}
	}
	if err := files.sync(all); err != nil {
		return err
	}
	again, err := seal.Again(*t.key, opened.Salt(), opened.RawHeader(), files, size)
	if err != nil {
		return err
	}
	good, err := t.p.verify(t.ctx, again, m, t.infoBytes(), allOf(m.pieces))
	if err != nil {
		return err
	}
	if again.Size() != m.length || good.count() != m.pieces {
		return errors.New("the files do not read as they were written: is the disk sound?")
	}
	return nil
}

func copyFile(to *content, at span, from io.Reader) error {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	for off := at.offset; off < at.offset+at.size; {
		n, err := io.ReadFull(from, buffer[:min(bufferSize, at.offset+at.size-off)])
		if err != nil {
			return err
		}
		if _, err := to.WriteAt(buffer[:n], off); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}
