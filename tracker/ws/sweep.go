package ws

import "time"

// In seconds, except for sweepEvery.
const (
	sweepEvery = 15 * time.Second
	// quietFor is the silence after which a socket is pinged: at 30 to 45 s, given the sweep. Proxies that nobody has told
	// otherwise cut what is idle for 50 s (HAProxy as Debian has it), 55 s (Heroku) or 60 s (nginx, AWS).
	quietFor = 30
	// pongWithin is how long an answer to that may take.
	pongWithin = 20
	// writeWithin is how long one write may take.
	writeWithin = 20
	// closeWithin is how long a socket may take to be closed.
	closeWithin = 5
	// messageWithin is how long a message may take to arrive.
	messageWithin = 60
)

func (s *Server) sweeps() {
	defer close(s.swept)
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
			now := s.now()
			s.table.each(func(k *socket) { k.sweep(now) })
			s.addresses.sweep(now)
		}
	}
}

// sweep looks after one socket.
func (k *socket) sweep(now uint32) {
	over := func(since, limit uint32) bool { return since != 0 && now > since+limit }
	k.out.mu.Lock()
	writing := k.out.since
	k.out.mu.Unlock()
	switch {
	case over(k.closing.Load(), closeWithin), over(k.pinged.Load(), pongWithin):
		k.cut()
	case over(writing, writeWithin):
		k.server.counters.slow.Add(1)
		k.cut()
	case over(k.began.Load(), messageWithin):
		k.close(policy, "that message takes too long")
	case k.pinged.Load() == 0 && (k.suspected.Swap(false) || over(k.heard.Load(), quietFor)):
		k.pinged.Store(now)
		k.send(reply, opPing)
	}
}
