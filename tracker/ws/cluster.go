package ws

import (
	encoding "encoding/binary"
	"net/netip"

	"github.com/starling-p2p/starling/tracker"
)

// Cluster is a tracker that is several machines, as this front end sees it (package cluster). Its methods are called by
// many goroutines, and never wait for another machine.
type Cluster interface {
	// Node is this machine's number, not 0.
	Node() uint32
	// Announce has the swarm's machine record what a says, offers and MayReplace apart. The proof is the socket's. The
	// announce may be used again after the call, but for what w keeps.
	Announce(a *tracker.Announce[Handle], by Proof, w Waiter)
	// Remove forgets a peer of this machine.
	Remove(h tracker.InfoHash, id tracker.PeerID, contact Handle)
	// Scrape finds the counts of swarms.
	Scrape(hashes []tracker.InfoHash, w Waiter)
	// Offer passes a message on to a socket anywhere, and has that socket's machine remember who made the offer.
	Offer(o *Offer, message ...[]byte)
	// Answer passes a message on to whoever made this offer to the socket, if it is outstanding. An offer can be answered
	// once.
	Answer(h tracker.InfoHash, answerer Handle, maker tracker.PeerID, offer []byte, message ...[]byte)
}

// Waiter gets what a Cluster has found out: one call of Announced or Scraped, on any goroutine.
type Waiter interface {
	// Wait is called before the question leaves this machine: what it was made of is to be kept until the answer comes.
	// False: that is too much at present.
	Wait() bool
	// Announced answers Cluster.Announce; the error is one of tracker.Store.Announce.
	Announced(c tracker.Counts, picks []tracker.Peer[Handle], err error)
	// Scraped answers Cluster.Scrape, with the counts in the order of the question.
	Scraped(counts []tracker.Counts)
}

// Proof is that by which a peer may take the place of the one on another socket.
type Proof struct {
	Address netip.Addr
	Key     uint64 // tracker.KeyOf that of its last announce; 0: none
}

// Offer says whose it is and whose it will be.
type Offer struct {
	InfoHash tracker.InfoHash
	Maker    tracker.PeerID
	From, To Handle
	// ID as the client chose it, escapes resolved.
	ID []byte
}

// HandleSize is the length of a Handle as bytes.
const HandleSize = 12

// AppendTo appends a handle as machines tell it to one another:
//
//	│ node 4 │ slot 4 │ generation 4 │
func (h Handle) AppendTo(b []byte) []byte {
	b = encoding.BigEndian.AppendUint32(b, h.node)
	b = encoding.BigEndian.AppendUint32(b, h.slot)
	return encoding.BigEndian.AppendUint32(b, h.generation)
}

// HandleOf reads what AppendTo has written.
func HandleOf(b [HandleSize]byte) Handle {
	return Handle{encoding.BigEndian.Uint32(b[:]), encoding.BigEndian.Uint32(b[4:]), encoding.BigEndian.Uint32(b[8:])}
}

// Node is the number of the machine that holds the socket.
func (h Handle) Node() uint32 { return h.node }

// reach is table.get for a handle that another machine has named.
func (s *Server) reach(h Handle) *socket {
	if c := h.slot / chunkSize; c >= maxChunks || s.table.chunks[c].Load() == nil {
		return nil
	}
	return s.table.get(h)
}

// Deliver sends an offer's message to a socket of this server, and says whether there is such a socket. It may be
// dropped if the socket is slow.
func (s *Server) Deliver(to Handle, message ...[]byte) bool {
	k := s.reach(to)
	if k == nil {
		return false
	}
	s.counters.offers.Add(1)
	k.send(droppable, opText, message...)
	return true
}

// DeliverAnswer is Deliver for an answer's message, which is not dropped.
func (s *Server) DeliverAnswer(to Handle, message ...[]byte) {
	if k := s.reach(to); k != nil {
		s.counters.answers.Add(1)
		k.send(relayed, opText, message...)
	}
}

// MayReplace says whether a peer may take the place of the one on a socket of this server: where that is gone, comes from
// the same address, or had the same key. Otherwise that one is asked for a sign of life, as its owner may have changed
// networks.
func (s *Server) MayReplace(old Handle, by Proof) bool {
	other := s.reach(old)
	if other == nil || other.address == by.Address || by.Key != 0 && other.key.Load() == by.Key {
		return true
	}
	other.suspected.Store(true)
	return false
}

// maxWaiting is the most bytes of messages that are kept while other machines are asked.
const maxWaiting = 64 << 20

// Wait keeps the message, which is the reader's.
func (m *message) Wait() bool {
	if m.server.waiting.Add(int64(len(m.data))) > maxWaiting {
		m.server.waiting.Add(-int64(len(m.data)))
		return false
	}
	m.kept = append(m.kept[:0], m.data...)
	m.data, m.waits = m.kept, true
	return true
}

// done returns a message to the pool that was answered by way of a Cluster.
func (m *message) done() {
	if m.waits {
		m.server.waiting.Add(-int64(len(m.data)))
		m.waits = false
	}
	if cap(m.kept) > 64<<10 { // not for many short ones
		m.kept = nil
	}
	m.data, m.scraped, m.parts = nil, nil, [offerParts][]byte{}
	m.server.messages.Put(m)
}

// announceAfar is announce where the swarm may be another machine's. What the socket knows of itself is settled at once,
// for it is read again by the time of the answer.
func (s *Server) announceAfar(k *socket, m *message, a *tracker.Announce[Handle], member membership) error {
	if a.Event == tracker.Stopped {
		delete(k.members, member)
	} else {
		k.join(member)
	}
	m.server, m.made = s, Offer{InfoHash: a.InfoHash, Maker: a.PeerID, From: k.handle}
	m.asked = *a
	m.asked.Offers, m.asked.MayReplace = nil, nil
	s.options.Cluster.Announce(&m.asked, k.proof(), m)
	return errElsewhere
}

// Announced replies, and passes on the offers.
func (m *message) Announced(counts tracker.Counts, picks []tracker.Peer[Handle], err error) {
	defer m.done()
	s := m.server
	k := s.table.get(m.made.From)
	if k == nil {
		return
	}
	if err != nil {
		k.fail(m, err)
		return
	}
	k.announced(m, counts)
	for i, p := range picks[:min(len(picks), m.offerCount, maxOffers)] {
		id := m.offers[i].id
		m.scratch = unescape(m.scratch[:0], m.data[id.start+1:id.end-1])
		m.made.To, m.made.ID, m.parts = p.Contact, m.scratch, m.offerTo(i)
		s.options.Cluster.Offer(&m.made, m.parts[:]...)
	}
}

// scrapeAfar is scrape where swarms may be other machines'.
func (s *Server) scrapeAfar(k *socket, m *message, values []value) error {
	hashes := make([]tracker.InfoHash, len(values))
	for i, v := range values {
		var ok bool
		if hashes[i], ok = m.binary(v); !ok {
			return errInfoHash
		}
	}
	m.server, m.made.From, m.scraped = s, k.handle, values
	s.options.Cluster.Scrape(hashes, m)
	return errElsewhere
}

// Scraped replies.
func (m *message) Scraped(counts []tracker.Counts) {
	defer m.done()
	k := m.server.table.get(m.made.From)
	if k == nil || len(counts) != len(m.scraped) {
		return
	}
	b := append(m.files[:0], scrapeBegins...)
	for i, v := range m.scraped {
		b = m.appendScraped(b, i, v, counts[i])
	}
	k.scraped(m, b)
}

// remove forgets a peer whose socket is gone.
func (s *Server) remove(h tracker.InfoHash, id tracker.PeerID, contact Handle) {
	if s.options.Cluster != nil {
		s.options.Cluster.Remove(h, id, contact)
		return
	}
	s.store.Remove(h, id, contact)
}
