package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/starling-p2p/starling/link"
	"github.com/starling-p2p/starling/rendezvous"
)

// What the script goes by, where its owner sets nothing else (web/edge/settings.ts, media.ts).
const (
	inView   = 1
	deadline = 5 * time.Second
	lead     = 4 * time.Second
	grace    = time.Second
	upload   = 2_000_000
	ahead    = 30 * time.Second
	lookEach = 250 * time.Millisecond
	tickEach = 250 * time.Millisecond // web/engine/node.ts
	maxLinks = 30
)

// visitor is one of them.
type visitor struct {
	id       link.PeerID
	site     *site
	uploads  *rate.Limiter
	mu       sync.Mutex
	changed  *sync.Cond
	torrents map[link.InfoHash]*torrent
	http     int
	stalls   int
	causes   map[string]int
}

// visit stays until the context ends.
func visit(ctx context.Context, s *site, number int, seconds float64) error {
	v := &visitor{site: s, uploads: rate.NewLimiter(upload, upload), torrents: map[link.InfoHash]*torrent{}, causes: map[string]int{}}
	v.changed = sync.NewCond(&v.mu)
	copy(v.id[:], "-SL0100-")
	_, _ = rand.Read(v.id[8:]) // never fails
	links, err := link.New(link.Options{PeerID: v.id, Listen: "127.0.0.1:0", MaxLinks: maxLinks, Channel: func(c *link.Channel) { go v.run(c) }})
	if err != nil {
		return err
	}
	defer links.Close()
	sums, err := s.manifest(ctx)
	if err != nil {
		return err
	}
	pictures, film := s.paths()
	paths := pictures
	if film != "" {
		paths = append(paths[:len(paths):len(paths)], film)
	}
	f, err := s.lookup(ctx, paths)
	if err != nil {
		return err
	}
	client := rendezvous.New(rendezvous.Options{PeerID: v.id, Links: links})
	defer client.Close()
	assets := v.enter(f, links)

	alone := v.announce(f, client, links)
	go v.tick(ctx)
	if err := v.load(ctx, pictures, film, seconds, assets, alone); err != nil {
		return err
	}
	if err := v.report(ctx, number, paths, assets, sums); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// announce enters the swarms, and returns those in which nobody else is.
func (v *visitor) announce(f found, client *rendezvous.Client, links *link.Links) map[*torrent]bool {
	alone := map[*torrent]bool{}
	for _, t := range f.Torrents {
		torrent := v.torrents[infoHash(t.InfoHash)]
		alone[torrent] = t.Peers == 0
	}
	for ih, t := range v.torrents {
		// Who finds others asks them with the first announce.
		links.Want(ih, !alone[t])
		presence := client.Add(ih, []string{v.site.tracker()}, func() (int64, int64, int64) { return t.state() })
		if alone[t] {
			presence.Lacking(false)
		}
		v.mu.Lock()
		t.presence, t.lacking = presence, !alone[t]
		v.mu.Unlock()
	}
	return alone
}

// load has the page's pictures and its film come, and fails with the first that does not.
func (v *visitor) load(ctx context.Context, pictures []string, film string, seconds float64, assets map[string]*asset, alone map[*torrent]bool) error {
	var all sync.WaitGroup
	var failed error
	var once sync.Once
	fail := func(err error) {
		if err != nil {
			once.Do(func() { failed = err })
		}
	}
	var rest []*asset
	for i, path := range pictures {
		a := assets[path]
		switch {
		case a == nil:
			return fmt.Errorf("the site does not name %s", path)
		case i < inView:
			all.Go(func() { fail(v.fetch(ctx, a, 0, a.pieces, "")) })
		case alone[a.torrent]:
			all.Go(func() { fail(v.fetch(ctx, a, 0, a.pieces, "alone")) })
		default:
			rest = append(rest, a)
		}
	}
	all.Go(func() { fail(v.show(ctx, rest)) })
	if a := assets[film]; a != nil {
		all.Go(func() { fail(v.play(ctx, a, seconds, alone[a.torrent])) })
	}
	all.Wait()
	return failed
}

// report compares what has come with the site's own sums, prints it and tells the site.
func (v *visitor) report(ctx context.Context, number int, paths []string, assets map[string]*asset, sums map[string][]byte) error {
	wrong, peers := 0, 0
	v.mu.Lock()
	for _, path := range paths {
		a := assets[path]
		sum := sha256.Sum256(bytes.Join(a.torrent.data[a.first:a.first+a.pieces], nil))
		if !bytes.Equal(sum[:], sums[path]) {
			wrong++
		}
	}
	liars := 0
	for _, t := range v.torrents {
		peers += t.peers
		liars += t.liars
	}
	fmt.Println("done", number, peers, v.http, wrong, v.stalls)
	beacon := map[string]any{"peers": peers, "http": v.http, "liars": liars, "stalls": v.stalls, "causes": v.causes}
	v.mu.Unlock()
	return v.site.ask(ctx, http.MethodPost, "/.starling/beacon", beacon, nil)
}

// tick has the torrents do what is to be done now and then, until the context ends.
func (v *visitor) tick(ctx context.Context) {
	t := time.NewTicker(tickEach)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		v.mu.Lock()
		for _, t := range v.torrents {
			t.tick()
		}
		v.mu.Unlock()
	}
}

// enter makes the torrents that a lookup told of.
func (v *visitor) enter(f found, links *link.Links) map[string]*asset {
	all := make([]*torrent, len(f.Torrents))
	for i, t := range f.Torrents {
		all[i] = &torrent{
			infoHash: infoHash(t.InfoHash), pieceLength: t.PieceLength, links: links, lock: &v.mu, changed: v.changed,
			data: make([][]byte, t.Pieces), owners: make([]*asset, t.Pieces), asked: map[int]ask{}, conns: map[*conn]struct{}{},
		}
		v.torrents[all[i].infoHash] = all[i]
		links.Want(all[i].infoHash, false)
	}
	assets := map[string]*asset{}
	for path, lie := range f.Assets {
		a := &asset{path: path, torrent: all[lie.Torrent], first: lie.First, size: lie.Size, sums: must(base64.StdEncoding.DecodeString(lie.Sums))}
		a.pieces = len(a.sums) / sumSize
		for i := range a.pieces {
			a.torrent.owners[a.first+i] = a
		}
		assets[path] = a
	}
	return assets
}

// state is what announces tell; it is called without the lock.
func (t *torrent) state() (left, uploaded, downloaded int64) {
	t.lock.Lock()
	defer t.lock.Unlock()
	for _, data := range t.data {
		if data == nil {
			left += int64(t.pieceLength)
		}
	}
	return left, 0, int64(t.peers)
}

func infoHash(text string) link.InfoHash { return link.InfoHash(must(hex.DecodeString(text))) }

// limit waits until so many bytes may be sent.
func (v *visitor) limit(n int) { _ = v.uploads.WaitN(context.Background(), n) } // it is never more than the burst

// fetch takes over HTTP what is lacking of pieces [from, to), in as few ranges as there are gaps.
func (v *visitor) fetch(ctx context.Context, a *asset, from, to int, cause string) error {
	t := a.torrent
	for i := from; i < to; i++ {
		v.mu.Lock()
		last := i
		for last < to && t.data[a.first+last] == nil {
			last++
		}
		v.mu.Unlock()
		if last == i {
			continue
		}
		start, end := i*t.pieceLength, min(a.size, last*t.pieceLength)
		data, err := v.site.bytes(ctx, a.path, start, end)
		if err != nil {
			return err
		}
		v.mu.Lock()
		v.http += len(data)
		if cause != "" {
			v.causes[cause]++
		}
		for ; i < last; i++ {
			n := a.length(i)
			if !t.take(a.first+i, data[:n:n]) {
				v.mu.Unlock()
				return fmt.Errorf("%s: piece %d came wrong over HTTP", a.path, i)
			}
			data = data[n:]
		}
		v.mu.Unlock()
	}
	return nil
}

// show brings pictures that are not in view.
func (v *visitor) show(ctx context.Context, pictures []*asset) error {
	if len(pictures) == 0 {
		return nil
	}
	t := pictures[0].torrent
	var wanted []int
	for _, a := range pictures {
		for i := range a.pieces {
			wanted = append(wanted, a.first+i)
		}
	}
	v.mu.Lock()
	t.want(wanted)
	end := time.Now().Add(deadline)
	for len(t.wanted) > 0 && time.Now().Before(end) && ctx.Err() == nil {
		v.waitFor(lookEach)
		for c := range t.conns {
			t.request(c)
		}
	}
	t.want(nil)
	v.mu.Unlock()
	for _, a := range pictures {
		if err := v.fetch(ctx, a, 0, a.pieces, "deadline"); err != nil {
			return err
		}
	}
	return nil
}

// waitFor waits for a change, so long at most. The lock is held.
func (v *visitor) waitFor(d time.Duration) {
	timer := time.AfterFunc(d, v.changed.Broadcast)
	defer timer.Stop()
	v.changed.Wait()
}

// play brings a film as its player needs it.
func (v *visitor) play(ctx context.Context, a *asset, seconds float64, alone bool) error {
	t := a.torrent
	pace := float64(a.size) / seconds
	begun, played, last := time.Now(), 0.0, time.Now()
	started := false
	for played < float64(a.size) && ctx.Err() == nil {
		now := time.Now()
		v.mu.Lock()
		// As much is played as there is.
		there := int(played) / t.pieceLength
		for there < a.pieces && t.data[a.first+there] != nil {
			there++
		}
		if upTo := float64(min(there*t.pieceLength, a.size)); started {
			next := played + now.Sub(last).Seconds()*pace
			if next > upTo && upTo < float64(a.size) {
				v.stalls++
			}
			played = min(next, upTo)
		}
		started = started || there > 0
		last = now
		due := lead
		if now.Sub(begun) < grace {
			due = grace
		}
		urgent := min(a.pieces, int(played+due.Seconds()*pace)/t.pieceLength+1)
		far := min(a.pieces, int(played+ahead.Seconds()*pace)/t.pieceLength+1)
		if alone && len(t.conns) == 0 {
			urgent = far
		}
		var wanted []int
		for i := urgent; i < far; i++ {
			wanted = append(wanted, a.first+i)
		}
		t.want(wanted)
		v.mu.Unlock()
		cause := "late"
		if alone {
			cause = "alone"
		}
		if err := v.fetch(ctx, a, int(played)/t.pieceLength, urgent, cause); err != nil {
			return err
		}
		v.mu.Lock()
		v.waitFor(lookEach)
		v.mu.Unlock()
	}
	return ctx.Err()
}
