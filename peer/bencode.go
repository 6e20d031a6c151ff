package peer

import (
	"errors"
	"strconv"
)

var errBencode = errors.New("no valid bencoding")

const maxDepth = 32

// skim passes over one bencoded value (BEP 3) and returns its length. Decoders call themselves for what is nested, so
// this comes first with what strangers sent: it refuses what is nested deeper than maxDepth, or not well formed.
func skim(b []byte) (n int, err error) {
	for depth := 0; ; {
		if n >= len(b) || depth > maxDepth {
			return 0, errBencode
		}
		switch c := b[n]; {
		case c == 'd' || c == 'l':
			depth++
			n++
		case c == 'e':
			if depth--; depth < 0 {
				return 0, errBencode
			}
			n++
		case c == 'i':
			end := find(b, n+1, 'e')
			if end < 0 {
				return 0, errBencode
			}
			if _, err := strconv.ParseInt(string(b[n+1:end]), 10, 64); err != nil {
				return 0, errBencode
			}
			n = end + 1
		case '0' <= c && c <= '9':
			colon := find(b, n, ':')
			if colon < 0 {
				return 0, errBencode
			}
			length, err := strconv.ParseInt(string(b[n:colon]), 10, 32)
			if err != nil || length > int64(len(b)-colon-1) {
				return 0, errBencode
			}
			n = colon + 1 + int(length)
		default:
			return 0, errBencode
		}
		if depth == 0 {
			return n, nil
		}
	}
}

// find looks for the end of a number.
func find(b []byte, from int, end byte) int {
	for i := from; i < min(len(b), from+24); i++ {
		if b[i] == end {
			return i
		}
	}
	return -1
}
