package peer

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anacrolix/torrent/bencode"
	pp "github.com/anacrolix/torrent/peer_protocol"

	"github.com/starling-p2p/starling/link"
)

const (
	handshakeLength = 68
	// longestBlock is named as sl_block: the longest that a request over a link is answered with.
	longestBlock = 64 << 10
	maxFirst     = 64 << 10
)

// shim is a channel of a link as the engine gets it: a connection that came in, whoever opened the channel. Where this
// side is the one to begin, the shim has sent the handshake (BEP 3) already when the engine waits for the other's, and
// swallows the engine's own. The engine's BEP 10 handshake gets sl_block on its way.
//
//	engine: handshake (68) ‖ BEP 10 handshake        ‖ messages …
//	wire:   handshake (68) ‖ the same, with sl_block ‖ messages …
type shim struct {
	net.Conn
	p       *Peer
	channel channel
	address *linkAddr
	once    sync.Once

	head  []byte // what was written and waits for more of its kind
	step  int    // handshake, first message, anything
	named atomic.Bool

	asking  asking
	writing sync.Mutex
}

// channel is what a shim needs of a *link.Channel.
type channel interface {
	net.Conn
	InfoHash() link.InfoHash
	Initiator() bool
	Identity() string
	Extended()
	Ban()
}

// linkAddr stands for the other end of a link. By its text the engine tells peers apart and bans them, so there is one
// for each peer, from the addresses that are nobody's (RFC 1112, class E), and nobody can choose to have that of another;
// told to others by PEX it would be of no use, so AddrPort has none.
type linkAddr struct {
	text string
	shim *shim
}

func (linkAddr) Network() string          { return "webrtc" }
func (a linkAddr) String() string         { return a.text }
func (linkAddr) AddrPort() netip.AddrPort { return netip.AddrPort{} }

func newShim(p *Peer, c channel) (*shim, error) {
	sum := sha1.Sum(append(p.salt[:], c.Identity()...))
	ip := [4]byte{0xf0 | sum[0]&0xf, sum[1], sum[2], sum[3]}
	s := &shim{Conn: c, p: p, channel: c}
	s.address = &linkAddr{text: net.JoinHostPort(netip.AddrFrom4(ip).String(), strconv.Itoa(1)), shim: s}
	if c.Initiator() {
		ih := c.InfoHash()
		b := append([]byte(pp.Protocol), extensions[:]...)
		b = append(append(b, ih[:]...), p.id[:]...)
		if _, err := c.Write(b); err != nil {
			return nil, err
		}
	}
	s.asking.asker = p.paces.join(c.Identity(), s.flush)
	return s, nil
}

// RemoteAddr is the peer's.
func (s *shim) RemoteAddr() net.Addr { return s.address }

// Close tells the link when the engine has banned the peer.
func (s *shim) Close() error {
	s.once.Do(func() {
		host, _, _ := net.SplitHostPort(s.address.text)
		for _, bad := range s.p.client.BadPeerIPs() {
			if bad == host {
				s.channel.Ban()
			}
		}
	})
	return s.end()
}

// end closes the channel, and others of its link may ask for more.
func (s *shim) end() error {
	s.p.paces.leave(s.asking.asker, time.Now())
	return s.Conn.Close()
}

// Read also has, between two messages, what the engine is to be told by this side.
func (s *shim) Read(b []byte) (int, error) {
	if len(s.asking.nudge) > 0 {
		left := s.asking.left()
		if left == 0 {
			n := copy(b, s.asking.nudge)
			s.asking.nudge = s.asking.nudge[n:]
			return n, nil
		}
		b = b[:min(len(b), left)]
	}
	n, err := s.Conn.Read(b)
	s.asking.came(b[:n], time.Now())
	return n, err
}

// flush sends the requests whose turn has come.
func (s *shim) flush() {
	s.writing.Lock()
	defer s.writing.Unlock()
	if b := s.asking.late(); len(b) > 0 {
		_, _ = s.Conn.Write(b) // if it fails, so does what the engine writes or reads next
	}
}

// SetDeadline never fails: if the channel has ended meanwhile, the next read tells. The engine would end the program.
func (s *shim) SetDeadline(t time.Time) error {
	_ = s.Conn.SetDeadline(t)
	return nil
}

// extended: the other side has named sl_link, and this one does so always.
func (s *shim) extended() {
	if !s.named.Swap(true) {
		s.p.goWork(s.channel.Extended)
	}
}

func (s *shim) Write(b []byte) (int, error) {
	for given := len(b); s.step < 2; {
		s.head = append(s.head, b...)
		b = nil
		out, more, err := s.next()
		if err != nil || more {
			return given, err
		}
		if len(out) > 0 {
			if _, err := s.Conn.Write(out); err != nil {
				return 0, err
			}
		}
		if s.step == 2 {
			b, s.head = s.head, nil
			if err := s.send(b); err != nil {
				return 0, err
			}
			return given, nil
		}
	}
	if err := s.send(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// send sends whole messages, but for requests that are to wait.
func (s *shim) send(b []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	out := s.asking.pass(b, time.Now())
	if len(out) == 0 {
		return nil
	}
	_, err := s.Conn.Write(out)
	return err
}

// next takes a step with what has been written: what is to go out, or whether more is to come first.
func (s *shim) next() (out []byte, more bool, err error) {
	switch s.step {
	case 0:
		if len(s.head) < handshakeLength {
			return nil, true, nil
		}
		out, s.head = s.head[:handshakeLength], s.head[handshakeLength:]
		if s.channel.Initiator() {
			out = nil
		}
		s.step = 1
	case 1:
		if len(s.head) < 4 {
			return nil, true, nil
		}
		length := binary.BigEndian.Uint32(s.head)
		if length > maxFirst {
			return nil, false, errors.New("an unlikely first message")
		}
		end := 4 + int(length)
		if len(s.head) < end {
			return nil, true, nil
		}
		out, s.head = withBlock(s.head[:end]), s.head[end:]
		s.step = 2
	}
	return out, false, nil
}

// withBlock adds sl_block to a BEP 10 handshake, and leaves any other message as it is.
func withBlock(m []byte) []byte {
	if len(m) < 6 || m[4] != byte(pp.Extended) || m[5] != byte(pp.HandshakeExtendedID) {
		return m
	}
	var d map[string]bencode.Bytes
	if bencode.Unmarshal(m[6:], &d) != nil {
		return m
	}
	d["sl_block"] = bencode.MustMarshal(longestBlock)
	body, err := bencode.Marshal(d)
	if err != nil {
		return m
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(2+len(body)))
	return append(append(b, m[4:6]...), body...)
}

// channels is where the engine takes the channels of links from.
type channels struct {
	ready chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newChannels() *channels { return &channels{ready: make(chan net.Conn), done: make(chan struct{})} }

func (l *channels) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Addr has no port, so that the engine names that of its sockets.
func (l *channels) Addr() net.Addr { return linkAddr{text: "links"} }

// open hands a channel to the engine.
func (l *channels) open(p *Peer, c channel) {
	s, err := newShim(p, c)
	if err != nil {
		_ = c.Close()
		return
	}
	select {
	case l.ready <- s:
	case <-l.done:
		_ = s.end()
	}
}

func (l *channels) close() { l.once.Do(func() { close(l.done) }) }
