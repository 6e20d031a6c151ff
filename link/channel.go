package link

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/pion/datachannel"
)

const (
	// longestMessage is what is taken (RFC 8841 max-message-size), and sendAtOnce what is sent, in bytes.
	longestMessage = 256 << 10
	sendAtOnce     = 64 << 10
	// maxUnread is the number of bytes kept for a reader that is slow, then SCTP's window closes. chunkCost is what a
	// message counts beyond its bytes.
	maxUnread = 256 << 10
	chunkCost = 64
	// shortMessage is what a channel without traffic has room for, blockMessage more than a piece message of 16 KiB needs.
	shortMessage = 2 << 10
	blockMessage = 32 << 10
	// roomy is how many times as long as its message a buffer may be that is kept for it.
	roomy = 8
	// lingerFor is how long what was written may still go out after Close.
	lingerFor = 10 * time.Second
)

var (
	errText    = errors.New("link: the peer sent text on a channel for bytes")
	errTooLong = errors.New("link: the peer sent a message of more than 256 KiB")
	errEnd     = errors.New("link: the link ended")
)

var (
	blockBuffers = sync.Pool{New: func() any { b := make([]byte, blockMessage); return &b }}
	longBuffers  = sync.Pool{New: func() any { b := make([]byte, longestMessage); return &b }}
	sendBuffers  = sync.Pool{New: func() any { b := make([]byte, 0, sendAtOnce); return &b }}
)

// Channel is one torrent's stream with one peer: a net.Conn. Bytes that were written together may be read apart, and
// the other way round, so that any WebTorrent peer can be at the other end. Close sends what was written before, for a
// while, and does not wait for that.
type Channel struct {
	link      *link
	dc        datachannel.ReadWriteCloserDeadliner
	id        uint16
	initiator bool
	// longest is what may be sent in one message, in bytes.
	longest int
	// ih is set before the channel is handed out; the links' lock guards it until then.
	ih InfoHash

	mu     sync.Mutex
	closed bool

	readable     sync.Cond
	readDeadline deadline
	unread       []chunk
	unreadBytes  int
	readErr      error
	// heard: something came.
	heard         bool
	writable      sync.Cond
	writeDeadline deadline
	// turn is held by a Write of more than fits at once.
	turn    bool
	unsent  *[]byte
	sending bool
	linger  *time.Timer
}

// chunk is a message, or what is left of it.
type chunk struct {
	data []byte
	// pooled is where data lies, if it goes back to a pool.
	pooled *[]byte
	pool   *sync.Pool
}

func (m chunk) free() {
	if m.pooled != nil {
		m.pool.Put(m.pooled)
	}
}

// newChannel has no data channel yet: bind gives it one.
func newChannel(l *link, id uint16, initiator bool) *Channel {
	c := &Channel{link: l, id: id, initiator: initiator}
	c.readable.L, c.writable.L = &c.mu, &c.mu
	return c
}

func (c *Channel) bind(dc datachannel.ReadWriteCloserDeadliner, longest int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dc, c.longest = dc, max(longest, 1)
	if c.closed {
		c.shut()
	}
}

// InfoHash names its torrent.
func (c *Channel) InfoHash() InfoHash { return c.ih }

// Initiator says whether this side sends the BEP 3 handshake first.
func (c *Channel) Initiator() bool { return c.initiator }

// Peer is the other side's peer_id as the tracker told it.
func (c *Channel) Peer() PeerID { return c.link.peer }

// Extended says that both sides have named sl_link in their BEP 10 handshakes: the link may carry more torrents.
// At most the first call for a link has an effect.
func (c *Channel) Extended() { c.link.extended() }

// Ban closes the link with all its channels, and keeps its peer from coming back: not all who claim the same peer_id.
func (c *Channel) Ban() {
	ls := c.link.links
	ls.mu.Lock()
	defer ls.unlock()
	c.link.ban()
}

// Identity tells the peer apart from others, also from those who claim the same peer_id.
func (c *Channel) Identity() string {
	ls := c.link.links
	ls.mu.Lock()
	defer ls.mu.Unlock()
	id := string(c.link.peer[:])
	if len(c.link.proven) > 0 {
		id += c.link.proven[0].by
	}
	return id
}

// Relayed says whether the way goes through a TURN server.
func (c *Channel) Relayed() bool { return c.link.way().relayed }

// Addr is where one end of a link is, as far as ICE knows; zero where it does not.
type Addr struct{ netip.AddrPort }

// Network is "webrtc".
func (Addr) Network() string { return "webrtc" }

// LocalAddr is an Addr.
func (c *Channel) LocalAddr() net.Addr { return c.link.way().local }

// RemoteAddr is an Addr; of a relayed link it is the relay's.
func (c *Channel) RemoteAddr() net.Addr { return c.link.way().remote }

// Read reads what is there, whatever the size of b.
func (c *Channel) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case c.readDeadline.passed:
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case len(c.unread) > 0:
			n := 0
			for n < len(b) && len(c.unread) > 0 {
				k := copy(b[n:], c.unread[0].data)
				n += k
				c.take(k)
			}
			return n, nil
		case c.readErr != nil:
			return 0, c.readErr
		}
		c.readable.Wait()
	}
}

// take takes bytes from the first unread message.
func (c *Channel) take(n int) {
	first := &c.unread[0]
	first.data = first.data[n:]
	c.unreadBytes -= n
	if len(first.data) > 0 {
		return
	}
	c.unreadBytes -= chunkCost
	first.free()
	c.unread[0] = chunk{}
	c.unread = c.unread[1:]
	c.readable.Broadcast()
}

// Write returns when all is on its way, or as good as.
func (c *Channel) Write(b []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	mine := false
	for {
		switch {
		case c.closed:
			err = net.ErrClosed
		case c.writeDeadline.passed:
			err = os.ErrDeadlineExceeded
		case c.readErr != nil:
			err = io.ErrClosedPipe // the peer closed it, and reads no more
		case n == len(b):
		case !mine && c.turn, c.unsent != nil && len(*c.unsent) >= c.longest:
			c.writable.Wait()
			continue
		default:
			c.turn, mine = true, true
			if c.unsent == nil {
				c.unsent = sendBuffers.Get().(*[]byte)
			}
			k := min(len(b)-n, c.longest-len(*c.unsent))
			*c.unsent = append(*c.unsent, b[n:n+k]...)
			n += k
			if !c.sending {
				c.sending = true
				go c.send()
			}
			continue
		}
		if mine {
			c.turn = false
			c.writable.Broadcast()
		}
		return n, err
	}
}

// send sends until nothing is left; what comes meanwhile goes out together.
func (c *Channel) send() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.unsent != nil {
		buffer := c.unsent
		c.unsent = nil
		c.writable.Broadcast()
		c.mu.Unlock()
		_, err := c.dc.Write(*buffer)
		*buffer = (*buffer)[:0]
		sendBuffers.Put(buffer)
		c.mu.Lock()
		if err != nil && c.readErr == nil {
			c.fail(errEnd)
		}
	}
	c.sending = false
	if c.closed {
		c.shut()
	}
}

// shut ends this side's half. What the peer still sends is read and dropped until it has closed its own.
func (c *Channel) shut() {
	if c.dc == nil {
		return
	}
	if c.linger != nil {
		c.linger.Stop()
	}
	_ = c.dc.SetWriteDeadline(time.Unix(1, 0)) // wakes a sender that waits on the peer
	_ = c.dc.Close()
}

// Close closes it; safe to call again.
func (c *Channel) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	for len(c.unread) > 0 {
		c.take(len(c.unread[0].data))
	}
	c.readDeadline.stop()
	c.writeDeadline.stop()
	c.readable.Broadcast()
	c.writable.Broadcast()
	if c.sending {
		c.linger = time.AfterFunc(lingerFor, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.shut()
		})
	} else {
		c.shut()
	}
	c.mu.Unlock()
	c.link.over(c)
	return nil
}

// fail ends reading, once what came before is read, and writing.
func (c *Channel) fail(err error) {
	c.readErr = err
	c.readable.Broadcast()
	c.writable.Broadcast()
}

// receive reads messages until the peer closes the channel, then the error is io.EOF, or the link ends. first is called
// with the first bytes, 48 or more, before anybody reads them; it closes the channel where it does not like them.
func (c *Channel) receive(first func(handshake []byte)) error {
	short := make([]byte, shortMessage)
	var early []byte
	for {
		m, err := c.message(short)
		if err == nil && first != nil {
			if early = append(early, m.data[:min(len(m.data), peekAt)]...); len(early) >= peekAt {
				first(early)
				first = nil
			}
		}
		c.mu.Lock()
		c.heard = c.heard || err == nil
		for err == nil && !c.closed && c.readErr == nil && c.unreadBytes > maxUnread {
			c.readable.Wait()
		}
		switch {
		case err != nil && c.readErr == nil:
			c.fail(err)
		case err == nil && !c.closed && len(m.data) > 0:
			c.unread = append(c.unread, m)
			c.unreadBytes += len(m.data) + chunkCost
			c.readable.Broadcast()
		default:
			m.free()
		}
		if err != nil {
			if c.linger != nil {
				c.linger.Stop()
			}
			c.readDeadline.stop()
			c.writeDeadline.stop()
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// lost: the link ended.
func (c *Channel) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readErr == nil {
		c.fail(errEnd)
	}
}

// message waits for one, without holding room for a long one meanwhile.
func (c *Channel) message(short []byte) (chunk, error) {
	n, text, err := c.dc.ReadDataChannel(short)
	m := chunk{}
	for _, pool := range [...]*sync.Pool{&blockBuffers, &longBuffers} {
		if !errors.Is(err, io.ErrShortBuffer) {
			break
		}
		m.free()
		m = chunk{pooled: pool.Get().(*[]byte), pool: pool}
		n, text, err = c.dc.ReadDataChannel(*m.pooled)
	}
	switch {
	case errors.Is(err, io.ErrShortBuffer):
		err = errTooLong
	case errors.Is(err, io.EOF):
		err = io.EOF
	case err != nil:
		err = errEnd
	case text:
		err = errText
	}
	switch {
	case err != nil:
		m.free()
		return chunk{}, err
	case m.pooled == nil:
		m.data = append([]byte(nil), short[:n]...)
	case n <= len(*m.pooled)/roomy: // many of these would take far more memory than maxUnread
		m.data = append([]byte(nil), (*m.pooled)[:n]...)
		m.free()
		m.pooled = nil
	default:
		m.data = (*m.pooled)[:n]
	}
	return m, nil
}

var _ net.Conn = (*Channel)(nil)
