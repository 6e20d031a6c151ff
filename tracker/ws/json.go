package ws

import (
	encoding "encoding/binary"
	"errors"
	"hash/maphash"
	"math/bits"
	"unicode/utf8"
)

const (
	// maxDepth is how deep objects and arrays may lie in one another; a client's message needs four.
	maxDepth = 16
	// maxKeys is the most keys that the objects around any one place may have together.
	maxKeys = 256
)

var (
	errSyntax    = errors.New("this is not JSON")
	errUTF8      = errors.New("this is not UTF-8")
	errDuplicate = errors.New("a key comes twice in one object")
	errDepth     = errors.New("this is nested too deeply, or has too many keys")
)

// kind is what a JSON value is.
type kind uint8

const (
	absent kind = iota
	null
	boolean
	number
	text
	array
	object
)

// value is where a JSON value lies in the message: quotes, braces and all. What is passed on to another client is
// these bytes, as they came.
type value struct {
	kind       kind
	start, end int
}

func (s *scanner) skipMember(_ []byte, depth int) error {
	_, err := s.value(depth)
	return err
}

func (s *scanner) skip(depth int) error {
	_, err := s.value(depth)
	return err
}

// peek returns 0 at the end; no JSON token begins with that.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// value reads any value; depth is the number of objects and arrays around it.
func (s *scanner) value(depth int) (v value, err error) {
	v.start = s.at
	switch c := s.peek(); {
	case c == '"':
		v.kind = text
		_, err = s.string(false)
	case c == '{':
		v.kind = object
		err = s.object(depth+1, (*scanner).skipMember)
	case c == '[':
		v.kind = array
		err = s.array(depth+1, (*scanner).skip)
	case c == '-' || c >= '0' && c <= '9':
		v.kind = number
		err = s.number()
	case c == 't':
		v.kind = boolean
		err = s.word("true")
	case c == 'f':
		v.kind = boolean
		err = s.word("false")
	case c == 'n':
		v.kind = null
		err = s.word("null")
	default:
		err = errSyntax
	}
	v.end = s.at
	return v, err
}

func (s *scanner) word(w string) error {
	if len(s.data)-s.at < len(w) || string(s.data[s.at:s.at+len(w)]) != w {
		return errSyntax
	}
	s.at += len(w)
	return nil
}

// object reads an object at the given depth and calls member at each value.
func (s *scanner) object(depth int, member func(s *scanner, key []byte, depth int) error) error {
	if depth > maxDepth {
		return errDepth
	}
	s.at++
	first := s.keyed
	s.space()
	if s.peek() == '}' {
		s.at++
		return nil
	}
	for {
		if s.peek() != '"' {
			return errSyntax
		}
		key, err := s.string(true)
		if err != nil {
			return err
		}
		if err := s.remember(key, first); err != nil {
			return err
		}
		s.space()
		if s.peek() != ':' {
			return errSyntax
		}
		s.at++
		s.space()
		if err := member(s, key, depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.at++
			s.space()
		case '}':
			s.at++
			s.keyed = first
			return nil
		default:
			return errSyntax
		}
	}
}

// remember notes a key of the object whose keys begin at first. Two different keys with one hash would make it refuse
// a good message; the seed is random, so nobody can bring that about for others.
func (s *scanner) remember(key []byte, first int) error {
	h := maphash.Bytes(s.seed, key)
	for _, other := range s.keys[first:s.keyed] {
		if other == h {
			return errDuplicate
		}
	}
	if s.keyed == maxKeys {
		return errDepth
	}
	s.keys[s.keyed] = h
	s.keyed++
	return nil
}

func (s *scanner) array(depth int, element func(s *scanner, depth int) error) error {
	if depth > maxDepth {
		return errDepth
	}
	s.at++
	s.space()
	if s.peek() == ']' {
		s.at++
		return nil
	}
	for {
		if err := element(s, depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.at++
			s.space()
		case ']':
			s.at++
			return nil
		default:
			return errSyntax
		}
	}
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return errSyntax
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return errSyntax
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if !s.digits() {
			return errSyntax
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.data) && s.data[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at > start
}

const (
	each = 0x0101010101010101
	top  = 0x80 * each
)

// special marks those of eight bytes that are a quote, a backslash, a control character or not ASCII: the lowest bit set
// is the highest one of the first such byte, the first one being the lowest. Most of a message is descriptions, so
// others are passed over at once: x-1 borrows from the highest bit of a byte that was zero, and x-' ' of one below a
// blank.
func special(eight uint64) uint64 {
	quote, backslash := eight^('"'*each), eight^('\\'*each)
	return (eight | (eight-' '*each)&^eight | (quote-each)&^quote | (backslash-each)&^backslash) & top
}

// string reads a string. What it says, escapes resolved, is returned if wanted, and good until the next one is read.
func (s *scanner) string(wanted bool) ([]byte, error) {
	data, at := s.data, s.at+1
	start, plain := at, true
	for {
		for len(data)-at >= 8 {
			found := special(encoding.LittleEndian.Uint64(data[at:]))
			if found != 0 {
				at += bits.TrailingZeros64(found) / 8
				break
			}
			at += 8
		}
		if at >= len(data) {
			s.at = len(data)
			return nil, errSyntax
		}
		switch c := data[at]; {
		case c == '\\':
			plain = false
			n := escape(data[at:])
			if n == 0 {
				s.at = at
				return nil, errSyntax
			}
			at += n
		case c == '"':
			s.at = at + 1
			body := data[start:at]
			if wanted && !plain {
				s.scratch = unescape(s.scratch[:0], body)
				body = s.scratch
			}
			return body, nil
		case c < ' ':
			s.at = at
			return nil, errSyntax
		case c < utf8.RuneSelf:
			at++
		default:
			r, n := utf8.DecodeRune(data[at:])
			if r == utf8.RuneError && n == 1 {
				s.at = at
				return nil, errUTF8
			}
			at += n
		}
	}
}

// escape returns the length of the escape at the beginning of b, or of two, for lines mostly end with two; 0 of none.
func escape(b []byte) int {
	if len(b) >= 4 && string(b[:4]) == `\r\n` {
		return 4
	}
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if _, ok := hex(c); !ok {
				return 0
			}
		}
		return 6
	}
	return 0
}
