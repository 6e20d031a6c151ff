package relay

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxMessage is the longest that is carried, with its header. A datagram that is longer fits no path.
	maxMessage = 1536
	// A connection that has no allocation may say nothing for strangerPatience; one that has, for as long as an allocation
	// can last without being refreshed.
	strangerPatience = 30 * time.Second
	patience         = time.Hour
	// writeTimeout is for a client that does not receive.
	writeTimeout = 10 * time.Second
)

var (
	errNotTURN = errors.New("neither STUN nor ChannelData")
	errFlood   = errors.New("too many messages")
)

// streams are the TCP connections of clients, and the net.Listener from which pion takes them.
type streams struct {
	addr               net.Addr
	max, maxPerAddress int
	relay              *Relay
	queue              chan net.Conn
	done               chan struct{}
	once               sync.Once

	mu        sync.Mutex
	conns     map[*stream]struct{}
	addresses map[netip.Addr]int
	closed    bool
}

func newStreams(addr net.Addr, max, maxPerAddress int, r *Relay) *streams {
	return &streams{
		addr: addr, max: max, maxPerAddress: maxPerAddress, relay: r,
		queue: make(chan net.Conn), done: make(chan struct{}),
		conns: map[*stream]struct{}{}, addresses: map[netip.Addr]int{},
	}
}

// take closes the connection when there are too many, or its client's address is not known.
func (s *streams) take(conn net.Conn) {
	c := &stream{Conn: conn, of: s, client: clientAt(conn.RemoteAddr()), in: bufio.NewReaderSize(conn, maxMessage)}
	if !s.enter(c) {
		s.relay.counts.quota.Add(1)
		_ = conn.Close()
		return
	}
	select {
	case s.queue <- c:
	case <-s.done:
		_ = c.Close()
	}
}

func (s *streams) enter(c *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	address := whole(c.client.at.Addr())
	if !c.client.at.IsValid() || s.closed || len(s.conns) >= s.max || s.addresses[address] >= s.maxPerAddress {
		return false
	}
	s.conns[c] = struct{}{}
	s.addresses[address]++
	return true
}

func (s *streams) leave(c *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	address := whole(c.client.at.Addr())
	if s.addresses[address]--; s.addresses[address] == 0 {
		delete(s.addresses, address)
	}
}

// Accept is pion's.
func (s *streams) Accept() (net.Conn, error) {
	select {
	case c := <-s.queue:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Addr is the address of the port that all share.
func (s *streams) Addr() net.Addr { return s.addr }

// Close ends accepting.
func (s *streams) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

func (s *streams) closeAll() {
	s.mu.Lock()
	s.closed = true
	var all []*stream
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// stream is one connection. Each Read gives one whole message, so that pion, which cuts the stream up again, never sees
// a length that it cannot deal with.
type stream struct {
	net.Conn
	of     *streams
	client client
	in     *bufio.Reader
	once   sync.Once
}

// Read needs room for maxMessage bytes. Messages that are too long are left out.
func (s *stream) Read(p []byte) (int, error) {
	for {
		wait, mine := patience, s.of.relay.book.of(s.client)
		if mine == nil {
			wait = strangerPatience
		}
		if err := s.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return 0, err
		}
		n, err := next(s.in)
		if err != nil {
			if errors.Is(err, errNotTURN) {
				s.of.relay.counts.malformed.Add(1)
			}
			return 0, err
		}
		if mine == nil && !s.of.relay.flood.pass(s.client.at.Addr()) {
			s.of.relay.counts.flood.Add(1)
			return 0, errFlood
		}
		if n <= min(maxMessage, len(p)) {
			n, err := io.ReadFull(s.in, p[:n])
			if mine != nil && err == nil {
				mine.asks(p[:n])
			}
			return n, err
		}
		if _, err := s.in.Discard(n); err != nil {
			return 0, err
		}
	}
}

// next says how long the message is that comes next, header and padding included.
func next(in *bufio.Reader) (int, error) {
	head, err := in.Peek(4)
	if err != nil {
		return 0, err
	}
	length := int(binary.BigEndian.Uint16(head[2:]))
	switch {
	case isChannelData(head[0]):
		return 4 + (length+3)&^3, nil
	case head[0]&0xC0 != 0 || length%4 != 0:
		return 0, errNotTURN
	}
	if head, err = in.Peek(headerSize); err != nil {
		return 0, err
	}
	if binary.BigEndian.Uint32(head[4:]) != magic {
		return 0, errNotTURN
	}
	return headerSize + length, nil
}

// Write gives up on a client that does not receive: half a message cannot be taken back.
func (s *stream) Write(p []byte) (int, error) {
	err := s.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err != nil {
		return 0, err
	}
	n, err := s.Conn.Write(p)
	if err != nil {
		_ = s.Close()
	}
	return n, err
}

// Close may be called more than once.
func (s *stream) Close() error {
	err := net.ErrClosed
	s.once.Do(func() {
		s.of.leave(s)
		err = s.Conn.Close()
	})
	return err
}
