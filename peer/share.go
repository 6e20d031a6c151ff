package peer

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/starling-p2p/starling/seal"
)

// ShareOptions say what is shared, and how.
type ShareOptions struct {
	// Paths are files and folders. Folders are shared with all regular files in them; links in them are not followed.
	Paths []string
	// Name is what it is called [that of the first path].
	Name string
	// Private seals it: only who has the link can read it.
	Private bool
	// Trackers are where it is announced [those of the peer].
	Trackers []string
	// WebSeeds are URLs where the files are too (BEP 19). There are none for what is private.
	WebSeeds []string
	// Progress is called with how many bytes of how many are hashed, never twice at once; may be nil. It begins again where
	// what looks other than it did turns out to be other.
	Progress func(done, all int64)
}

// Share hashes files and seeds them from where they lie. What was shared before and has not changed since has the same
// link, and is hashed again only where it looks other than it did. Errors: the context's, ErrClosed, the files',
// seal.ErrTooLarge, that a file changed meanwhile, and that there is not one byte in what is not private.
func (p *Peer) Share(ctx context.Context, o ShareOptions) (*Torrent, error) {
	if o.Private && len(o.WebSeeds) > 0 {
		return nil, errors.New("a web seed would need the files as they are: share them publicly, or without web seeds")
	}
	list, err := listFiles(o)
	if err != nil {
		return nil, err
	}
	p.ways.Name(slices.Concat(o.Trackers, o.WebSeeds)...)
	r := record{Name: list.name, Trackers: trackerURLs(o.Trackers), WebSeeds: seedURLs(o.WebSeeds)}
	if len(r.Trackers) == 0 {
		r.Trackers = p.o.Trackers
	}
	for _, f := range list.files {
		r.Paths = append(r.Paths, []byte(f.from))
	}
	files := over(p.handles, nil, list.spans())
	if !o.Private && files.size == 0 {
		return nil, errors.New("there is not one byte in it, and of such a torrent peers tell one another nothing: share it privately, or with something in it")
	}
	if t, err := p.shareAgain(ctx, o, list, files, r); t != nil || err != nil {
		return t, err
	}

	before := files.lookAll()
	info, from, m, err := p.hashShare(ctx, o, list, files, &r)
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) { // one has become shorter
		for i, now := range files.lookAll() {
			if now != before[i] || now.size != files.files[i].size {
				return nil, fmt.Errorf("%s changed while it was read: share it when nobody writes to it", files.files[i].path)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("hashing what is to be shared: %w", err)
	}
	ih := sha1.Sum(info)
	done := newBitset(m.pieces)
	for i := range m.pieces {
		done.set(i)
	}
	was := p.state.get(sharesBucket, list.key)
	err = p.state.put(
		entry{infoBucket, ih[:], info}, recordEntry(sharedBucket, ih, &r), entry{sharesBucket, list.key, ih[:]},
		entry{sharedProgressBucket, ih[:], progress{done, before}.encode()},
	)
	if err != nil {
		return nil, fmt.Errorf("writing down what is shared: %w", err)
	}
	if was != nil && !slices.Equal(was, ih[:]) {
		p.state.prune(func(ih [20]byte) bool { return p.torrent(ih) != nil })
	}
	files.seal(before)
	return p.seed(ih, r, m, from, files, done)
}

// hashShare makes the info dictionary, as web/engine/swarm/seeding.ts does.
func (p *Peer) hashShare(ctx context.Context, o ShareOptions, list *listing, files *content, r *record) (info []byte, from io.ReaderAt, m *meta, err error) {
	from = files
	size := files.size
	if o.Private {
		key, salt := seal.NewKey(), seal.NewSalt()
		h := seal.Header{Name: list.name, Files: list.sealed()}
		sealed, err := seal.New(key, salt, h, files)
		if err != nil {
			return nil, nil, nil, err
		}
		if r.Header, err = h.Encode(); err != nil {
			return nil, nil, nil, err
		}
		r.Key, r.Salt, r.Files = key[:], salt[:], h.Files
		from, size = sealed, sealed.Size()
	}
	m = &meta{name: list.name, pieceLength: pieceLengthFor(size), length: size}
	m.pieces = int((size + m.pieceLength - 1) / m.pieceLength)
	hashes := make([]byte, sha1.Size*m.pieces)
	var hashed progressCounter
	err = p.eachPiece(ctx, from, m, allOf(m.pieces), func(i int, sum [sha1.Size]byte, err error) error {
		if err == nil && p.ctx.Err() != nil {
			err = ErrClosed
		}
		if err != nil {
			return err
		}
		copy(hashes[i*sha1.Size:], sum[:])
		hashed.add(m.size(i), size, o.Progress)
		return nil
	})
	if err != nil {
		return nil, nil, nil, err
	}
	if o.Private {
		info = makeInfo("sealed", []metaFile{{path: "sealed", size: size}}, m.pieceLength, hashes)
	} else {
		info = makeInfo(list.name, list.meta(), m.pieceLength, hashes)
	}
	if len(info) > maxInfo {
		return nil, nil, nil, errors.New("these are too many files for one torrent: share fewer, or an archive of them")
	}
	m, err = parseInfo(info)
	return info, from, m, err
}

// shareAgain finds what was shared before, if none of it has changed.
func (p *Peer) shareAgain(ctx context.Context, o ShareOptions, list *listing, files *content, r record) (*Torrent, error) {
	hash := p.state.get(sharesBucket, list.key)
	if len(hash) != sha1.Size {
		return nil, nil
	}
	ih := [sha1.Size]byte(hash)
	was := p.state.record(sharedBucket, ih)
	info := p.state.get(infoBucket, ih[:])
	if was == nil || sha1.Sum(info) != ih || !slices.EqualFunc(was.Paths, r.Paths, slices.Equal) {
		return nil, nil
	}
	m, err := parseInfo(info)
	if err != nil {
		return nil, nil
	}
	now := files.lookAll()
	state, ok := parseProgress(p.state.get(sharedProgressBucket, ih[:]), len(files.files), m.pieces)
	unchanged := ok && state.done.count() == m.pieces && slices.Equal(state.stamps, now)
	if !unchanged && !o.Private {
		return nil, nil // the same bytes come to have the same link by themselves
	}
	from := io.ReaderAt(files)
	if o.Private {
		if len(was.Key) != len(seal.Key{}) || len(was.Salt) != 16 {
			return nil, nil
		}
		sealed, err := seal.Again(seal.Key(was.Key), [16]byte(was.Salt), was.Header, files, files.size)
		if err != nil || sealed.Size() != m.length {
			return nil, nil
		}
		from = sealed
		r.Key, r.Salt, r.Header, r.Files = was.Key, was.Salt, was.Header, was.Files
	}
	if !unchanged {
		// Back from a backup, say, or touched, it may be the same still; another key would end the links that are out.
		if !p.isStill(ctx, o, from, m, info) || !slices.Equal(files.lookAll(), now) {
			return nil, nil
		}
		state = progress{newBitset(m.pieces), now}
		for i := range m.pieces {
			state.done.set(i)
		}
	}
	files.seal(state.stamps)
	err = p.state.put(recordEntry(sharedBucket, ih, &r), entry{sharedProgressBucket, ih[:], state.encode()})
	if err != nil {
		return nil, fmt.Errorf("writing down what is shared: %w", err)
	}
	return p.seed(ih, r, m, from, files, state.done)
}

var errOther = errors.New("it is other than it was")

// isStill says whether the pieces are what they were. It ends with the first that is not.
func (p *Peer) isStill(ctx context.Context, o ShareOptions, from io.ReaderAt, m *meta, info []byte) bool {
	hashes, err := hashesOf(info)
	if err != nil {
		return false
	}
	var hashed progressCounter
	return p.eachPiece(ctx, from, m, allOf(m.pieces), func(i int, sum [sha1.Size]byte, err error) error {
		if err == nil && string(sum[:]) != string(hashes[i*sha1.Size:(i+1)*sha1.Size]) {
			err = errOther
		}
		if err == nil && p.ctx.Err() != nil {
			err = ErrClosed
		}
		if err == nil {
			hashed.add(m.size(i), m.length, o.Progress)
		}
		return err
	}) == nil
}

// seed makes a torrent of verified files.
func (p *Peer) seed(ih [20]byte, r record, m *meta, from io.ReaderAt, files *content, done bitset) (*Torrent, error) {
	t := p.newTorrent(ih, sharedBucket, r)
	known, err := p.register(t)
	if err != nil {
		return nil, err
	}
	if known != t {
		files.close()
		known.found.also(r.Trackers)
		return known, nil
	}
	s := newStore(m)
	s.placed(from, files, done)
	s.changed = t.fileChanged
	t.mu.Lock()
	t.meta, t.store = m, s
	t.mu.Unlock()
	t.isKnown.Store(true)
	t.private.Store(m.private)
	if t.key != nil {
		t.setFiles(filesOfHeader(r.Files), nil)
	} else {
		t.setFiles(filesOf(m), nil)
	}
	close(t.placed)
	t.found.begin()
	return t, nil
}
