package peer

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/anacrolix/torrent"

	"github.com/starling-p2p/starling/internal/egress"
	"github.com/starling-p2p/starling/link"
	"github.com/starling-p2p/starling/rendezvous"
)

// finders are the ways in which a peer finds others for its torrents, and is found.
type finders struct {
	p          *Peer
	channels   *channels
	links      *link.Links
	rendezvous *rendezvous.Client
	announcer  *announcer
	dht        *dhtQueue
	lsd        *lsd
	mapper     *mapper
}

func (f *finders) start(p *Peer) (err error) {
	f.p = p
	f.announcer = newAnnouncer(p)
	if p.o.WebRTC {
		f.channels = newChannels()
		p.client.AddListener(f.channels)
		f.links, err = link.New(link.Options{
			PeerID: p.id, Listen: p.o.LinkListen, ICEServers: p.o.ICEServers, Dial: p.ways.Dial, Proxy: p.ways.Proxy, Log: p.log,
			Channel: func(c *link.Channel) { p.goWork(func() { f.channels.open(p, c) }) },
			Failed: func(ih link.InfoHash) {
				if t := p.torrent(ih); t != nil {
					p.goWork(t.found.wake)
				}
			},
		})
		if err != nil {
			return fmt.Errorf("starting to listen for links: %w", err)
		}
		f.rendezvous = rendezvous.New(rendezvous.Options{
			PeerID: p.id, Links: f.links, Dial: p.ways.Dial, Proxy: p.ways.Proxy, Agent: p.ways.Agent, Lost: f.links.Renew, Log: p.log,
		})
	}
	if p.o.DHT.Enabled {
		f.dht = newDHTQueue(p)
	}
	if p.o.LSD {
		if f.lsd, err = newLSD(p); err != nil {
			p.log.Warn("peers on the local network are not looked for", "error", err)
		}
	}
	if p.o.PortMapping {
		f.mapper = newMapper(p)
	}
	return nil
}

// close says goodbye, before the engine ends.
func (f *finders) close() {
	if f.rendezvous != nil {
		_ = f.rendezvous.Close()
	}
	if f.announcer != nil {
		f.announcer.close()
	}
	if f.links != nil {
		_ = f.links.Close()
	}
}

// closed: the engine has ended.
func (f *finders) closed() {
	if f.channels != nil {
		f.channels.close()
	}
}

// found is one torrent's part in it.
type found struct {
	t *Torrent

	// whole: it is said that nothing is left.
	whole atomic.Bool

	mu    sync.Mutex
	begun bool
	ended bool
	rdv   *rendezvous.Torrent
	hints []torrent.PeerInfo // that were named
	// remembered are the last that were found, for when a torrent is loaded anew or all are gone.
	remembered []torrent.PeerInfo
}

// begin announces the torrent.
func (f *found) begin() {
	trackers := f.t.Trackers()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begun || f.ended {
		return
	}
	f.begun = true
	lacking := f.t.lacking()
	if !lacking {
		f.whole.Store(true)
	}
	finders := &f.t.p.finders
	if finders.links != nil {
		finders.links.Want(f.t.ih, lacking)
	}
	f.announce(trackers, lacking)
	if finders.dht != nil {
		finders.dht.add(f.t)
	}
	if finders.lsd != nil {
		finders.lsd.add(f.t)
	}
}

func (f *found) announce(trackers []string, lacking bool) {
	finders := &f.t.p.finders
	trackers = slices.DeleteFunc(trackers, func(tracker string) bool {
		lost := strings.HasPrefix(strings.ToLower(tracker), "ws") && !finders.p.ways.Leads(tracker)
		if lost {
			finders.p.log.Warn("a tracker is left out", "tracker", tracker, "error", egress.ErrNear)
		}
		return lost
	})
	if finders.rendezvous != nil {
		f.rdv = finders.rendezvous.Add(f.t.ih, trackers, f.t.announced)
		f.rdv.Lacking(lacking)
	}
	for _, tracker := range trackers {
		if !strings.HasPrefix(tracker, "ws") {
			finders.announcer.add(f.t, tracker)
		}
	}
}

// announced is what trackers are told: bytes. Of unknown ones -1 are left.
func (t *Torrent) announced() (left, uploaded, downloaded int64) {
	left = -1
	if s := t.data(); s != nil {
		left = s.missing()
	}
	// Trackers count as a download who completes, not who has something left and then nothing.
	if left == 0 && !t.found.whole.Load() {
		left = 1
	}
	downloaded, uploaded = t.meter.totals()
	return left, uploaded, downloaded
}

// also announces it at more trackers.
func (f *found) also(trackers []string) {
	t := f.t
	t.mu.Lock()
	before := len(t.record.Trackers)
	for _, tracker := range trackers {
		if !slices.Contains(t.record.Trackers, tracker) && len(t.record.Trackers) < maxURLs {
			t.record.Trackers = append(t.record.Trackers, tracker)
		}
	}
	more := slices.Clone(t.record.Trackers[before:])
	all := slices.Clone(t.record.Trackers)
	t.mu.Unlock()
	if len(more) == 0 {
		return
	}
	lacking := t.lacking()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.begun || f.ended {
		return
	}
	if f.rdv != nil {
		f.rdv.Close()
	}
	f.announce(all, lacking)
}

// nudge tells the engine whom to try.
func (f *found) nudge() {
	f.mu.Lock()
	hints := slices.Concat(f.hints, f.remembered)
	f.mu.Unlock()
	f.meet(hints)
}

// peers are some that were named.
func (f *found) peers(addresses []string) {
	for _, a := range addresses {
		if host, port, err := net.SplitHostPort(a); err == nil && net.ParseIP(host) != nil && port != "" {
			f.mu.Lock()
			f.hints = append(f.hints, torrent.PeerInfo{Addr: torrent.StringAddr(a), Source: torrent.PeerSourceDirect})
			f.mu.Unlock()
		}
	}
	if f.t.lacking() {
		f.nudge()
	}
}

// met hands on addresses that were found.
func (f *found) met(addresses []net.Addr, source torrent.PeerSource) {
	peers := infos(addresses, source)
	if f.t.lacking() {
		f.keep(peers)
	}
	f.meet(peers)
}

func infos(addresses []net.Addr, source torrent.PeerSource) (all []torrent.PeerInfo) {
	for _, a := range addresses {
		all = append(all, torrent.PeerInfo{Addr: a, Source: source})
	}
	return all
}

// invite is met for who was found by a tracker or nearby, also of a torrent that lacks nothing: somebody may wait for it
// who is not able to connect to this peer.
func (f *found) invite(addresses []net.Addr) {
	if len(addresses) > 0 && !f.t.lacking() {
		if e := f.t.load(); e != nil {
			e.AddPeers(infos(addresses, torrent.PeerSourceTracker))
		}
		return
	}
	f.met(addresses, torrent.PeerSourceTracker)
}

func (f *found) meet(peers []torrent.PeerInfo) {
	if e := f.t.engine.Load(); e != nil && len(peers) > 0 && f.t.lacking() {
		e.AddPeers(peers)
	}
}

// maxRemembered is how many peers are kept for when a torrent is loaded anew.
const maxRemembered = 64

// remember keeps whom this peer has connected to. Not what the engine knows of others, which it guards too badly.
func (f *found) remember(e *torrent.Torrent) {
	if !f.t.lacking() {
		return
	}
	var peers []torrent.PeerInfo
	for _, pc := range e.PeerConns() {
		if pc.Discovery != torrent.PeerSourceIncoming && len(peers) < maxRemembered {
			peers = append(peers, torrent.PeerInfo{Addr: pc.RemoteAddr, Source: pc.Discovery})
		}
	}
	f.keep(peers)
}

func (f *found) keep(peers []torrent.PeerInfo) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := append(f.remembered, peers...)
	f.remembered = slices.Clone(all[max(0, len(all)-maxRemembered):])
}

// wake: another way to the same peers is wanted soon.
func (f *found) wake() {
	f.mu.Lock()
	rdv := f.rdv
	f.mu.Unlock()
	if rdv != nil {
		rdv.Wake()
	}
}

// completed: nothing is lacking any more.
func (f *found) completed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole.Store(true)
	if !f.begun || f.ended {
		return
	}
	finders := &f.t.p.finders
	if finders.links != nil {
		finders.links.Want(f.t.ih, false)
	}
	var told []string
	if f.rdv != nil {
		for _, s := range f.rdv.Status() {
			if s.Connected {
				told = append(told, "http"+strings.TrimPrefix(s.URL, "ws"))
			}
		}
		f.rdv.Completed()
	}
	finders.announcer.completed(f.t, told)
}

func (f *found) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	f.ended = true
	if !f.begun {
		return
	}
	finders := &f.t.p.finders
	if f.rdv != nil {
		f.rdv.Close()
	}
	if finders.links != nil {
		finders.links.Drop(f.t.ih)
	}
	finders.announcer.remove(f.t)
	if finders.dht != nil {
		finders.dht.remove(f.t)
	}
	if finders.lsd != nil {
		finders.lsd.remove(f.t)
	}
}

func (f *found) trackers() (all []Tracker) {
	f.mu.Lock()
	rdv := f.rdv
	f.mu.Unlock()
	if rdv != nil {
		for _, s := range rdv.Status() {
			all = append(all, Tracker{s.URL, s.Connected, s.Err, s.Seeders, s.Leechers})
		}
	}
	return append(all, f.t.p.finders.announcer.status(f.t)...)
}
