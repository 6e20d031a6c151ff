package peer

import (
	"crypto/sha1"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/starling-p2p/starling/internal/names"
	"github.com/starling-p2p/starling/seal"
)

// partDir is where what has come of a torrent lies until all of it has.
func (t *Torrent) partDir(r *record) string { return filepath.Join(r.Dir, partFolder, hexOf(t.ih)) }

const (
	partFolder    = ".starling"
	containerName = "sealed"
	filesFolder   = "files"
)

// partContent makes that folder, and holds it, as two that fetch the same to it would write over one another's files, and
// the first to be done take them away. Of a private torrent it has the container, of others the files, which will only be
// renamed.
func (t *Torrent) partContent(m *meta, r *record) (*content, error) {
	dir := t.partDir(r)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("making the folder that it is fetched to: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder that it is fetched to: %w", err)
	}
	held, err := hold(root)
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	spans := []span{{containerName, 0, m.length}}
	if t.key == nil {
		spans = make([]span, len(m.files))
		longest := t.p.longestName(r.Dir)
		for i, f := range m.files {
			spans[i] = span{offset: f.offset, size: f.size}
			if !f.padding {
				spans[i].path = partPath(m, f.path, longest)
			}
		}
	}
	c := over(t.p.handles, root, spans)
	c.held = held
	return c, nil
}

// partPath is a file's, below the part folder: files/<name>, or files/<name>/<path>.
func partPath(m *meta, file string, longest int) string {
	if !m.folder {
		return filesFolder + "/" + topName(m.name, longest)
	}
	return filesFolder + "/" + topName(m.name, longest) + "/" + diskPath(file, longest)
}

// resumePlaced finds the files where they were put. If they are not there any more, or not as they were, the torrent is
// fetched anew, beside them.
func (t *Torrent) resumePlaced(s *store, m *meta, info []byte, r *record) (bool, error) {
	if r.Root == "" {
		return false, nil
	}
	top, _ := t.shape(m, r)
	if _, err := os.Lstat(filepath.Join(t.partDir(r), filesFolder, top)); err == nil && !r.Placed {
		r.Root, r.Paths = "", nil
		return false, nil // not yet renamed
	}
	from, files, err := t.placedSource(m, r)
	if err != nil {
		return false, err
	}
	p, ok := parseProgress(t.p.state.get(progressBucket, t.ih[:]), len(files.files), m.pieces)
	if !ok || !r.Placed || p.done.count() < m.pieces || !slices.Equal(p.stamps, files.lookAll()) {
		stamps, err := t.hashExisting(from, files, m, info)
		if err != nil {
			return false, err
		}
		if stamps == nil {
			r.Root, r.Placed, r.Paths = "", false, nil
			return false, nil
		}
		p = wholly(m, stamps)
		if err := t.p.state.put(entry{progressBucket, t.ih[:], p.encode()}); err != nil {
			return false, err
		}
		r.Placed = true
	}
	t.clear(r) // whoever put them there may have ended before he did
	files.seal(p.stamps)
	s.placed(from, files, p.done)
	return true, nil
}

// placedSource reads the torrent's bytes from the files that it has become.
func (t *Torrent) placedSource(m *meta, r *record) (io.ReaderAt, *content, error) {
	spans := make([]span, len(r.Paths))
	if t.key == nil {
		if len(r.Paths) != len(m.files) {
			return nil, nil, errDamaged
		}
		for i, f := range m.files {
			spans[i] = span{string(r.Paths[i]), f.offset, f.size}
		}
		files := over(t.p.handles, nil, spans)
		return files, files, nil
	}
	if len(r.Files) != len(r.Paths) || len(r.Salt) != 16 {
		return nil, nil, seal.ErrFormat
	}
	var size int64
	for i, f := range r.Files {
		spans[i] = span{string(r.Paths[i]), size, f.Size}
		size += f.Size
	}
	files := over(t.p.handles, nil, spans)
	sealed, err := seal.Again(*t.key, [16]byte(r.Salt), r.Header, files, size)
	if err != nil {
		return nil, nil, err
	}
	if sealed.Size() != m.length {
		return nil, nil, seal.ErrFormat
	}
	return sealed, files, nil
}

// longestName is how long names in a folder may be, bytes, so that there is room for a number behind them. Most file systems
// take 255, eCryptfs 143; some say what cannot be.
func (p *Peer) longestName(dir string) int {
	const usual, least, number = 255, 64, 15
	if most := p.o.namelen(dir); most >= least && most < usual {
		return most - number
	}
	return usual - number
}

// diskPath shortens the names of a clean path to what the file system takes.
func diskPath(path string, longest int) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = diskName(parts[i], longest)
	}
	return strings.Join(parts, "/")
}

// diskName is a clean name of which two different ones stay different.
func diskName(name string, longest int) string {
	if len(name) <= longest {
		return name
	}
	ext := filepath.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	sum := sha1.Sum([]byte(name))
	tail := fmt.Sprintf("~%x%s", sum[:4], ext)
	end := longest - len(tail)
	for end > 0 && name[end]&0xc0 == 0x80 { // between two characters
		end--
	}
	return name[:end] + tail
}

// topName is for what is to lie right in somebody's folder: not hidden, as what configures programs is.
func topName(name string, longest int) string {
	name = diskName(names.Name(name), longest)
	if name[0] == '.' {
		return "_" + name[1:]
	}
	return name
}
