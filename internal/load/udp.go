package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
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

	// idLife is when a connection id is replaced; trackers take it for a minute more.
	idLife = 50 * time.Second
	// tries and tryTime are for joining. Under load nothing is sent again: what is lost is to be seen.
	tries   = 4
	tryTime = 2 * time.Second
)

// sender is a peer by UDP, with a port of its own.
type sender struct {
	*run
	*place
	conn    net.Conn
	path    string
	id      atomic.Uint64 // connection id
	renewed time.Time     // when one was asked for last
	first   chan error    // results of what is not measured
	reading sync.WaitGroup

	mu          sync.Mutex
	transaction uint32
	waiting     map[uint32]time.Duration
}

func joinUDP(ctx context.Context, r *run, u *url.URL, p *place) (peer, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "udp", u.Host)
	if err != nil {
		return nil, err
	}
	s := &sender{run: r, place: p, conn: conn, first: make(chan error, tries), waiting: map[uint32]time.Duration{}}
	if u.Path != "" && u.Path != "/announce" {
		s.path = u.RequestURI()
	}
	s.reading.Go(s.read)
	err = s.ask(ctx, s.connect)
	if err == nil {
		err = s.ask(ctx, func() { s.send(eventStarted, joining) })
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// ask sends until an answer comes.
func (s *sender) ask(ctx context.Context, send func()) error {
	for range tries {
		send()
		t := time.NewTimer(tryTime)
		select {
		case err := <-s.first:
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

func (s *sender) connect() {
	s.renewed = time.Now()
	b := binary.BigEndian.AppendUint64(nil, udpMagic)
	b = binary.BigEndian.AppendUint32(b, udpConnect)
	_, _ = s.conn.Write(binary.BigEndian.AppendUint32(b, s.begin(joining)))
}

// begin returns the number of a new transaction.
func (s *sender) begin(due time.Duration) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transaction++
	s.waiting[s.transaction] = due
	return s.transaction
}

func (s *sender) announce(due time.Duration) {
	if !s.room() {
		return // counted as not sent
	}
	if time.Since(s.renewed) > idLife {
		s.connect()
	}
	s.sent.Add(1)
	s.lateness.add(s.since() - due)
	s.send(eventNone, due)
}

// room says whether another announce may be under way; those without an answer for long are given up.
func (s *sender) room() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= queued {
		for number, due := range s.waiting {
			if s.since()-due > dialTimeout {
				delete(s.waiting, number)
			}
		}
	}
	return len(s.waiting) < queued
}

func (s *sender) send(event uint32, due time.Duration) {
	b := make([]byte, 0, 128)
	b = binary.BigEndian.AppendUint64(b, s.id.Load())
	b = binary.BigEndian.AppendUint32(b, udpAnnounce)
	b = binary.BigEndian.AppendUint32(b, s.begin(due))
	b = append(append(b, s.hash...), s.place.id...)
	b = binary.BigEndian.AppendUint64(b, 0)          // downloaded
	b = binary.BigEndian.AppendUint64(b, 1_000_000)  // left
	b = binary.BigEndian.AppendUint64(b, 0)          // uploaded
	b = binary.BigEndian.AppendUint32(b, event)      //
	b = binary.BigEndian.AppendUint64(b, 0)          // address, key
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // num_want: as the tracker likes
	b = binary.BigEndian.AppendUint16(b, uint16(s.port))
	for path := s.path; path != ""; { // BEP 41
		part := path[:min(255, len(path))]
		b = append(append(b, 2, byte(len(part))), part...)
		path = path[len(part):]
	}
	if _, err := s.conn.Write(b); err != nil {
		s.fail("sending", err)
	}
}

func (s *sender) read() {
	b := make([]byte, 2048)
	for {
		n, err := s.conn.Read(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // such as a refusal by ICMP, which a lost packet may be followed by
			s.fail("receiving", err)
		case n >= 8:
			s.take(b[:n])
		}
	}
}

func (s *sender) take(b []byte) {
	number := binary.BigEndian.Uint32(b[4:])
	s.mu.Lock()
	due, ok := s.waiting[number]
	delete(s.waiting, number)
	s.mu.Unlock()
	if !ok {
		return
	}
	var err error
	switch action := binary.BigEndian.Uint32(b); {
	case action == udpConnect && len(b) >= 16:
		s.id.Store(binary.BigEndian.Uint64(b[8:]))
	case action == udpAnnounce && len(b) >= 20:
	case action == udpError:
		err = fmt.Errorf("%.200q", b[8:])
	default:
		err = errors.New("an answer that cannot be understood")
	}
	if due != joining {
		s.record(due, err)
		return
	}
	select {
	case s.first <- err:
	default:
	}
}

func (s *sender) stop(context.Context) { s.send(eventStopped, joining) }

func (s *sender) close() {
	_ = s.conn.Close()
	s.reading.Wait()
}
