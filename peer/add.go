package peer

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/starling-p2p/starling/internal/names"
	"github.com/starling-p2p/starling/seal"
)

// AddOptions say how to fetch.
type AddOptions struct {
	// Dir is where the files go [files, in the data directory].
	Dir string
	// Name is what the file or folder there is called [as the torrent calls it].
	Name string
	// Exact: where something has that name already, it fails with ErrTaken, and does not take the next free one.
	Exact bool
	// Trackers and WebSeeds are asked besides those that the link names. A private torrent has no web seeds.
	Trackers, WebSeeds []string
	// Peers are tried besides those that are found, host:port.
	Peers []string
	// Lazy fetches only what readers ask for.
	Lazy bool
}

// Add fetches a torrent: of a Starling link, magnet, infohash, .torrent file or the URL of one. It returns as soon as
// that is understood; Ready and Done wait for more. Files appear under their names when all of them are verified; until
// then what has come lies in a folder .starling beside them, and a later Add goes on from there. Where all files lie
// there already they are verified, and nothing is fetched. A torrent that this peer has already stays where it is. Errors: those of ParseRef, and those of reading a .torrent file.
func (p *Peer) Add(ctx context.Context, ref string, o AddOptions) (*Torrent, error) {
	r, err := ParseRef(ref)
	if err != nil {
		return nil, err
	}
	return p.AddRef(ctx, r, o)
}

// AddRef is Add for what ParseRef returned.
func (p *Peer) AddRef(ctx context.Context, r Ref, o AddOptions) (*Torrent, error) {
	var info []byte
	if r.TorrentFile != "" {
		b, err := p.readTorrentFile(ctx, r.TorrentFile)
		if err != nil {
			return nil, err
		}
		if info, r, err = parseTorrentFile(b); err != nil {
			return nil, err
		}
		if _, err := parseInfo(info); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(o.Dir)
	if o.Dir == "" {
		dir = filepath.Join(p.o.DataDir, "files")
	} else if err != nil {
		return nil, err
	}
	p.ways.name(slices.Concat(o.Trackers, o.WebSeeds)...)
	r.Trackers = trackerURLs(append(r.Trackers, o.Trackers...))
	if len(r.Trackers) == 0 {
		r.Trackers = p.o.Trackers
	}
	r.WebSeeds = seedURLs(append(r.WebSeeds, o.WebSeeds...))
	if r.Key != nil {
		r.WebSeeds = nil
	}

	was := record{Name: r.Name, Trackers: r.Trackers, WebSeeds: r.WebSeeds, Dir: dir, As: o.Name}
	if r.Key != nil {
		was.Key = r.Key[:]
	}
	before := p.state.record(addedBucket, r.InfoHash)
	if before != nil && before.Dir == dir && before.As == o.Name && (r.Key == nil) == (before.Key == nil) {
		was.Name, was.Header, was.Root, was.Placed, was.Paths = before.Name, before.Header, before.Root, before.Placed, before.Paths
		was.Salt, was.Files = before.Salt, before.Files
	}
	t := p.newTorrent(r.InfoHash, addedBucket, was)
	t.lazy, t.exact = o.Lazy, o.Exact
	t.fresh = was.Root == "" && (before == nil || r.Key != nil && was.Header == nil)
	t.found.peers(append(r.Peers, o.Peers...))
	known, err := p.register(t)
	if err != nil {
		return nil, err
	}
	if known != t {
		known.found.also(r.Trackers)
		known.found.peers(append(r.Peers, o.Peers...))
		if !o.Lazy {
			known.hurry()
		}
		return known, nil
	}
	if info == nil {
		if saved := p.state.get(infoBucket, t.ih[:]); sha1.Sum(saved) == t.ih {
			info = saved
		}
	}
	p.goWork(func() {
		if info != nil {
			t.gotInfo(info)
		} else {
			t.load()
		}
		t.found.begin()
	})
	return t, nil
}

// register makes a torrent known, or returns the one that is known already.
func (p *Peer) register(t *Torrent) (*Torrent, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if known := p.torrents[t.ih]; known != nil {
		known.mu.Lock()
		defer known.mu.Unlock()
		if (known.key == nil) != (t.key == nil) {
			return nil, errors.New("this torrent is here already, with another key")
		}
		known.users++
		return known, nil
	}
	p.torrents[t.ih] = t
	return t, nil
}

// hurry makes a lazy torrent one that is fetched whole.
func (t *Torrent) hurry() {
	t.wants.mu.Lock()
	defer t.wants.mu.Unlock()
	t.lazy = false
	if e := t.engine.Load(); e != nil && e.Info() != nil {
		e.DownloadAll()
	}
}

func (p *Peer) readTorrentFile(ctx context.Context, name string) ([]byte, error) {
	if !isWeb(name) {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) && bareWeb.MatchString(name) {
			return nil, fmt.Errorf("reading the .torrent file: %w: if it is on the web, write https:// before it", err)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the .torrent file: %w", err)
		}
		defer func() { _ = f.Close() }()
		return readAll(f)
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, fmt.Errorf("fetching the .torrent file: %w", err)
	}
	response, err := p.ways.client(aTorrent).Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetching the .torrent file: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetching the .torrent file: %s answers %s", response.Request.URL.Host, response.Status)
	}
	p.ways.name(name) // which has a torrent to give
	return readAll(response.Body)
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTorrentFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the .torrent file: %w", err)
	}
	if len(b) > maxTorrentFile {
		return nil, errDamaged
	}
	return b, nil
}

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
	placed, err := t.resumePlaced(s, m, info, &r)
	if err != nil {
		return err
	}
	if !placed && t.key == nil {
		from, files, p, err := t.lying(m, info, &r)
		if err != nil {
			return err
		}
		if placed = files != nil; placed {
			files.seal(p.stamps)
			s.placed(from, files, p.done)
			if err := t.p.state.put(entry{progressBucket, t.ih[:], p.encode()}); err != nil {
				return fmt.Errorf("writing down what is known of it: %w", err)
			}
		}
	}
	if !placed {
		to, err := t.partContent(m, &r)
		if err != nil {
			return err
		}
		p, ok := parseProgress(t.p.state.get(progressBucket, t.ih[:]), len(to.files), m.pieces)
		s.fetching(to, p, ok)
		s.complete = func() { t.p.goWork(t.finish) }
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
	from, files, p, err := t.lying(m, t.infoBytes(), &r)
	if errors.Is(err, ErrTaken) {
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
		for i, f := range m.files {
			spans[i] = span{offset: f.offset, size: f.size}
			if !f.padding {
				spans[i].path = t.partPath(m, f.path)
			}
		}
	}
	c := over(t.p.handles, root, spans)
	c.held = held
	return c, nil
}

// partPath is a file's, below the part folder: files/<name>, or files/<name>/<path>.
func (t *Torrent) partPath(m *meta, file string) string {
	if !m.folder {
		return filesFolder + "/" + topName(m.name)
	}
	return filesFolder + "/" + topName(m.name) + "/" + diskPath(file)
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
	if !ok || !r.Placed || !slices.Equal(p.stamps, files.lookAll()) {
		stamps, err := t.hashLying(from, files, m, info)
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

// diskPath shortens the names of a clean path to what file systems take.
func diskPath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = diskName(parts[i])
	}
	return strings.Join(parts, "/")
}

const maxDiskName = 240 // bytes; most file systems take 255

// diskName is a clean name of which two different ones stay different.
func diskName(name string) string {
	if len(name) <= maxDiskName {
		return name
	}
	ext := filepath.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	sum := sha1.Sum([]byte(name))
	tail := fmt.Sprintf("~%x%s", sum[:4], ext)
	end := maxDiskName - len(tail)
	for end > 0 && name[end]&0xc0 == 0x80 { // between two characters
		end--
	}
	return name[:end] + tail
}

// topName is for what is to lie right in somebody's folder: not hidden, as what configures programs is.
func topName(name string) string {
	name = diskName(names.Name(name))
	if name[0] == '.' {
		return "_" + name[1:]
	}
	return name
}
