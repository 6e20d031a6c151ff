package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// maxMessage is far more than what a tracker sends at once, in bytes.
const maxMessage = 1 << 20

// sockets are peers by WebSocket.
type sockets struct {
	*run
	url  *url.URL
	mask *mask
}

func newSockets(r *run, u *url.URL) (crowd, error) {
	return newTCP(r, u, &sockets{r, u, newMask()})
}

func (s *sockets) greet(conn net.Conn) ([]byte, error) { return upgrade(conn, s.url) }

// stop has nothing to do: a tracker forgets whose socket is closed.
func (s *sockets) stop(context.Context, *place) {}

func (s *sockets) peer(p *place) talker { return &socket{sockets: s, place: p} }

// socket is one of them.
type socket struct {
	*sockets
	*place
	in      bool // the tracker has taken it
	refused error
	waiting []time.Duration // when those announces were due that are not replied to; replies come in order
}

func (s *socket) joined() (bool, error) { return s.in || s.refused != nil, s.refused }

func (s *socket) announce(out []byte, due time.Duration) []byte {
	offers := 0
	if due != joining {
		offers = s.Offers
		s.made.Add(int64(offers))
		s.expected.Add(int64(min(offers, s.others())))
	}
	s.waiting = append(s.waiting, due)
	start := len(out)
	return s.mask.frame(s.appendAnnounce(append(out, gap[:]...), s.place, due, offers), start, opText)
}

func (s *socket) take(in, out []byte, room bool) (int, []byte, error) {
	taken := 0
	for {
		opcode, payload, n, err := unframe(in[taken:])
		if n == 0 || err != nil {
			return taken, out, err
		}
		taken += n
		start := len(out)
		switch opcode {
		case opClose:
			code := -1
			if len(payload) >= 2 {
				code = int(payload[0])<<8 | int(payload[1])
				payload = payload[2:]
			}
			return taken, out, fmt.Errorf("closed by the tracker: %d %.100q", code, payload)
		case opPing:
			if len(payload) <= longest7 {
				out = s.mask.frame(append(append(out, gap[:]...), payload...), start, opPong)
			}
		case opPong:
		default:
			out = s.message(payload, out, room)
		}
	}
}

func (s *socket) message(b, out []byte, room bool) []byte {
	id, _ := member(b, "offer_id")
	if id == nil {
		reason, failed := member(b, "failure reason")
		s.reply(failed, reason)
		return out
	}
	if _, answer := member(b, "answer"); answer {
		if due, ok := offerDue(id); ok {
			s.answered.Add(1)
			s.answerTime.add(s.since() - due)
		}
		return out
	}
	s.offered.Add(1)
	from, _ := member(b, "peer_id")
	if !room || len(from)+len(id) > 1024 {
		return out
	}
	s.answers.Add(1)
	start := len(out)
	return s.mask.frame(s.appendAnswer(append(out, gap[:]...), s.place, from, id), start, opText)
}

func (s *socket) reply(failed bool, reason []byte) {
	if len(s.waiting) == 0 {
		return
	}
	due := s.waiting[0]
	s.waiting = s.waiting[:copy(s.waiting, s.waiting[1:])]
	var err error
	if failed {
		err = errors.New(string(reason))
	}
	if due == joining {
		s.in, s.refused = err == nil, err
		return
	}
	s.record(due, err)
}

func (s *socket) ended(_, out []byte, why error) ([]byte, bool) {
	if s.in && !s.over.Load() {
		s.lost.Add(1)
		s.fail("a connection was closed", why)
	}
	return out, false
}
