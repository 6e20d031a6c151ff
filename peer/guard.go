package peer

import (
	"net"
	"sync"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/iplist"
	"github.com/anacrolix/torrent/mse"
	pp "github.com/anacrolix/torrent/peer_protocol"
	"github.com/anacrolix/torrent/peer_protocol/ut-holepunch"
)

const (
	extLink     = pp.ExtensionName("sl_link")
	extMetadata = pp.ExtensionName("ut_metadata")

	maxPunches = 100 // ut_holepunch messages of one connection
	maxPorts   = 2   // port messages (BEP 5) of one connection
)

// The extensions that we name (BEP 10), those that the engine answers in front. Metadata is ours (metadata.go).
var (
	overSocket = ltep(2, utHolepunch.ExtensionName, pp.ExtensionNamePex, extMetadata)
	overLink   = ltep(1, pp.ExtensionNamePex, extMetadata, extLink)
	// Of a torrent that is private in the sense of BEP 27, and where PEX is off.
	overSocketAlone = ltep(1, utHolepunch.ExtensionName, extMetadata)
	overLinkAlone   = ltep(0, extMetadata, extLink)
)

func ltep(builtin int, names ...pp.ExtensionName) *torrent.LocalLtepProtocolMap {
	return &torrent.LocalLtepProtocolMap{Index: names, NumBuiltin: builtin}
}

// guard stands between strangers' messages and the engine: it keeps from it what it does not survive, loads torrents
// that are asked for, and hands on what is ours. The engine calls it with its lock held, so it never waits for that nor
// for anything that does.
type guard struct {
	p *Peer

	mu     sync.Mutex
	conns  map[*torrent.PeerConn]*conn
	banned map[string]bool
}

// conn is what is known of one connection.
type conn struct {
	t        *Torrent
	shim     *shim // over a link
	bad      bool  // ends with its next message
	punches  int
	ports    int
	metadata metadata

	mu      sync.Mutex
	out     [][]byte // metadata messages to be sent
	sending bool
}

func newGuard(p *Peer) *guard {
	return &guard{p: p, conns: map[*torrent.PeerConn]*conn{}, banned: map[string]bool{}}
}

func (g *guard) listen(c *torrent.Callbacks) {
	c.CompletedHandshake = func(_ *torrent.PeerConn, ih torrent.InfoHash) {
		if t := g.p.torrent(ih); t != nil {
			t.load()
		}
	}
	c.ReceiveEncryptedHandshakeSkeys = mse.SecretKeyIter(g.secrets)
	c.PeerConnAdded = append(c.PeerConnAdded, g.added)
	c.PeerConnClosed = g.closed
	c.ReadMessage = g.message
	c.ReadExtendedHandshake = g.handshake
	c.PeerConnReadExtensionMessage = append(c.PeerConnReadExtensionMessage, g.extension)
}

// secrets are the infohashes, which are what encrypted handshakes (MSE) are tried with.
func (g *guard) secrets(try func([]byte) bool) {
	for _, t := range g.p.Torrents() {
		if !try(t.ih[:]) {
			return
		}
	}
}

func (g *guard) added(pc *torrent.PeerConn) {
	t := g.p.torrent(pc.Torrent().InfoHash())
	c := &conn{t: t}
	if a, ok := pc.RemoteAddr.(*linkAddr); ok {
		c.shim = a.shim
	}
	alone := !g.p.o.PEX || t == nil || t.alone()
	switch {
	case c.shim != nil && alone:
		pc.LocalLtepProtocolMap = overLinkAlone
	case c.shim != nil:
		pc.LocalLtepProtocolMap = overLink
	case alone:
		pc.LocalLtepProtocolMap = overSocketAlone
	default:
		pc.LocalLtepProtocolMap = overSocket
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[pc] = c
}

func (g *guard) closed(pc *torrent.PeerConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.conns[pc]; c != nil && c.t != nil {
		c.t.waiting.Delete(pc)
		c.t.metadataEnded(c)
	}
	delete(g.conns, pc)
}

func (g *guard) conn(pc *torrent.PeerConn) *conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.conns[pc]
}

// message may change what the engine is to make of a message.
func (g *guard) message(pc *torrent.PeerConn, m *pp.Message) {
	c := g.conn(pc)
	if c == nil || m.Keepalive {
		return
	}
	drop := false
	switch m.Type {
	case pp.Hashes, pp.HashRequest, pp.HashReject: // BEP 52, which nobody has been offered
		c.bad = true
	case pp.Port:
		c.ports++
		drop = c.ports > maxPorts
	case pp.Extended:
		name, builtin, err := pc.LocalLtepProtocolMap.LookupId(m.ExtendedID)
		if err == nil && builtin && name == utHolepunch.ExtensionName {
			// It is answered, which needs the other side's id of it.
			_, named := pc.PeerExtensionIDs[utHolepunch.ExtensionName]
			c.punches++
			drop = !named || c.punches > maxPunches
		}
		if m.ExtendedID == pp.HandshakeExtendedID || builtin {
			if n, err := skim(m.ExtendedPayload); name != utHolepunch.ExtensionName && (err != nil || n != len(m.ExtendedPayload)) {
				c.bad = true
			}
		}
	}
	if c.bad {
		m.Type = unheardOf
	} else if drop {
		m.Keepalive = true
	}
}

// unheardOf is a message at which the engine closes the connection.
const unheardOf = pp.MessageType(0xff)

func (g *guard) handshake(pc *torrent.PeerConn, d *pp.ExtendedHandshakeMessage) {
	c := g.conn(pc)
	size := d.MetadataSize
	d.MetadataSize = 0 // the engine's own way to fetch metadata trusts it
	if c == nil {
		return
	}
	if c.shim != nil && d.M[extLink] != 0 {
		c.shim.extended()
	}
	if d.M[extMetadata] != 0 && c.t != nil {
		c.t.metadataOffered(pc, c, size)
	}
}

func (g *guard) extension(e torrent.PeerConnReadExtensionMessageEvent) {
	if e.ExtensionNumber == pp.HandshakeExtendedID {
		return
	}
	c := g.conn(e.PeerConn)
	name, _, err := e.PeerConn.LocalLtepProtocolMap.LookupId(e.ExtensionNumber)
	if c == nil || c.t == nil || err != nil || name != extMetadata {
		return
	}
	c.t.metadataMessage(e.PeerConn, c, e.Payload)
}

// ban keeps an address out, on behalf of what the engine does not see.
func (g *guard) ban(addr string) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.banned) < 1<<16 {
		g.banned[host] = true
	}
}

// Lookup is for the engine.
func (g *guard) Lookup(ip net.IP) (r iplist.Range, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return r, len(g.banned) > 0 && g.banned[ip.String()]
}

// NumRanges is for the engine.
func (g *guard) NumRanges() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.banned)
}
