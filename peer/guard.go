package peer

import (
	"crypto/sha1"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/iplist"
	"github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/mse"
	pp "github.com/anacrolix/torrent/peer_protocol"
	"github.com/anacrolix/torrent/peer_protocol/ut-holepunch"
)

const (
	extLink     = pp.ExtensionName("sl_link")
	extMetadata = pp.ExtensionName("ut_metadata")

	// Of one connection:
	maxPunches    = 100      // ut_holepunch messages
	maxPorts      = 2        // port messages (BEP 5)
	maxHandshakes = 8        // of BEP 10
	maxUnanswered = 16 << 10 // requests whose answers it has not read

	// In bytes:
	maxPEX     = 4 << 10 // BEP 11 names fifty peers at a time
	maxRequest = 128 << 10
)

// The extensions that we name (BEP 10), those that the engine answers in front. Metadata is ours (metadata.go).
var (
	overSocket = ltep(2, utHolepunch.ExtensionName, pp.ExtensionNamePex, extMetadata)
	overLink   = ltep(1, pp.ExtensionNamePex, extMetadata, extLink)
	// Of a torrent that is private in the sense of BEP 27, and where PEX is off.
	overSocketAlone = ltep(1, utHolepunch.ExtensionName, extMetadata)
	overLinkAlone   = ltep(0, extMetadata, extLink)
)

// overAll are the extensions that we may name.
var overAll = []pp.ExtensionName{utHolepunch.ExtensionName, pp.ExtensionNamePex, extMetadata, extLink}

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
	greeted  int
	has      bool         // it has said what it has
	named    int64        // so many pieces there must be, by what it said before that was known
	requests atomic.Int64 // that it has made
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
	case pp.Piece:
		// The engine writes what came where it says it belongs, and the program ends where that is beyond the piece.
		c.bad = c.bad || !isBlock(pc.Torrent().Info(), m)
	case pp.Request:
		c.requests.Add(1)
		c.bad = c.bad || m.Length > maxRequest
	case pp.Have, pp.Bitfield, pp.HaveAll, pp.HaveNone:
		// Have none comes first or not at all (BEP 6): after have all the engine miscounts who has what, and the program
		// ends when the torrent is unloaded.
		c.bad = c.bad || m.Type == pp.HaveNone && c.has || !g.fits(c, m)
		c.has = true
	case pp.Port:
		c.ports++
		drop = c.ports > maxPorts
	case pp.Extended:
		drop = c.extended(pc, m)
	}
	if c.bad {
		m.Type = unheardOf
	} else if drop {
		m.Keepalive = true
	}
}

// extended is message for those of extensions (BEP 10). drop: the engine is not to get it.
func (c *conn) extended(pc *torrent.PeerConn, m *pp.Message) (drop bool) {
	greeting := m.ExtendedID == pp.HandshakeExtendedID
	name, builtin, err := pc.LocalLtepProtocolMap.LookupId(m.ExtendedID)
	punch := builtin && name == utHolepunch.ExtensionName
	switch {
	case greeting:
		c.greeted++
		drop = c.greeted > maxHandshakes // the engine starts PEX anew with each
	case err == nil && punch:
		// It is answered, which needs the other side's id of it.
		_, named := pc.PeerExtensionIDs[utHolepunch.ExtensionName]
		c.punches++
		drop = !named || c.punches > maxPunches
	case err == nil && name == pp.ExtensionNamePex:
		drop = len(m.ExtendedPayload) > maxPEX // it keeps all that it is told of
	}
	if greeting || builtin && !punch {
		n, err := skim(m.ExtendedPayload)
		c.bad = c.bad || err != nil || n != len(m.ExtendedPayload)
	}
	return drop
}

// fits says whether there are the pieces that a message is of. Where that is not known yet it notes how many there must be:
// the engine believes it, and the program would end when the torrent is unloaded.
func (g *guard) fits(c *conn, m *pp.Message) bool {
	least := int64(0)
	switch m.Type {
	case pp.Have:
		least = int64(m.Index) + 1
	case pp.Bitfield:
		for i, has := range m.Bitfield {
			if has {
				least = int64(i) + 1
			}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.t == nil || c.t.numbered > 0 {
		return c.t == nil || least <= c.t.numbered
	}
	c.named = max(c.named, least)
	return least <= maxInfo/sha1.Size
}

// number makes it known of how many pieces a torrent is. It bans who has named others, and says whether somebody has: then
// the torrent must leave the engine before that hears of it.
func (g *guard) number(t *Torrent, pieces int) (wrong bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.numbered = int64(pieces)
	for pc, c := range g.conns {
		if c.t == t && c.named > t.numbered {
			g.keepOut(pc.RemoteAddr.String())
			wrong = true
		}
	}
	return wrong
}

// unread closes the connections of those who ask on and on and read no answers, for which memory is taken. It is called
// once a second, without the engine's lock.
func (g *guard) unread(pcs []*torrent.PeerConn) {
	for _, pc := range pcs {
		c := g.conn(pc)
		if c == nil {
			continue
		}
		requests := c.requests.Load()
		s := pc.Stats()
		chunks := s.ChunksWritten.Int64()
		// A reject is of 17 bytes, and before a block there are 13.
		rejected := (s.BytesWritten.Int64() - s.BytesWrittenData.Int64() - 13*chunks) / 17
		if requests-chunks-rejected > maxUnanswered && pc.PeerExtensionBytes.SupportsFast() {
			_ = pc.Close()
		}
	}
}

// isBlock says whether a piece message is one of the blocks that the engine asks for: 16 KiB, or what there is at the end
// of a piece. Without metadata nothing is asked for.
func isBlock(info *metainfo.Info, m *pp.Message) bool {
	if info == nil || int64(m.Index) >= int64(info.NumPieces()) || m.Begin%blockSize != 0 {
		return false
	}
	left := info.Piece(int(m.Index)).Length() - int64(m.Begin)
	return left > 0 && int64(len(m.Piece)) == min(blockSize, left)
}

// unheardOf is a message at which the engine closes the connection.
const unheardOf = pp.MessageType(0xff)

func (g *guard) handshake(pc *torrent.PeerConn, d *pp.ExtendedHandshakeMessage) {
	c := g.conn(pc)
	size := d.MetadataSize
	d.MetadataSize = 0 // the engine's own way to fetch metadata trusts it
	// It counts for ever what it hears of, under any name, and of requests under their length: so it hears of few.
	maps.DeleteFunc(d.M, func(name pp.ExtensionName, _ pp.ExtensionNumber) bool { return !slices.Contains(overAll, name) })
	if c == nil {
		return
	}
	if c.t != nil && c.t.alone() {
		delete(d.M, pp.ExtensionNamePex)
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
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keepOut(addr)
}

// keepOut needs the lock.
func (g *guard) keepOut(addr string) {
	if host, _, err := net.SplitHostPort(addr); err == nil && len(g.banned) < 1<<16 {
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
