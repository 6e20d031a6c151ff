package cluster

import (
	"encoding/binary"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starling-p2p/starling/tracker"
)

const (
	// missed beats make a node gone.
	missed = 4
	// maxBeat is the longest that a node may promise.
	maxBeat = time.Minute
	// calm is how many nodes say hello within one Beat; more of them say so less often, so that hellos cost each node the
	// same however many there are.
	calm = 50
	// maxNodes bounds what somebody could do who has the secret and a broken clock.
	maxNodes = 10_000
	maxName  = 255
)

// member is a node, as others see it.
type member struct {
	id    uint32
	mixed uint64 // id, spread over all bits
	self  bool
	box   outbox

	// These are members.mu's.
	name   string
	said   bool // hello
	heard  time.Time
	beat   time.Duration
	leaves bool // it owns nothing any more, but can be reached
}

// view is who is there. It is not altered: another one takes its place.
type view struct {
	owners []*member
	byID   map[uint32]*member
}

// owner is the node that looks after a swarm: of all, the one with the highest score for it (rendezvous hashing). So
// when one comes or goes, only swarms that it gets or had change owners. Nil: this node.
func (v *view) owner(h tracker.InfoHash) *member {
	hash := binary.BigEndian.Uint64(h[:]) ^ binary.BigEndian.Uint64(h[8:]) ^ uint64(binary.BigEndian.Uint32(h[16:]))
	var best *member
	most := uint64(0)
	for _, m := range v.owners {
		if score := mix(hash ^ m.mixed); score > most || best == nil {
			best, most = m, score
		}
	}
	if best == nil || best.self {
		return nil
	}
	return best
}

// mix spreads each bit over all others: the last steps of MurmurHash3. All nodes must agree on it. It gives no two numbers
// the same one, so that of two nodes one always has the higher score.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// members keeps track of who is there.
type members struct {
	node    *Node
	current atomic.Pointer[view]
	changed chan struct{} // has room for one

	mu     sync.Mutex
	self   *member
	known  map[uint32]*member
	gone   map[uint32]bool // whose peers have not been removed yet
	ticked time.Time
	said   time.Time
}

func (m *members) init(n *Node) {
	m.self = &member{id: n.id, mixed: mix(uint64(n.id)), name: n.options.Host, self: true}
	m.node, m.changed = n, make(chan struct{}, 1)
	m.known, m.gone = map[uint32]*member{n.id: m.self}, map[uint32]bool{}
	m.see()
}

func (m *members) now() *view { return m.current.Load() }

// see makes a new view. The members are locked, or not shared yet.
func (m *members) see() {
	v := &view{byID: maps.Clone(m.known)}
	for _, one := range m.known {
		if !one.leaves {
			v.owners = append(v.owners, one)
		}
	}
	m.current.Store(v)
	m.notify()
}

// notify has the house look around.
func (m *members) notify() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// beat is how often this node says hello.
func (m *members) beat() time.Duration {
	return min(maxBeat, max(m.node.options.Beat, m.node.options.Beat*time.Duration(len(m.now().byID))/calm))
}

const (
	helloSize = 1 + 1 + 4 + 8 + 4
	// Flags: first a node leaves its swarms to others, then it is gone.
	leaving = 1
	left    = 2
)

func (m *members) appendHello(b []byte, flags byte) []byte {
	n := m.node
	b = append(b, version, flags)
	b = binary.BigEndian.AppendUint32(b, n.id)
	b = binary.BigEndian.AppendUint64(b, n.nonce)
	b = binary.BigEndian.AppendUint32(b, uint32(m.beat()/time.Millisecond))
	return append(b, n.options.Host[:min(len(n.options.Host), maxName)]...)
}

func (m *members) hello(flags byte) {
	n := m.node
	b := m.appendHello(nil, flags)
	if err := n.bus.Publish(n.hellos(), b); err != nil {
		n.counters.lost.Add(1)
		n.options.Log.Debug("the cluster does not hear this node", "error", err)
	}
}

// errDouble is as likely as one in four million, with a thousand nodes.
var errDouble = errors.New("another node of the cluster has drawn the same number: start this one again")

// receive hears a node's hello.
func (m *members) receive(b []byte) {
	n := m.node
	if !n.understands(b) {
		return
	}
	if len(b) < helloSize {
		n.counters.malformed.Add(1)
		return
	}
	flags, id, nonce := b[1], binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint64(b[6:])
	beat := time.Duration(binary.BigEndian.Uint32(b[14:])) * time.Millisecond
	if id == n.id {
		// The one who drew the lesser nonce gives way.
		if n.nonce < nonce {
			select {
			case n.failed <- errDouble:
			default:
			}
		}
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.known[id]
	if flags&left != 0 {
		if known != nil {
			n.options.Log.Info("a node has left the cluster", "node", known.name)
			m.lose(known)
			m.see()
		}
		return
	}
	if known == nil {
		if known = m.add(id); known == nil {
			return
		}
	}
	if !known.said {
		known.said, known.name = true, string(b[helloSize:min(len(b), helloSize+maxName)])
		n.options.Log.Info("a node has joined the cluster", "node", known.name)
		// A new one need not wait for our beat.
		if b := known.box.begin(kindHello); b != nil {
			known.box.end(m.appendHello(b, m.flags()))
		}
	}
	known.heard, known.beat = time.Now(), min(maxBeat, max(beat, time.Millisecond))
	if leaves := flags&leaving != 0; known.leaves != leaves {
		known.leaves = leaves
		m.see()
	}
}

// meet returns a node that has asked something. If it has just come, so that its hello is yet to be heard, it owns
// nothing until then. Nil: there are too many, or it is this one.
func (m *members) meet(id uint32) *member {
	if known := m.now().byID[id]; known != nil {
		if known.self {
			return nil
		}
		return known
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.known[id]; known != nil {
		return known
	}
	known := m.add(id)
	if known != nil {
		m.see()
	}
	return known
}

// add makes room for a node. The members are locked.
func (m *members) add(id uint32) *member {
	n := m.node
	if len(m.known) >= maxNodes || id == 0 {
		return nil
	}
	one := &member{id: id, mixed: mix(uint64(id)), leaves: true, heard: time.Now(), beat: n.options.Beat}
	one.box.init(n, n.subject(id))
	m.known[id] = one
	delete(m.gone, id)
	return one
}

// lose forgets a node. The members are locked.
func (m *members) lose(one *member) {
	delete(m.known, one.id)
	m.gone[one.id] = true
}

func (m *members) run() {
	m.ticked = time.Now()
	t := time.NewTicker(m.node.options.Beat / 2)
	defer t.Stop()
	for {
		m.tick()
		select {
		case <-m.node.stop:
			return
		case <-t.C:
		}
	}
}

// tick says hello when it is time, and misses those who have not.
func (m *members) tick() {
	now := time.Now()
	beat := m.beat()
	m.mu.Lock()
	defer m.mu.Unlock()
	// What was this node's own sleep is not held against others: their hellos wait to be read.
	slept := now.Sub(m.ticked) - m.node.options.Beat
	m.ticked = now
	lost := false
	for _, one := range m.known {
		if one.self {
			continue
		}
		if slept > 0 {
			one.heard = one.heard.Add(slept)
		}
		if now.Sub(one.heard) > missed*one.beat {
			if one.said {
				m.node.options.Log.Warn("a node of the cluster is gone", "node", one.name)
			}
			m.lose(one)
			lost = true
		}
	}
	if lost {
		m.see()
	}
	if now.Sub(m.said) >= beat-m.node.options.Beat/4 {
		m.said = now
		go m.hello(m.flags()) // the bus may block
	}
}

// flags are for a hello. The members are locked.
func (m *members) flags() byte {
	if m.self.leaves {
		return leaving
	}
	return 0
}

// leave leaves the swarms to others.
func (m *members) leave() {
	m.mu.Lock()
	m.self.leaves = true
	m.see()
	m.mu.Unlock()
	m.hello(leaving)
}

// takeGone returns the nodes that went since it was called last.
func (m *members) takeGone() map[uint32]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := m.gone
	m.gone = map[uint32]bool{}
	return gone
}
