package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
)

// BEP 15. Requests and answers begin alike:
//
//	connection id 8 │ action 4 │ transaction 4 │ …        action 4 │ transaction 4 │ …
const (
	udpMagic    = 0x41727101980
	udpConnect  = 0
	udpAnnounce = 1
	udpError    = 3

	eventNone    = 0
	eventStarted = 2
	eventStopped = 3
	numWant      = 50

	// ports is how many sockets the peers share: enough for a tracker to spread them over its own ones.
	ports = 16
	// batch is how many packets are given to the system at once, or taken from it.
	batch = 64
	// asked is how many transactions of one socket may be under way.
	asked = 1 << 13
	// idLife is when a connection id is replaced; trackers take it for a minute more.
	idLife = 50 * time.Second
	// tries and tryTime are for joining. Under load nothing is sent again: what is lost is to be seen.
	tries   = 4
	tryTime = 2 * time.Second
	// buffer is asked of the system for what comes to one socket, in bytes.
	buffer = 4 << 20
)

// senders are peers by UDP, which share a few sockets.
type senders struct {
	*run
	all  []*sender
	next atomic.Uint32
	by   sync.Map // *place → *sender
}

func newSenders(r *run, u *url.URL) (crowd, error) {
	path := ""
	if u.Path != "" && u.Path != "/announce" {
		path = u.RequestURI()
	}
	c := &senders{run: r}
	for range min(ports, r.Connections) {
		conn, err := net.Dial("udp", u.Host)
		if err != nil {
			c.close()
			return nil, err
		}
		_ = conn.(*net.UDPConn).SetReadBuffer(buffer)
		s := &sender{run: r, conn: conn, many: ipv4.NewPacketConn(conn.(*net.UDPConn)), path: path, first: make(map[uint32]chan error)}
		s.reading.Go(s.read)
		c.all = append(c.all, s)
	}
	return c, nil
}

func (c *senders) join(ctx context.Context, p *place) error {
	s := c.all[c.next.Add(1)%uint32(len(c.all))]
	s.connecting.Lock()
	var err error
	if s.id.Load() == 0 {
		err = s.ask(ctx, func(b []byte, number uint32) []byte { return appendConnect(b, number) })
	}
	s.connecting.Unlock()
	if err != nil {
		return err
	}
	err = s.ask(ctx, func(b []byte, number uint32) []byte { return s.appendAnnounce(b, p, number, eventStarted) })
	if err == nil {
		s.connecting.Lock()
		s.places = append(s.places, p)
		s.connecting.Unlock()
		c.by.Store(p, s)
	}
	return err
}

// load sends all that is due with one call to the system, by one socket after another.
func (c *senders) load(ctx context.Context, p plan) error {
	var busy []*sender
	for _, s := range c.all {
		if len(s.places) > 0 {
			busy = append(busy, s)
		}
	}
	packets := make([]ipv4.Message, batch)
	for i := range packets {
		packets[i].Buffers = [][]byte{nil}
	}
	for i, turn := 0, 0; i < p.total; turn++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := c.since()
		if now > p.until {
			return nil
		}
		if due := p.due(i); due > now {
			nap(max(due-now, p.every(1)))
			continue
		}
		s := busy[turn%len(busy)]
		if c.since()-s.renewed > idLife {
			s.renew()
		}
		n := 0
		for ; n < len(packets) && i < p.total && p.due(i) <= now; i++ {
			if number, ok := s.begin(p.due(i)); ok {
				b := s.appendAnnounce(packets[n].Buffers[0][:0], s.places[rand.IntN(len(s.places))], number, eventNone)
				packets[n].Buffers[0] = b
				c.lateness.add(now - p.due(i))
				n++
			}
		}
		c.sent.Add(int64(n))
		for sent := 0; sent < n; {
			k, err := s.many.WriteBatch(packets[sent:n], 0)
			if err != nil {
				c.fail("sending", err)
			}
			sent += max(k, 1)
		}
	}
	return nil
}

func (c *senders) leave(_ context.Context, p *place) {
	if s, ok := c.by.Load(p); ok {
		s := s.(*sender)
		_, _ = s.conn.Write(s.appendAnnounce(nil, p, rand.Uint32(), eventStopped))
	}
}

func (c *senders) close() {
	for _, s := range c.all {
		_ = s.conn.Close()
		s.reading.Wait()
	}
}

// sender is one socket.
type sender struct {
	*run
	conn    net.Conn
	many    *ipv4.PacketConn
	path    string
	id      atomic.Uint64 // connection id; 0: none yet
	renewed time.Duration // when one was asked for last, since the start
	reading sync.WaitGroup

	connecting sync.Mutex // also of places, until all have joined
	places     []*place

	mu    sync.Mutex
	last  uint32                // transaction
	under [asked]transaction    // by number
	first map[uint32]chan error // those that are not measured
}

// transaction is an announce under way; 0: none.
type transaction struct {
	number uint32
	due    time.Duration
}

// ask sends until an answer comes.
func (s *sender) ask(ctx context.Context, request func(b []byte, number uint32) []byte) error {
	answer := make(chan error, 1)
	s.mu.Lock()
	s.last++
	number := s.last
	s.first[number] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.first, number)
		s.mu.Unlock()
	}()
	for range tries {
		if _, err := s.conn.Write(request(nil, number)); err != nil {
			s.fail("sending", err)
		}
		t := time.NewTimer(tryTime)
		select {
		case err := <-answer:
			t.Stop()
			return err
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
	return errors.New("no answer")
}

// renew asks for another connection id, and goes on with this one until it comes.
func (s *sender) renew() {
	s.renewed = s.since()
	_, _ = s.conn.Write(appendConnect(nil, rand.Uint32()))
}

// begin returns the number of a new transaction; false: too many are under way.
func (s *sender) begin(due time.Duration) (uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	t := &s.under[s.last%asked]
	if t.number != 0 && due-t.due < dialTimeout {
		return 0, false
	}
	*t = transaction{s.last, due}
	return s.last, true
}

func appendConnect(b []byte, number uint32) []byte {
	b = binary.BigEndian.AppendUint64(b, udpMagic)
	b = binary.BigEndian.AppendUint32(b, udpConnect)
	return binary.BigEndian.AppendUint32(b, number)
}

func (s *sender) appendAnnounce(b []byte, p *place, number, event uint32) []byte {
	b = binary.BigEndian.AppendUint64(b, s.id.Load())
	b = binary.BigEndian.AppendUint32(b, udpAnnounce)
	b = binary.BigEndian.AppendUint32(b, number)
	b = append(append(b, p.hash...), p.id...)
	b = binary.BigEndian.AppendUint64(b, 0)         // downloaded
	b = binary.BigEndian.AppendUint64(b, 1_000_000) // left
	b = binary.BigEndian.AppendUint64(b, 0)         // uploaded
	b = binary.BigEndian.AppendUint32(b, event)     //
	b = binary.BigEndian.AppendUint64(b, 0)         // address, key
	b = binary.BigEndian.AppendUint32(b, numWant)   //
	b = binary.BigEndian.AppendUint16(b, uint16(p.port))
	for path := s.path; path != ""; { // BEP 41
		part := path[:min(255, len(path))]
		b = append(append(b, 2, byte(len(part))), part...)
		path = path[len(part):]
	}
	return b
}

func (s *sender) read() {
	packets := make([]ipv4.Message, batch)
	for i := range packets {
		packets[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	for {
		n, err := s.many.ReadBatch(packets, 0)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // such as a refusal by ICMP, which a lost packet may be followed by
			s.fail("receiving", err)
		}
		for _, p := range packets[:max(n, 0)] {
			if p.N >= 8 {
				s.take(p.Buffers[0][:p.N])
			}
		}
	}
}

func (s *sender) take(b []byte) {
	var err error
	action, number := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	switch {
	case action == udpConnect && len(b) >= 16:
		s.id.Store(binary.BigEndian.Uint64(b[8:]))
	case action == udpAnnounce && len(b) >= 20:
	case action == udpError:
		err = fmt.Errorf("%.200q", b[8:])
	default:
		err = errors.New("an answer that cannot be understood")
	}
	s.mu.Lock()
	t := &s.under[number%asked]
	due, measured := t.due, t.number == number
	if measured {
		t.number = 0
	}
	first := s.first[number]
	s.mu.Unlock()
	switch {
	case measured:
		s.record(due, err)
	case first != nil:
		select {
		case first <- err:
		default:
		}
	}
}
