package peer

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/starling-p2p/starling/internal/loopback"
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
	// Peers are tried besides those that are found, address:port; names of hosts are not looked up.
	Peers []string
	// Lazy fetches only what readers ask for.
	Lazy bool
	// ToRead: what comes is for readers alone. It stays as it came, in the folder .starling: a private torrent takes no more
	// room than its container, which is decrypted as it is read. Done waits until all of it is there.
	ToRead bool
}

// Add fetches a torrent: of a Starling link, magnet, infohash, .torrent file or the URL of one. It returns as soon as
// that is understood; Ready and Done wait for more. Files appear under their names when all of them are verified; until
// then what has come lies in a folder .starling beside them, and a later Add goes on from there. Where all files lie
// there already they are verified, and nothing is fetched. A torrent that this peer has already stays where it is, and one
// that has failed is to be closed first. Errors: those of ParseRef, those of reading a .torrent file (a *url.Error where its
// server may have it later), seal.ErrKey where another key has opened it before, and that it is here with another key.
func (p *Peer) Add(ctx context.Context, ref string, o AddOptions) (*Torrent, error) {
	r, err := ParseRef(ref)
	if err != nil {
		return nil, err
	}
	return p.AddRef(ctx, r, o)
}

// AddRef is Add for what ParseRef returned.
func (p *Peer) AddRef(ctx context.Context, r Ref, o AddOptions) (*Torrent, error) {
	r, info, err := p.readRef(ctx, r)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if o.Dir == "" {
		dir = filepath.Join(p.o.DataDir, "files")
	} else if err != nil {
		return nil, err
	}
	p.ways.Name(slices.Concat(o.Trackers, o.WebSeeds)...)
	// Before what strangers name, as much as they like: only so many are asked.
	r.Trackers = trackerURLs(slices.Concat(o.Trackers, r.Trackers))
	if len(r.Trackers) == 0 {
		r.Trackers = p.o.Trackers
	}
	r.WebSeeds = seedURLs(append(r.WebSeeds, o.WebSeeds...))
	if r.Key != nil {
		r.WebSeeds = nil
	}

	noted, fresh, err := p.addedRecord(r, dir, o.Name)
	if err != nil {
		return nil, err
	}
	t := p.newTorrent(r.InfoHash, addedBucket, noted)
	t.lazy, t.exact, t.toRead, t.fresh = o.Lazy, o.Exact, o.ToRead, fresh
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

// readRef reads the .torrent file that r names, where it does: what that says, and its info dictionary.
func (p *Peer) readRef(ctx context.Context, r Ref) (_ Ref, info []byte, err error) {
	if r.TorrentFile == "" {
		return r, nil, nil
	}
	b, err := p.readTorrentFile(ctx, r.TorrentFile)
	if err != nil {
		return r, nil, err
	}
	if info, r, err = parseTorrentFile(b); err != nil {
		return r, nil, err
	}
	_, err = parseInfo(info)
	return r, info, err
}

// addedRecord is what is noted of a torrent that is added, with what was noted before where it goes to the same place.
// fresh: nothing has come of it yet. The error is seal.ErrKey where another key has opened it.
func (p *Peer) addedRecord(r Ref, dir, as string) (noted record, fresh bool, err error) {
	noted = record{Name: r.Name, Trackers: r.Trackers, WebSeeds: r.WebSeeds, Dir: dir, As: as}
	if r.Key != nil {
		noted.Key = r.Key[:]
	}
	before := p.state.record(addedBucket, r.InfoHash)
	if before == nil {
		return noted, true, nil
	}
	sameKey := slices.Equal(before.Key, noted.Key)
	if before.Header != nil && r.Key != nil && !sameKey {
		return noted, false, seal.ErrKey
	}
	if before.Dir == dir && before.As == as && sameKey {
		noted.Name, noted.Header, noted.Root, noted.Placed = before.Name, before.Header, before.Root, before.Placed
		noted.Paths, noted.Salt, noted.Files = before.Paths, before.Salt, before.Files
	}
	return noted, noted.Root == "" && r.Key != nil && noted.Header == nil, nil
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
		if !slices.Equal(known.record.Key, t.record.Key) {
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
	response, err := p.ways.Given().Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetching the .torrent file: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if code := response.StatusCode; code != http.StatusOK {
		err := fmt.Errorf("%s answers %s", response.Request.URL.Host, response.Status)
		if code >= http.StatusInternalServerError || code == http.StatusTooManyRequests { // as when it cannot be reached
			err = &url.Error{Op: "Get", URL: name, Err: err}
		}
		return nil, fmt.Errorf("fetching the .torrent file: %w", err)
	}
	// Its data may lie on this machine, too. Any other name may lead elsewhere the next time (DNS rebinding).
	if loopback.Host(strings.ToLower(request.URL.Host)) {
		p.ways.Name(name)
	}
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
