// Package cluster makes one tracker of several machines, which are called nodes here.
//
// Nothing is agreed upon and nothing is kept: all that a tracker knows comes back within an interval, as peers announce
// again. Every swarm has one node that looks after it, its owner, which each node works out for itself from the infohash
// and from whoever is there (members.go). Clients connect to any node:
//
//	          1 announce                      2 announce
//	peer A ──────────────► node X of its socket ───────► node Y, the swarm's owner: records A, counts, chooses B
//	       ◄──────────────        │             ◄───────
//	          4 reply             │              3 counts, and where B is
//	                              │ 5 offer, and where A is
//	                              ▼
//	                       node Z of B's socket ── 6 offer ──► peer B
//
// Z remembers whose the offer was (offers.go), so B's answer goes from Z to X at once. Where one node is two or three of
// these, what would go between them stays at home. Announces by HTTP and UDP, and scrapes, are 1 to 4.
//
// A node that does not answer in time (ask.go) is done without: the client hears what its own node knows. Nodes say
// every second or so that they are there; who has not been heard of for four times as long is gone, as are the peers at
// its sockets. When somebody comes or leaves, the swarms that change owners are handed over (hand.go), so that counts
// stay right.
//
// What carries messages is a Bus; cluster/natsbus has one. Messages of one node to another gather for a moment and
// travel together (outbox.go). The bytes, integers big-endian:
//
//	hello      │ version 1 │ flags 1 │ node 4 │ nonce 8 │ beat, ms 4 │ name …         to everybody. 1: it leaves its swarms, 2: it has left
//	batch      │ version 1 │ from 4 │ item │ item …                          to the subject of one node
//	item       │ kind 1 │ length 3 │ body …
//
//	 1 announce   │ ask 4 │ infohash 20 │ peer 20 │ handle 12 │ event 1 │ left 1 │ want 2 │ place 4 │ replaces, handle 12 │
//	 2 announced  │ ask 4 │ status 1 │ counts 36 │ taken by, handle 12 │ n 2 │ n × (peer 20 │ handle 12) │
//	 3 addr       │ ask 4 │ infohash 20 │ peer 20 │ address 18 │ key's low 2 │ event 1 │ left 1 │ want 2 │ key's high 2 │
//	 4 addrs      │ ask 4 │ status 1 │ counts 36 │ n 2 │ n × (peer 20 │ address 18) │
//	 5 count      │ ask 4 │ n 2 │ n × infohash 20 │
//	 6 counted    │ ask 4 │ n 2 │ n × counts 36 │
//	 7 replace    │ ask 4 │ handle 12 │ address 16 │ key 8 │  may somebody with these have the peer_id of that socket?
//	 8 replaced   │ ask 4 │ yes 1 │
//	 9 hand       │ ask 4 │ infohash 20 │ downloaded 4 │ n 2 │ n × (peer 20 │ handle 12 │ seeder 1 │ age, s/10 4) │
//	              │ m 2 │ m × (peer 20 │ address 18 │ key's low 2 │ seeder 1 │ age 4) │ n × place 4 │ m × key's high 2 │
//	10 taken      │ ask 4 │
//	11 remove     │ infohash 20 │ peer 20 │ handle 12 │
//	12 offer      │ infohash 20 │ peer 20 │ from, handle 12 │ to, handle 12 │ n 2 │ offer_id n │ what its receiver gets …
//	13 answer     │ to, handle 12 │ what its receiver gets …
//	14 hello      │ a hello, for a node that has just come
//
//	handle   ws.Handle: node 4, slot 4, generation 4          address  16 bytes, IPv4 mapped, and port 2
//	counts   seeders, leechers, downloaded, then seeders and leechers by WebRTC, IPv4 and IPv6: nine times 4
//
// The version is the major one. What a later minor version adds is left out by those who do not know it: items of an
// unknown kind, and what follows in an item after what is drawn here. Nodes of another major version are not heard.
package cluster

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// Bus carries messages between nodes. It may lose and delay them, and alters none. Safe for concurrent use.
type Bus interface {
	// Publish sends to all who have subscribed to a subject. It keeps nothing of data. It may block for a while.
	Publish(subject string, data []byte) error
	// Subscribe has f called with one message after another, each f's own. After cancel it is not called any more.
	Subscribe(subject string, f func(data []byte)) (cancel func(), err error)
	// Connected says whether others can be reached at all, as far as is known.
	Connected() bool
}

// Sockets are those of this node: a ws.Server. Its methods are called by many goroutines, and do not wait.
type Sockets interface {
	// Deliver sends an offer's message, unless the socket is slow, and says whether there is such a socket.
	Deliver(to ws.Handle, message ...[]byte) bool
	// DeliverAnswer sends an answer's message, if there is such a socket.
	DeliverAnswer(to ws.Handle, message ...[]byte)
	// MayReplace says whether a peer may take the place of the one on a socket.
	MayReplace(old ws.Handle, by ws.Proof) bool
}

// Options say how a node works; zero values are replaced by those in brackets.
type Options struct {
	// Name is the cluster's: letters, digits and dashes. Those with another one, on the same bus, are strangers [starling].
	Name string
	// Host is what people call this node [nothing].
	Host string
	// Beat is how often a node says that it is there. With more than 50 nodes it is longer [1 s].
	Beat time.Duration
	// Deadline is how long another node may take to answer [1 s].
	Deadline time.Duration
	// MaxAsks is how many questions may be open [4096].
	MaxAsks int
	// MaxOffers is the most offers for this node's sockets that are remembered; then the elder ones make way [2 million,
	// about 80 MB].
	MaxOffers int
	// Log gets what goes wrong on our side, and who comes and goes [none].
	Log *slog.Logger
}

// Node is this machine's part of the tracker. It is the ws.Cluster of a ws.Server, and the Store of the other front ends.
// Its methods may be called by many goroutines, once it is started.
type Node struct {
	options Options
	store   *tracker.Store[ws.Handle]
	bus     Bus
	sockets Sockets
	id      uint32
	nonce   uint64

	members members
	asks    asks
	offers  offers
	// lanes have a worker each. All of one sender goes by the same lane, in order.
	lanes [lanes]chan []byte

	hands   chan struct{} // handAll holds it
	failed  chan error
	stop    chan struct{}
	workers sync.WaitGroup
	once    sync.Once
	cancels []func()

	counters struct{ asks, late, overflow, lost, unknown, malformed, offers, answers, handed, batches, bytes atomic.Uint64 }
	warned   [256]atomic.Bool // of which versions
	looking  atomic.Bool      // lookAgain has been called
}

// lanes is how many processors a node uses at most for what others want of it.
const lanes = 4

// New returns a node that is alone until it is started.
func New(store *tracker.Store[ws.Handle], bus Bus, o Options) *Node {
	if o.Name == "" {
		o.Name = "starling"
	}
	if o.Beat == 0 {
		o.Beat = time.Second
	}
	if o.Deadline == 0 {
		o.Deadline = time.Second
	}
	if o.MaxAsks == 0 {
		o.MaxAsks = 4096
	}
	if o.MaxOffers == 0 {
		o.MaxOffers = 2_000_000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var random [12]byte
	_, _ = crand.Read(random[:]) // never fails
	n := &Node{
		options: o, store: store, bus: bus,
		id: max(1, binary.BigEndian.Uint32(random[:])), nonce: binary.BigEndian.Uint64(random[4:]),
		hands: make(chan struct{}, 1), failed: make(chan error, 1), stop: make(chan struct{}),
	}
	n.members.init(n)
	n.asks.init(n)
	n.offers.seed, n.offers.limit, n.offers.start = maphash.MakeSeed(), o.MaxOffers, time.Now()
	for i := range n.lanes {
		n.lanes[i] = make(chan []byte, 64)
	}
	return n
}

// Node is this node's number, drawn at random when it was made.
func (n *Node) Node() uint32 { return n.id }

// Failed gives the error for which this node should not go on.
func (n *Node) Failed() <-chan error { return n.failed }

// Start joins the others. What is for a client goes to the sockets, which may be made with the node, but before this.
func (n *Node) Start(sockets Sockets) error {
	n.sockets = sockets
	for i := range n.lanes {
		n.workers.Go(func() { n.work(n.lanes[i]) })
	}
	subscribe := func(subject string, f func([]byte)) error {
		cancel, err := n.bus.Subscribe(subject, f)
		if err != nil {
			return fmt.Errorf("joining the cluster: %w", err)
		}
		n.cancels = append(n.cancels, cancel)
		return nil
	}
	if err := subscribe(n.subject(n.id), n.receive); err != nil {
		return err
	}
	if err := subscribe(n.hellos(), n.members.receive); err != nil {
		return err
	}
	n.workers.Go(n.members.run)
	n.workers.Go(n.asks.run)
	n.workers.Go(n.house)
	return nil
}

// subject is where a node gets what is for it alone, hellos what is for all.
func (n *Node) subject(id uint32) string { return fmt.Sprintf("%s.node.%08x", n.options.Name, id) }
func (n *Node) hellos() string           { return n.options.Name + ".hello" }

// Close tells the others that this node leaves, and hands its swarms over as long as the context lasts. The sockets are
// to be closed before. The bus is not closed.
func (n *Node) Close(ctx context.Context) {
	n.once.Do(func() {
		n.members.leave()
		n.handAll(ctx)
		n.members.hello(left)
		close(n.stop)
		for _, cancel := range n.cancels {
			cancel()
		}
		n.workers.Wait()
		n.asks.end()
	})
}

// Stats are counts since the start, but for Nodes, Connected, Open and Outstanding, which are of now.
type Stats struct {
	// Nodes that are there, with this one. Connected says whether the bus is.
	Nodes     int
	Connected bool
	// Asks went to other nodes, and Open ones have no answer yet. Late ones got none in time, Overflow were not asked, as
	// too many were open: these were answered with what this node knew.
	Asks, Late, Overflow uint64
	Open                 int
	// Lost messages could not be sent, as too many waited or the bus was not there.
	Lost uint64
	// Unknown messages were of another version, Malformed ones made no sense.
	Unknown, Malformed uint64
	// Offers and Answers went to sockets of other nodes; Outstanding offers may be answered by sockets of this one.
	Offers, Answers uint64
	Outstanding     int
	// Handed peers went to new owners of their swarms.
	Handed uint64
	// Batches and their Bytes were sent.
	Batches, Bytes uint64
}

// Stats may be called at any time.
func (n *Node) Stats() Stats {
	c := &n.counters
	return Stats{
		Nodes: len(n.members.now().byID), Connected: n.bus.Connected(),
		Asks: c.asks.Load(), Late: c.late.Load(), Overflow: c.overflow.Load(), Open: n.asks.len(),
		Lost: c.lost.Load(), Unknown: c.unknown.Load(), Malformed: c.malformed.Load(),
		Offers: c.offers.Load(), Answers: c.answers.Load(), Outstanding: n.offers.len(),
		Handed: c.handed.Load(), Batches: c.batches.Load(), Bytes: c.bytes.Load(),
	}
}
