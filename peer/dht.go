package peer

import (
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/anacrolix/torrent"
)

const (
	dhtAtOnce   = 4
	dhtTimeout  = time.Minute
	dhtLacking  = 5 * time.Minute  // between two times that a torrent is looked up
	dhtNobody   = 15 * time.Second // the same where nobody was met: at first, and twice as long each time up to dhtLacking
	dhtComplete = 25 * time.Minute // nodes forget after half an hour
)

// dhtQueue announces torrents to the DHT (BEP 5), a few at a time: first those that lack data.
type dhtQueue struct {
	p     *Peer
	mu    sync.Mutex
	turns map[*Torrent]dhtTurn
	going int
	soon  chan struct{}
}

type dhtTurn struct {
	due time.Time // to be announced next
	// nobody is how long was waited after the last look-up that met nobody; 0 where the one before it met somebody.
	nobody time.Duration
}

func newDHTQueue(p *Peer) *dhtQueue {
	q := &dhtQueue{p: p, turns: map[*Torrent]dhtTurn{}, soon: make(chan struct{}, 1)}
	p.goWork(q.run)
	return q
}

func (q *dhtQueue) add(t *Torrent) {
	q.mu.Lock()
	q.turns[t] = dhtTurn{due: time.Now()}
	q.mu.Unlock()
	q.hurry()
}

// moved announces all anew: nodes know this peer by its address.
func (q *dhtQueue) moved() {
	q.mu.Lock()
	for t := range q.turns {
		q.turns[t] = dhtTurn{due: time.Now()}
	}
	q.mu.Unlock()
	q.hurry()
}

func (q *dhtQueue) hurry() {
	select {
	case q.soon <- struct{}{}:
	default:
	}
}

func (q *dhtQueue) remove(t *Torrent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.turns, t)
}

func (q *dhtQueue) run() {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-q.soon:
		case <-q.p.ctx.Done():
			return
		}
		for t := q.next(); t != nil; t = q.next() {
			q.p.goWork(func() {
				q.announce(t)
				q.mu.Lock()
				q.going--
				q.mu.Unlock()
				q.hurry()
			})
		}
	}
}

// next takes the torrent that has waited longest, one that lacks data before any other.
func (q *dhtQueue) next() (first *Torrent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.going >= dhtAtOnce {
		return nil
	}
	now := time.Now()
	wanted := false
	for t, turn := range q.turns {
		if turn.due.After(now) || t.alone() {
			continue
		}
		if lacks := t.lacking(); first == nil || lacks && !wanted || lacks == wanted && turn.due.Before(q.turns[first].due) {
			first, wanted = t, lacks
		}
	}
	if first != nil {
		q.going++
		wait := dhtComplete
		if wanted {
			wait = dhtLacking
		}
		turn := q.turns[first]
		turn.due = now.Add(wait - rand.N(wait/10))
		q.turns[first] = turn
	}
	return first
}

// announce looks the torrent up and says that this peer has it.
func (q *dhtQueue) announce(t *Torrent) {
	port := q.p.publicPort()
	met := false
	for _, server := range q.p.client.DhtServers() {
		a, err := server.Announce(t.ih, port, q.p.o.UTP && port != 0)
		if err != nil {
			q.p.log.Debug("announcing to the DHT", "error", err)
			continue
		}
		late := time.AfterFunc(dhtTimeout, a.Close)
		stop := make(chan struct{})
		q.p.goWork(func() {
			select {
			case <-t.ctx.Done():
			case <-stop:
			}
			a.Close()
		})
		for values := range a.Peers() {
			var peers []net.Addr
			for _, peer := range values.Peers[:min(len(values.Peers), maxPeersPerTurn)] {
				if peer.Port != 0 {
					peers = append(peers, &net.TCPAddr{IP: peer.IP, Port: peer.Port})
				}
			}
			met = met || len(peers) > 0
			t.found.met(peers, torrent.PeerSourceDhtGetPeers)
		}
		late.Stop()
		close(stop)
	}
	q.looked(t, met)
}

// looked sets when the torrent's next turn comes: soon where nobody was met, as the table may have been empty still.
func (q *dhtQueue) looked(t *Torrent, met bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	turn, there := q.turns[t]
	if !there {
		return
	}
	if met || !t.lacking() {
		turn.nobody = 0
	} else {
		turn.nobody = min(max(2*turn.nobody, dhtNobody), dhtLacking)
		if again := time.Now().Add(turn.nobody); turn.due.After(again) {
			turn.due = again
		}
	}
	q.turns[t] = turn
}
