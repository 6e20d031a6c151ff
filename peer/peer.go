// Package peer joins both worlds: it speaks BitTorrent over TCP and uTP with ordinary clients, and over WebRTC with
// browsers, so that each side helps the other.
//
//	files ─ Share ─▶ hashed where they lie ─▶ seeded, as they are or sealed as they are read
//	link, magnet, infohash, .torrent ─ Add ─▶ part files ─ all verified ─▶ files under their names ─▶ seeded
//	                                             └─ File.NewReader: verified bytes, in the order in which they are read
//
//	           ┌ TCP, uTP: anacrolix/torrent ───────────────┐
//	peers  ────┤                                            ├── store: pieces ── content: files
//	           └ links: channel ── shim ── as a net.Conn ───┘
//	found by:  rendezvous (ws), announcer (http, udp), DHT, PEX, LSD
//
// A torrent costs little while nobody asks for it: it is loaded into the engine when it lacks data or when a handshake
// for it arrives, and leaves it when its last connection has gone (load.go). What is known of torrents lies in one
// database below the data directory (state.go), which one process has at a time.
//
// No type of the engine leaves this package. Everything here may be used by many goroutines at once.
//
// Where to look:
//
//	what callers hold    peer.go, torrent.go, stats.go, ref.go: what links, magnets and infohashes say
//	to fetch             add.go ─ metadata.go: BEP 9 ─ metainfo.go: is it sound? ─ understand.go: what is on disk already?
//	  as it comes        disk.go: part files ─ early.go: web seeds at first ─ wants.go: what comes first ─ reader.go
//	  at the end         place.go: files under their names; existing.go: they lie there from the start
//	to share             share.go, listing.go: the files; changed.go: one has changed since
//	its bytes            store.go: as pieces ─ content.go: as files ─ handles.go: as open files; hash.go, bits.go
//	  on the disk        hold_unix.go: nobody else writes there ─ unsaved.go: it cannot be written ─ sync_linux.go ─ rename_linux.go ─ namelen_linux.go
//	  what is noted      state.go: the database ─ progress.go: which pieces are right ─ stamp.go: how the files looked
//	to find peers        find.go: all ways ─ announcer.go, announced.go, trackers.go, scrape.go ─ dht.go, dhtstore.go ─ lsd.go
//	  in this network    ports.go, gateway_linux.go: the router lets peers in; whereabouts.go: this machine has moved
//	  strangers' URLs    package internal/egress: what a link may have this machine ask
//	to talk to them      engine.go: anacrolix/torrent, and its limits; load.go: which torrents it has; utp_cgo.go
//	  before it          guard.go: what it does not survive, bans; packets.go: the same of the DHT; bencode.go
//	  over links         ice.go: STUN and TURN servers ─ shim.go: a channel as a net.Conn ─ asking.go: requests, held back ─ pace.go: how long; speed.go
//	BEPs of a file each  hybrid.go: 52, v2 torrents; padding.go: 47, files that are none
package peer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/anacrolix/torrent"
	"github.com/pion/webrtc/v4"
	"golang.org/x/time/rate"

	"github.com/starling-p2p/starling/internal/egress"
)

// DHT says how the distributed hash table (BEP 5) is used.
type DHT struct {
	Enabled bool
	// Bootstrap are nodes to begin with, host:port; none: the well-known ones.
	Bootstrap []string
}

// Options say what a peer is made of. Defaults returns the usual ones.
type Options struct {
	// DataDir is where the peer keeps what it knows of its torrents. One process uses it at a time. The folder's time is that
	// of the last hour in which one did.
	DataDir string
	// Listen is the address for TCP, uTP and the DHT [":0"].
	Listen string
	// LinkListen is the UDP address for links [":0"].
	LinkListen string
	// Trackers are announced to for torrents that name none, and named in their links.
	Trackers []string

	WebRTC, TCP, UTP bool
	DHT              DHT
	// PEX exchanges peers with peers (BEP 11); LSD finds those on the local network (BEP 14).
	PEX, LSD bool
	// PortMapping asks the router, by UPnP and NAT-PMP, to let peers in.
	PortMapping bool

	// UploadLimit and DownloadLimit are bytes per second for all torrents together, over TCP, uTP and links; 0: none.
	UploadLimit, DownloadLimit int64
	// ICEServers are asked for anew before their credentials end; nil: none.
	ICEServers func(context.Context) ([]webrtc.ICEServer, error)

	// Version is named to other peers, trackers and web seeds ["0"].
	Version string
	// Log gets what a person may want to know [none].
	Log *slog.Logger

	tick      time.Duration                // of keepHouse
	dialing   time.Duration                // how long to wait for an answer
	addresses func() ([]netip.Addr, error) // of this machine
	wall      func() time.Time             // the time of day
	namelen   func(dir string) int         // how long names may be there
}

// Defaults are the options of a peer that uses everything but port mapping and limits.
func Defaults(dataDir string) Options {
	return Options{
		DataDir: dataDir, WebRTC: true, TCP: true, UTP: true, DHT: DHT{Enabled: true}, PEX: true, LSD: true,
	}
}

var (
	// ErrInUse is for a data directory that another process has.
	ErrInUse = errors.New("another starling uses this data folder: stop it, or name another folder")
	// ErrUnfit is for a data directory on a file system without the locks, or the mapping into memory, that a database needs.
	ErrUnfit = errors.New("the data folder is on a file system that cannot hold a database, as network drives are at times: name a folder on a disk of this machine")
	// ErrBusy is for a torrent that another peer fetches to the same folder at this moment.
	ErrBusy = errors.New("another starling fetches this to the same folder: wait until it has, or name another folder")
	// ErrListen is for Options.Listen: the port is taken, or the address is none of this machine's.
	ErrListen = errors.New("starting to listen for peers")
	// ErrClosed is for what was closed meanwhile.
	ErrClosed = errors.New("the peer or the torrent was closed meanwhile: add it again, to a peer that is open")
)

// Peer shares and fetches torrents. Close it.
type Peer struct {
	o       Options
	log     *slog.Logger
	id      [20]byte
	salt    [20]byte // of what peers over links are told apart by
	state   *state
	handles *handles
	client  *torrent.Client
	guard   *guard
	dht     *dhtStore
	finders finders
	ways    *egress.Ways
	paces   paces

	ctx    context.Context
	stop   context.CancelFunc
	work   sync.WaitGroup
	hashes chan struct{} // one token per piece that is hashed at once
	down   *rate.Limiter // of what comes; nil: there is no limit

	mu       sync.Mutex
	torrents map[[20]byte]*Torrent
	closed   bool
}

// New starts a peer. Errors: ErrInUse, ErrUnfit, and whatever else keeps it from its directory or its ports.
func New(o Options) (*Peer, error) {
	if o.DataDir == "" {
		return nil, errors.New("a peer needs a data directory")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Version == "" {
		o.Version = "0"
	}
	if o.tick == 0 {
		o.tick = time.Second
	}
	if o.dialing == 0 {
		o.dialing = dialing
	}
	if o.namelen == nil {
		o.namelen = namelen
	}
	if o.UTP && !haveUTP {
		if !o.TCP && !o.WebRTC {
			return nil, errors.New("this program was built without uTP: let peers meet it by TCP or WebRTC, or build it with make and a C compiler")
		}
		o.UTP = false
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	o.DataDir = dir
	p := &Peer{
		o: o, log: o.Log, torrents: map[[20]byte]*Torrent{}, handles: newHandles(maxHandles), dht: newDHTStore(),
		hashes: make(chan struct{}, hashers()), ways: egress.New(o.Trackers...),
	}
	p.ways.Agent = "Starling/" + o.Version
	copy(p.id[:], "-SL0001-")
	_, _ = rand.Read(p.id[8:]) // it never fails
	_, _ = rand.Read(p.salt[:])
	if p.state, err = openState(dir); err != nil {
		return nil, err
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.guard = newGuard(p)
	if err := p.start(); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Peer) start() (err error) {
	if p.client, err = newEngine(p); err != nil {
		return fmt.Errorf("%w: %w", ErrListen, err)
	}
	if err := p.finders.start(p); err != nil {
		return err
	}
	p.touch()
	at := newWhereabouts(p.o.addresses, p.o.wall)
	p.work.Go(func() { p.keepHouse(at) })
	return nil
}

// ID is the peer_id, which begins with -SL.
func (p *Peer) ID() [20]byte { return p.id }

// Addr is where it listens for TCP or uTP; nil where it does not.
func (p *Peer) Addr() net.Addr {
	for _, l := range p.client.Listeners() {
		if _, own := l.(*channels); !own {
			return l.Addr()
		}
	}
	return nil
}

// Torrents are all that have been shared or added and not been closed.
func (p *Peer) Torrents() []*Torrent {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*Torrent, 0, len(p.torrents))
	for _, t := range p.torrents {
		all = append(all, t)
	}
	return all
}

func (p *Peer) torrent(ih [20]byte) *Torrent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.torrents[ih]
}

// Close stops everything, writes down what is known and keeps all data. It may be called twice.
func (p *Peer) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.mu.Unlock()

	p.stop()
	for _, t := range p.Torrents() {
		t.end()
	}
	p.finders.close()
	if p.client != nil {
		p.client.Close()
		p.finders.closed()
	}
	p.work.Wait()
	p.ways.Close()
	p.handles.close()
	return p.state.close()
}

// goWork runs what Close is to wait for; nothing once it was called.
func (p *Peer) goWork(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.work.Go(f)
	}
}

// touchEvery is how many ticks are between two times that the data folder is made to look as young as it is.
const touchEvery = 3600

func (p *Peer) touch() {
	now := time.Now()
	_ = os.Chtimes(p.o.DataDir, now, now) // for whoever removes what nobody uses any more
}

// keepHouse does what is to be done from time to time for torrents that are loaded.
func (p *Peer) keepHouse(at *whereabouts) {
	tick := time.NewTicker(p.o.tick)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
		for _, t := range p.Torrents() {
			t.tick(n)
		}
		if n%lookEvery == 0 {
			p.finders.moved(at.look())
		}
		if n%60 == 0 {
			forgetCounts()
		}
		if n%touchEvery == 0 {
			p.touch()
		}
	}
}
