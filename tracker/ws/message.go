package ws

import (
	"errors"
	"slices"
	"strconv"

	"github.com/starling-p2p/starling/tracker"
)

const (
	// maxBad is the number of messages in a row that are no JSON at which a socket is closed.
	maxBad = 3
	// maxOfferID is the longest id of an offer, in bytes as sent: 20 code points are at most 122, escaped.
	maxOfferID = 256
	// leastKey is the shortest key that proves anything, in bytes as sent, with its quotes.
	leastKey = 2 + 16
)

// message is a scanner with room for what one message leads to; used again for others.
type message struct {
	scanner
	ids    [maxOffers]tracker.OfferID
	picks  [maxOffers]tracker.Peer[Handle]
	number [320]byte
	files  []byte

	// What is needed when the answer comes from another machine: cluster.go.
	server  *Server
	asked   tracker.Announce[Handle]
	made    Offer
	parts   [offerParts][]byte
	scraped []value
	kept    []byte
	waits   bool
}

// Where the client named no torrent, failures name this one: webtorrent.js stumbles over a message without an
// info_hash, and libtorrent closes the connection.
var noHash = []byte(`"\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000"`)

func (s *Server) receive(k *socket, data []byte) {
	s.counters.messages.Add(1)
	m := s.messages.Get().(*message)
	var err error
	defer func() {
		if err != errElsewhere {
			m.data = nil
			s.messages.Put(m)
		}
	}()
	if err = m.scan(data); err != nil {
		s.counters.malformed.Add(1)
		k.fail(m, err)
		if k.bad++; k.bad == maxBad {
			k.close(policy, "too many messages that are not JSON")
		}
		return
	}
	k.bad = 0
	switch {
	case m.says(m.action, "announce") && m.answer.kind > null:
		err = s.answer(k, m)
	case m.says(m.action, "announce"):
		err = s.announce(k, m)
	case m.says(m.action, "scrape"):
		err = s.scrape(k, m)
	default:
		err = errAction
	}
	if err != nil && err != errElsewhere {
		k.fail(m, err)
	}
}

var (
	// errElsewhere is none: the message will be answered, and returned to the pool, by Announced or Scraped.
	errElsewhere = errors.New("another machine is asked")

	errAction   = errors.New("action is neither announce nor scrape")
	errInfoHash = errors.New("info_hash is not 20 bytes, each a code point from U+0000 to U+00FF")
	errPeerID   = errors.New("peer_id is not 20 bytes, each a code point from U+0000 to U+00FF")
	errToPeerID = errors.New("to_peer_id is not 20 bytes, each a code point from U+0000 to U+00FF")
	errOfferID  = errors.New("offer_id is not a string of at most 256 bytes")
	errOffers   = errors.New("offers is not an array of objects, each with offer and offer_id")
	errAnswer   = errors.New("answer is not an object")
	errTooMany  = errors.New("too many torrents or peer_ids on one connection")
	errAll      = errors.New("name the torrents to scrape: info_hash is a string or an array of at most 255")
)

// says compares a string's value, escapes resolved.
func (m *message) says(v value, what string) bool {
	if v.kind != text {
		return false
	}
	body := m.data[v.start+1 : v.end-1]
	if len(body) == len(what) {
		return string(body) == what && !slices.Contains(body, '\\')
	}
	m.scratch = unescape(m.scratch[:0], body)
	return string(m.scratch) == what
}

func (m *message) binary(v value) ([20]byte, bool) { return binary(m.raw(v)) }

// speaker is who speaks, and of which torrent.
func (m *message) speaker() (hash, id [20]byte, err error) {
	hash, ok := m.binary(m.infoHash)
	if !ok {
		return hash, id, errInfoHash
	}
	if id, ok = m.binary(m.peerID); !ok {
		return hash, id, errPeerID
	}
	return hash, id, nil
}

// offerID returns what the store calls an offer: two spellings of one id are the same.
func (s *Server) offerID(m *message, v value) (tracker.OfferID, bool) {
	if v.kind != text || v.end-v.start > maxOfferID {
		return 0, false
	}
	m.scratch = unescape(m.scratch[:0], m.data[v.start+1:v.end-1])
	return s.store.OfferID(m.scratch), true
}

// offerIDs returns what the store calls the offers of an announce, as many as are passed on.
func (s *Server) offerIDs(m *message) ([]tracker.OfferID, error) {
	if m.offersValue.kind > null && m.offersValue.kind != array {
		return nil, errOffers
	}
	ids := m.ids[:min(m.offerCount, maxOffers)]
	for i, o := range m.offers[:len(ids)] {
		id, ok := s.offerID(m, o.id)
		if !ok || o.offer.kind != object {
			return nil, errOffers
		}
		ids[i] = id
	}
	return ids, nil
}

func (s *Server) announce(k *socket, m *message) error {
	s.counters.announces.Add(1)
	hash, id, err := m.speaker()
	if err != nil {
		return err
	}
	k.prove(m)
	a := tracker.Announce[Handle]{InfoHash: hash, PeerID: id, Contact: k.handle, Event: m.happened(), Left: m.lacks()}
	a.MayReplace = func(old Handle) bool { return s.MayReplace(old, k.proof()) }
	if s.options.Place != nil {
		a.Place = s.options.Place(k.address)
	}

	offers, err := s.offerIDs(m)
	if err != nil {
		return err
	}
	if a.Event != tracker.Stopped && len(offers) > 0 {
		a.Want = k.spend(m.wanted(len(offers)))
		a.Offers = offers
	}

	member, ok := k.member(hash, id)
	if !ok && a.Event != tracker.Stopped {
		return errTooMany
	}
	if s.options.Cluster != nil {
		return s.announceAfar(k, m, &a, member)
	}
	counts, picks, err := s.store.Announce(&a, m.picks[:0])
	k.spent -= int32(a.Want - len(picks))
	if err != nil {
		return err
	}
	if a.Event == tracker.Stopped {
		delete(k.members, member)
	} else {
		k.join(member)
	}

	k.announced(m, counts)
	for i, p := range picks {
		if to := s.table.get(p.Contact); to != nil {
			s.counters.offers.Add(1)
			parts := m.offerTo(i)
			to.send(droppable, opText, parts[:]...)
		}
	}
	return nil
}

// announced replies to an announce.
func (k *socket) announced(m *message, counts tracker.Counts) {
	b := append(m.number[:0], `,"interval":`...)
	b = strconv.AppendInt(b, tracker.Spread(k.server.options.Interval), 10)
	b = appendCounts(append(b, ','), counts)
	k.send(reply, opText, []byte(`{"action":"announce","info_hash":`), m.raw(m.infoHash), append(b, '}'))
}

const offerParts = 9

// offerTo is the message in which an offer of this announce goes to another peer. An answer's has as many parts.
func (m *message) offerTo(i int) [offerParts][]byte {
	o := m.offers[i]
	return [...][]byte{
		[]byte(`{"action":"announce","info_hash":`), m.raw(m.infoHash), []byte(`,"peer_id":`), m.raw(m.peerID),
		[]byte(`,"offer_id":`), m.raw(o.id), []byte(`,"offer":`), m.raw(o.offer), []byte{'}'},
	}
}

func appendCounts(b []byte, c tracker.Counts) []byte {
	b = appendPart(b, tracker.Part{Seeders: c.Seeders, Leechers: c.Leechers})
	if c.Mixed() {
		// Only those of a client's own kind can be reached by it.
		b = appendPart(append(b, `,"kinds":{"ipv4":{`...), c.IPv4)
		b = appendPart(append(b, `},"ipv6":{`...), c.IPv6)
		b = append(appendPart(append(b, `},"webrtc":{`...), c.WebRTC), '}', '}')
	}
	return b
}

func appendPart(b []byte, p tracker.Part) []byte {
	b = strconv.AppendInt(append(b, `"complete":`...), int64(p.Seeders), 10)
	return strconv.AppendInt(append(b, `,"incomplete":`...), int64(p.Leechers), 10)
}

// answer passes an answer on to the maker of the offer, while that is outstanding. There is no reply.
func (s *Server) answer(k *socket, m *message) error {
	hash, id, err := m.speaker()
	if err != nil {
		return err
	}
	maker, ok := m.binary(m.toPeerID)
	if !ok {
		return errToPeerID
	}
	offer, ok := s.offerID(m, m.offerID)
	if !ok {
		return errOfferID
	}
	if m.answer.kind != object {
		return errAnswer
	}
	if !k.is(hash, id) {
		return nil
	}
	if s.options.Cluster != nil {
		m.parts = m.answerTo()
		s.options.Cluster.Answer(hash, k.handle, maker, m.scratch, m.parts[:]...)
		m.parts = [offerParts][]byte{}
		return nil
	}
	contact, ok := s.store.Answer(hash, id, maker, offer)
	if !ok {
		return nil
	}
	if to := s.table.get(contact); to != nil {
		s.counters.answers.Add(1)
		parts := m.answerTo()
		to.send(relayed, opText, parts[:]...)
	}
	return nil
}

func (m *message) answerTo() [offerParts][]byte {
	return [...][]byte{
		[]byte(`{"action":"announce","info_hash":`), m.raw(m.infoHash), []byte(`,"peer_id":`), m.raw(m.peerID),
		[]byte(`,"offer_id":`), m.raw(m.offerID), []byte(`,"answer":`), m.raw(m.answer), []byte{'}'},
	}
}

func (s *Server) scrape(k *socket, m *message) error {
	hashes := m.hashes[:min(m.hashCount, maxHashes)]
	switch {
	case m.infoHash.kind == text:
		hashes = append(m.hashes[:0], m.infoHash)
	case m.infoHash.kind != array, m.hashCount == 0, m.hashCount > maxHashes:
		return errAll
	}
	if s.options.Cluster != nil {
		return s.scrapeAfar(k, m, hashes)
	}
	b := append(m.files[:0], scrapeBegins...)
	for i, v := range hashes {
		hash, ok := m.binary(v)
		if !ok {
			return errInfoHash
		}
		b = m.appendScraped(b, i, v, s.store.Counts(hash))
	}
	k.scraped(m, b)
	return nil
}

const scrapeBegins = `{"action":"scrape","files":{`

// appendScraped appends the i-th swarm of a scrape's reply.
func (m *message) appendScraped(b []byte, i int, hash value, c tracker.Counts) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = appendCounts(append(append(b, m.raw(hash)...), ':', '{'), c)
	return append(strconv.AppendInt(append(b, `,"downloaded":`...), int64(c.Downloaded), 10), '}')
}

// scraped replies to a scrape.
func (k *socket) scraped(m *message, b []byte) {
	m.files = append(b, '}', '}')
	k.send(reply, opText, m.files)
}

// fail tells the client why, always with an action and an info_hash: without them webtorrent.js gives the socket up
// for all its torrents.
func (k *socket) fail(m *message, err error) {
	action, hash := "announce", noHash
	if m.says(m.action, "scrape") {
		action = "scrape"
	}
	if _, ok := m.binary(m.infoHash); ok {
		hash = m.raw(m.infoHash)
	}
	k.send(reply, opText, []byte(`{"action":"`+action+`","info_hash":`), hash, []byte(`,"failure reason":`),
		strconv.AppendQuote(nil, err.Error()), []byte{'}'})
}

func (m *message) happened() tracker.Event {
	switch {
	case m.says(m.event, "stopped"):
		return tracker.Stopped
	case m.says(m.event, "completed"):
		return tracker.Completed
	}
	return tracker.None
}

// lacks reads left: null and negative numbers are what clients say that know only a magnet.
func (m *message) lacks() tracker.Left {
	if m.left.kind == absent {
		return tracker.Unsaid
	}
	if n, err := strconv.ParseFloat(string(m.raw(m.left)), 64); err == nil && n == 0 {
		return tracker.Nothing
	}
	return tracker.Some
}

// wanted is how many offers are to be passed on: numwant where that is a number that makes sense.
func (m *message) wanted(offers int) int {
	if n, err := strconv.Atoi(string(m.raw(m.numWant))); err == nil && n >= 0 {
		return min(n, offers)
	}
	return offers
}

// prove keeps the key that comes with an announce: who has it is who was on this socket.
func (k *socket) prove(m *message) {
	if m.key.kind == text && m.key.end-m.key.start >= leastKey {
		k.key.Store(tracker.KeyOf(m.raw(m.key)))
	}
}

func (k *socket) proof() Proof { return Proof{k.address, k.key.Load()} }
