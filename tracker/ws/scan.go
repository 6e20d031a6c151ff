package ws

import (
	"errors"
	"hash/maphash"
)

const (
	// maxHashes is the most infohashes in one scrape.
	maxHashes = 255
	// maxOffers is the most offers of one announce that are passed on.
	maxOffers = 20
)

var errObject = errors.New("a message is a JSON object")

// offer is one member of offers.
type offer struct{ offer, id value }

// scanner finds the values of a message in one pass, without allocating. It accepts exactly what RFC 8259 does (json.go),
// except for invalid UTF-8, a key that comes twice in an object, and nesting beyond maxDepth: those bytes travel on
// to other clients, whose parsers would disagree about them.
type scanner struct {
	data []byte
	at   int
	seed maphash.Seed
	// keys holds hashes of the keys of all objects around the present place.
	keys    [maxKeys]uint64
	keyed   int
	scratch []byte

	action, infoHash, peerID, toPeerID, offerID value
	event, left, numWant, offersValue, answer   value
	key                                         value
	// offers holds the first of them; offerCount counts all.
	offers     [maxOffers]offer
	offerCount int
	// hashes holds the members of info_hash where that is an array; hashCount counts all.
	hashes    [maxHashes]value
	hashCount int
}

// scan reads a whole message. After an error, the values found before it are still there.
func (s *scanner) scan(data []byte) error {
	s.data, s.at, s.keyed = data, 0, 0
	s.action, s.infoHash, s.peerID, s.toPeerID, s.offerID = value{}, value{}, value{}, value{}, value{}
	s.event, s.left, s.numWant, s.offersValue, s.answer = value{}, value{}, value{}, value{}, value{}
	s.key = value{}
	s.offerCount, s.hashCount = 0, 0
	s.space()
	if s.peek() != '{' {
		if _, err := s.value(0); err != nil {
			return err
		}
		return errObject
	}
	if err := s.object(1, (*scanner).member); err != nil {
		return err
	}
	s.space()
	if s.at != len(s.data) {
		return errSyntax
	}
	return nil
}

func (s *scanner) raw(v value) []byte { return s.data[v.start:v.end] }

// member reads the value of a key of the message itself.
func (s *scanner) member(key []byte, depth int) error {
	var to *value
	var element func(s *scanner, depth int) error // of those that may be arrays
	switch string(key) {
	case "action":
		to = &s.action
	case "info_hash":
		to, element = &s.infoHash, (*scanner).hash
	case "peer_id":
		to = &s.peerID
	case "to_peer_id":
		to = &s.toPeerID
	case "offer_id":
		to = &s.offerID
	case "event":
		to = &s.event
	case "key":
		to = &s.key
	case "left":
		to = &s.left
	case "numwant":
		to = &s.numWant
	case "answer":
		to = &s.answer
	case "offers":
		to, element = &s.offersValue, (*scanner).offer
	default:
		_, err := s.value(depth)
		return err
	}
	if element != nil && s.peek() == '[' {
		to.start = s.at
		err := s.array(depth+1, element)
		to.kind, to.end = array, s.at
		return err
	}
	v, err := s.value(depth)
	if err == nil {
		*to = v
	}
	return err
}

func (s *scanner) hash(depth int) error {
	v, err := s.value(depth)
	if err != nil {
		return err
	}
	if s.hashCount < maxHashes {
		s.hashes[s.hashCount] = v
	}
	s.hashCount++
	return nil
}

func (s *scanner) offer(depth int) error {
	if s.offerCount >= maxOffers || s.peek() != '{' {
		_, err := s.value(depth)
		if s.offerCount < maxOffers {
			s.offers[s.offerCount] = offer{}
		}
		s.offerCount++
		return err
	}
	s.offers[s.offerCount] = offer{}
	err := s.object(depth+1, (*scanner).offerMember)
	s.offerCount++
	return err
}

func (s *scanner) offerMember(key []byte, depth int) error {
	var to *value
	switch string(key) {
	case "offer":
		to = &s.offers[s.offerCount].offer
	case "offer_id":
		to = &s.offers[s.offerCount].id
	default:
		_, err := s.value(depth)
		return err
	}
	v, err := s.value(depth)
	if err == nil {
		*to = v
	}
	return err
}
