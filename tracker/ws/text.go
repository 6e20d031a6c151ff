package ws

import (
	"unicode/utf16"
	"unicode/utf8"
)

func hex(c byte) (rune, bool) {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0'), true
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}

// next decodes the first code unit of a string's body that the scanner has accepted, and tells its length in bytes.
// Half of a surrogate pair is returned as it is.
func next(body []byte) (rune, int) {
	if body[0] < utf8.RuneSelf && body[0] != '\\' {
		return rune(body[0]), 1
	}
	if body[0] != '\\' {
		return utf8.DecodeRune(body)
	}
	switch c := body[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		var r rune
		for _, c := range body[2:6] {
			d, _ := hex(c)
			r = r<<4 | d
		}
		return r, 6
	default:
		return rune(c), 2
	}
}

// unescape appends what a string's body says. Surrogate pairs become one code point, halves become U+FFFD: as
// JSON.parse followed by any UTF-8 encoder has it, so two spellings of one string compare equal.
func unescape(to, body []byte) []byte {
	for len(body) > 0 {
		r, n := next(body)
		body = body[n:]
		if utf16.IsSurrogate(r) && len(body) > 0 {
			low, n := next(body)
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				r = pair
				body = body[n:]
			}
		}
		to = utf8.AppendRune(to, r)
	}
	return to
}

// binary decodes a string of 20 code points, each one a byte: U+0000 to U+00FF. That is how bytes travel in this
// protocol; in UTF-8 they are 20 to 40 bytes long, more with escapes.
func binary(raw []byte) (b [20]byte, ok bool) {
	if len(raw) < 22 || raw[0] != '"' {
		return b, false
	}
	body := raw[1 : len(raw)-1]
	for i := range b {
		if len(body) == 0 {
			return b, false
		}
		r, n := next(body)
		if r > 0xff {
			return b, false
		}
		b[i] = byte(r)
		body = body[n:]
	}
	return b, len(body) == 0
}
