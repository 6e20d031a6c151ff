package link

import "crypto/sha256"

// The control channel of a link: which torrents the two ends could share, told in salted tokens, so that neither learns
// of torrents that it does not know (docs/protocol.md, "One link, many torrents"):
//
//	hello  00 nonce (16)           want  01 token (16) …   the sender lacks data of these
//	drop   03 token (16) …         have  02 token (16) …   the sender knows them: open a channel
//
//	token = SHA-256(nonce of the offerer ‖ nonce of the answerer ‖ infohash), first 16 bytes
const (
	hello byte = iota
	want
	have
	drop

	maxWants   = 16_384
	maxControl = 64 << 10
	perMessage = (maxControl - 1) / 16
)

type token [16]byte

// exchange is one end of it. It does no input or output, and the links' lock guards it.
type exchange struct {
	initiator bool
	links     *Links
	nonce     [16]byte
	// salt is both nonces, once hello has been answered.
	salt  [32]byte
	ready bool

	tokens map[InfoHash]token
	names  map[token]InfoHash
	// wanted are torrents this side asked for; true where the other side has it.
	wanted map[InfoHash]bool
	// theirs are tokens the other side asks for; true where it was told that this side knows it.
	theirs map[token]bool
	// out is what is to be told, a bit for each kind of message; order is that of its keys.
	out   map[token]byte
	order []token
}

func newExchange(ls *Links, initiator bool, nonce [16]byte) *exchange {
	return &exchange{
		initiator: initiator, links: ls, nonce: nonce,
		tokens: map[InfoHash]token{}, names: map[token]InfoHash{},
		wanted: map[InfoHash]bool{}, theirs: map[token]bool{}, out: map[token]byte{},
	}
}

// receive takes a message. It returns the torrents that the other side turned out to have, and false when it broke the
// protocol.
func (e *exchange) receive(message []byte) (has []InfoHash, ok bool) {
	if len(message) > maxControl || len(message)%16 != 1 || (message[0] == hello) == e.ready {
		return nil, false
	}
	kind, body := message[0], message[1:]
	if kind == hello {
		return nil, e.greet(body)
	}
	if kind > drop {
		return nil, false
	}
	// Tokens of what is only known here matter once the other side wants something.
	if kind == want && len(e.theirs) == 0 {
		for ih := range e.links.torrents {
			e.token(ih)
		}
	}
	for ; len(body) > 0; body = body[16:] {
		t := token(body[:16])
		switch kind {
		case want:
			if _, known := e.theirs[t]; !known {
				e.theirs[t] = false
			}
			if len(e.theirs) > maxWants {
				return nil, false
			}
			e.tell(t)
		case have:
			ih := e.names[t]
			if had, wanted := e.wanted[ih]; wanted && !had {
				e.wanted[ih] = true
				has = append(has, ih)
			}
		case drop:
			delete(e.theirs, t)
		}
	}
	return has, true
}

func (e *exchange) greet(nonce []byte) bool {
	if len(nonce) != 16 {
		return false
	}
	ours, theirs := e.nonce[:], nonce
	if !e.initiator {
		ours, theirs = theirs, ours
	}
	copy(e.salt[:16], ours)
	copy(e.salt[16:], theirs)
	e.ready = true
	for _, ih := range e.links.lacking() {
		e.change(ih)
	}
	return true
}

func (e *exchange) token(ih InfoHash) token {
	t, ok := e.tokens[ih]
	if !ok {
		digest := sha256.Sum256(append(e.salt[:], ih[:]...))
		t = token(digest[:16])
		e.tokens[ih], e.names[t] = t, ih
	}
	return t
}

// change brings the other side up to date about one torrent.
func (e *exchange) change(ih InfoHash) {
	if !e.ready {
		return
	}
	torrent := e.links.torrents[ih]
	_, wanted := e.wanted[ih]
	switch lacking := torrent != nil && torrent.lacking; {
	case lacking && !wanted && len(e.wanted) < maxWants:
		e.wanted[ih] = false
		e.say(want, e.token(ih))
	case !lacking && wanted:
		delete(e.wanted, ih)
		e.say(drop, e.token(ih))
		e.next()
	}
	if torrent != nil {
		if len(e.theirs) > 0 {
			e.tell(e.token(ih))
		}
		return
	}
	// Should it come back, the other side is told again.
	if t, ok := e.tokens[ih]; ok {
		if _, theirs := e.theirs[t]; theirs {
			e.theirs[t] = false
		}
		if _, pending := e.out[t]; pending {
			e.out[t] &^= 1 << have
		}
		delete(e.tokens, ih)
		delete(e.names, t)
	}
}

// next asks for one of those that were too many.
func (e *exchange) next() {
	if len(e.wanted) != maxWants-1 {
		return
	}
	for _, ih := range e.links.lacking() {
		if _, wanted := e.wanted[ih]; !wanted {
			e.wanted[ih] = false
			e.say(want, e.token(ih))
			return
		}
	}
}

// tell says that a torrent is known here, where the other side wants it and does not know yet.
func (e *exchange) tell(t token) {
	_, known := e.names[t]
	told, theirs := e.theirs[t]
	if !known || !theirs || told {
		return
	}
	e.theirs[t] = true
	e.say(have, t)
}

// say keeps a word for later, a bit each. Drop takes back a want that has not been sent.
func (e *exchange) say(kind byte, t token) {
	was, pending := e.out[t]
	if kind == drop && was&(1<<want) != 0 {
		was &^= 1 << want
	} else {
		was |= 1 << kind
	}
	e.out[t] = was
	if !pending {
		e.order = append(e.order, t)
	}
}

// messages takes what is to be told. Drops go before wants: who took one up again expects to be told have anew.
func (e *exchange) messages() (all [][]byte) {
	for _, kind := range []byte{drop, want, have} {
		message := []byte{kind}
		for _, t := range e.order {
			if e.out[t]&(1<<kind) == 0 {
				continue
			}
			if len(message) == 1+16*perMessage {
				all = append(all, message)
				message = []byte{kind}
			}
			message = append(message, t[:]...)
		}
		if len(message) > 1 {
			all = append(all, message)
		}
	}
	clear(e.out)
	e.order = e.order[:0]
	return all
}
