package peer

import (
	"errors"
	"sync"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
	"github.com/anacrolix/dht/v2/krpc"
	peer_store "github.com/anacrolix/dht/v2/peer-store"
)

const (
	dhtSwarms = 4096
	dhtPeers  = 64 // of one swarm
	dhtForget = 30 * time.Minute
)

// dhtStore is what this node of the DHT keeps for others: who is in which swarm, as far as there is room.
type dhtStore struct {
	mu     sync.Mutex
	swarms map[peer_store.InfoHash][]dhtPeer
	now    func() time.Time
}

type dhtPeer struct {
	addr krpc.NodeAddr
	came time.Time
}

func newDHTStore() *dhtStore {
	return &dhtStore{swarms: map[peer_store.InfoHash][]dhtPeer{}, now: time.Now}
}

// AddPeer is for the node. The oldest goes where there is no room; a swarm that is known by nobody here comes in only
// where there is some.
func (s *dhtStore) AddPeer(ih peer_store.InfoHash, addr krpc.NodeAddr) {
	if addr.Port <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	swarm := s.fresh(ih)
	if len(swarm) == 0 && len(s.swarms) >= dhtSwarms {
		for other := range s.swarms { // any few, to find one that is forgotten
			if s.fresh(other); len(s.swarms) < dhtSwarms {
				break
			}
		}
		if len(s.swarms) >= dhtSwarms {
			return
		}
	}
	for i, p := range swarm {
		if p.addr.IP.Equal(addr.IP) && p.addr.Port == addr.Port {
			swarm = append(swarm[:i], swarm[i+1:]...)
			break
		}
	}
	if len(swarm) == dhtPeers {
		swarm = swarm[1:]
	}
	s.swarms[ih] = append(swarm, dhtPeer{addr, s.now()})
}

// fresh are those of a swarm that came lately; it forgets the others.
func (s *dhtStore) fresh(ih peer_store.InfoHash) []dhtPeer {
	swarm := s.swarms[ih]
	for len(swarm) > 0 && s.now().Sub(swarm[0].came) > dhtForget {
		swarm = swarm[1:]
	}
	if len(swarm) == 0 {
		delete(s.swarms, ih)
		return nil
	}
	s.swarms[ih] = swarm
	return swarm
}

// GetPeers is for the node.
func (s *dhtStore) GetPeers(ih peer_store.InfoHash) (all []krpc.NodeAddr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.fresh(ih) {
		all = append(all, p.addr)
	}
	return all
}

// noItems keeps nothing else for anybody (BEP 44).
type noItems struct{}

var errNoItems = errors.New("no room for items")

func (noItems) Put(*bep44.Item) error                 { return errNoItems }
func (noItems) Get(bep44.Target) (*bep44.Item, error) { return nil, bep44.ErrItemNotFound }
func (noItems) Del(bep44.Target) error                { return nil }
