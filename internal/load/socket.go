package load

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"
)

// maxMessage is far more than what a tracker sends at once, in bytes.
const maxMessage = 1 << 20

// joining is when the first announce is due, which is not measured.
const joining = time.Duration(-1)

// job is a message to be sent: an announce, or an answer where to is set.
type job struct {
	due       time.Duration
	to, offer []byte
}

// socket is a peer by WebSocket. One goroutine reads, another writes: a tracker that does not read holds up nobody but
// its own writer, whose queue is bounded.
type socket struct {
	gws.BuiltinEventHandler
	*run
	*place
	conn   *gws.Conn
	jobs   chan job
	joined chan error
	in     atomic.Bool // the tracker has taken it
	done   chan struct{}
	once   sync.Once

	mu      sync.Mutex
	waiting []time.Duration // when those announces were due that are not replied to; replies come in order
}

type silent struct{}

func (silent) Error(...any) {}

func joinSocket(ctx context.Context, r *run, u *url.URL, p *place) (peer, error) {
	s := &socket{run: r, place: p, jobs: make(chan job, queued), joined: make(chan error, 1), done: make(chan struct{})}
	conn, _, err := gws.NewClient(s, &gws.ClientOption{
		Addr: u.String(), HandshakeTimeout: dialTimeout, ReadMaxPayloadSize: maxMessage, Logger: silent{},
	})
	if err != nil {
		return nil, err
	}
	s.conn = conn
	go conn.ReadLoop()
	go s.write()
	s.announce(joining)
	t := time.NewTimer(dialTimeout)
	defer t.Stop()
	select {
	case err = <-s.joined:
	case <-t.C:
		err = errors.New("no reply to the first announce")
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *socket) announce(due time.Duration) { s.queue(job{due: due}) }

func (s *socket) queue(j job) {
	select {
	case s.jobs <- j:
	default: // counted as not sent
	}
}

// stop has nothing to do: a tracker forgets whose socket is closed.
func (s *socket) stop(context.Context) {}

func (s *socket) close() {
	s.once.Do(func() {
		close(s.done)
		_ = s.conn.NetConn().Close()
	})
}

func (s *socket) write() {
	var b []byte
	for {
		select {
		case <-s.done:
			return
		case j := <-s.jobs:
			b = s.message(b[:0], j)
			if err := s.conn.WriteMessage(gws.OpcodeText, b); err != nil {
				s.OnClose(s.conn, err)
				return
			}
		}
	}
}

func (s *socket) message(b []byte, j job) []byte {
	if j.to != nil {
		s.answers.Add(1)
		return s.appendAnswer(b, s.place, j.to, j.offer)
	}
	offers := 0
	if j.due != joining {
		offers = s.Offers
		s.sent.Add(1)
		s.made.Add(int64(offers))
		s.expected.Add(int64(min(offers, s.others())))
		s.lateness.add(s.since() - j.due)
	}
	s.mu.Lock()
	s.waiting = append(s.waiting, j.due)
	s.mu.Unlock()
	return s.appendAnnounce(b, s.place, j.due, offers)
}

// OnClose notes that the tracker, or the network, ended the connection.
func (s *socket) OnClose(_ *gws.Conn, err error) {
	s.once.Do(func() {
		close(s.done)
		_ = s.conn.NetConn().Close()
		if s.in.Load() && !s.ended.Load() {
			s.lost.Add(1)
			s.fail("a connection was closed", err)
		}
		s.join(err)
	})
}

// OnMessage is called by the goroutine that reads.
func (s *socket) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	b := m.Bytes()
	_, offer := member(b, "offer")
	_, answer := member(b, "answer")
	id, _ := member(b, "offer_id")
	switch {
	case answer:
		if due, ok := offerDue(id); ok {
			s.answered.Add(1)
			s.answerTime.add(s.since() - due)
		}
	case offer:
		from, _ := member(b, "peer_id")
		s.offered.Add(1)
		s.queue(job{to: append([]byte{}, from...), offer: append([]byte{}, id...)})
	default:
		reason, failed := member(b, "failure reason")
		s.reply(failed, string(reason))
	}
}

func (s *socket) reply(failed bool, reason string) {
	s.mu.Lock()
	if len(s.waiting) == 0 {
		s.mu.Unlock()
		return
	}
	due := s.waiting[0]
	s.waiting = s.waiting[:copy(s.waiting, s.waiting[1:])]
	s.mu.Unlock()
	var err error
	if failed {
		err = errors.New(reason)
	}
	if due == joining {
		s.in.Store(err == nil)
		s.join(err)
		return
	}
	s.record(due, err)
}

// join tells joinSocket, where that still waits.
func (s *socket) join(err error) {
	select {
	case s.joined <- err:
	default:
	}
}

// record counts what came of a measured announce.
func (r *run) record(due time.Duration, err error) {
	if err != nil {
		r.failures.Add(1)
		r.fail("an announce failed", err)
		return
	}
	r.replies.Add(1)
	r.announceTime.add(r.since() - due)
}
