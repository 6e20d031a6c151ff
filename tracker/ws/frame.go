package ws

import (
	encoding "encoding/binary"
	"unicode/utf8"
)

// Frames of RFC 6455, section 5.2. A client's are masked:
//
//	+----------+--------+-------------------+--------------+------------------
//	| f000 o o | 1 len7 | 0, 2 or 8 more    | 4 bytes mask | payload xor mask
//	+----------+--------+-------------------+--------------+------------------
//	    f: final, o: opcode     len7 126: 16 bits, 127: 64 bits of length
//
// A server's are not, and ours are always final:
//
//	+----------+--------+-------------------+---------
//	| 1000 o o | 0 len7 | 0, 2 or 8 more    | payload
//	+----------+--------+-------------------+---------
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	final = 0x80
	// maxHeader is the longest header of a frame of ours.
	maxHeader = 10
	// maxControl is the longest payload of opClose, opPing and opPong.
	maxControl = 125
)

// Close codes of RFC 6455, section 7.4.1.
const (
	goingAway = 1001
	protocol  = 1002
	notUTF8   = 1007
	policy    = 1008
	tooBig    = 1009
)

// frame is one of a client's.
type frame struct {
	opcode  byte
	final   bool
	payload []byte // unmasked
}

// nextFrame takes the first frame off data and unmasks it in place. size is how many bytes it has; when data does not hold
// all of it, size is 0, and missing how many more there must be at least. A code other than 0 is that with which a
// socket is closed that sends such a thing; bad frames are known by their first bytes, and longer ones than room are
// not waited for.
func nextFrame(data []byte, room int) (f frame, size, missing int, code uint16) {
	const header = 2 + 4
	if len(data) < 2 {
		return f, 0, header - len(data), 0
	}
	f.opcode, f.final = data[0]&0xf, data[0]&final != 0
	n := int(data[1] & 0x7f)
	switch control := f.opcode >= opClose; {
	case data[0]&0x70 != 0, data[1]&0x80 == 0, f.opcode > opPong, f.opcode > opBinary && f.opcode < opClose, control && (!f.final || n > maxControl):
		return f, 0, 0, protocol
	case control:
		room = maxControl
	}
	at := 2
	switch n {
	case 126:
		if at += 2; len(data) < at {
			return f, 0, at + 4 - len(data), 0
		}
		n = int(encoding.BigEndian.Uint16(data[2:]))
	case 127:
		if at += 8; len(data) < at {
			return f, 0, at + 4 - len(data), 0
		}
		n = int(min(encoding.BigEndian.Uint64(data[2:]), maxMessage+1))
	}
	if n > room {
		return f, 0, 0, tooBig
	}
	if size = at + 4 + n; len(data) < size {
		return f, 0, size - len(data), 0
	}
	f.payload = data[at+4 : size]
	unmask(f.payload, encoding.LittleEndian.Uint32(data[at:]))
	return f, size, 0, 0
}

func unmask(p []byte, mask uint32) {
	if mask == 0 {
		return
	}
	wide := uint64(mask)<<32 | uint64(mask)
	for len(p) >= 32 {
		encoding.LittleEndian.PutUint64(p, encoding.LittleEndian.Uint64(p)^wide)
		encoding.LittleEndian.PutUint64(p[8:], encoding.LittleEndian.Uint64(p[8:])^wide)
		encoding.LittleEndian.PutUint64(p[16:], encoding.LittleEndian.Uint64(p[16:])^wide)
		encoding.LittleEndian.PutUint64(p[24:], encoding.LittleEndian.Uint64(p[24:])^wide)
		p = p[32:]
	}
	for len(p) >= 4 {
		encoding.LittleEndian.PutUint32(p, encoding.LittleEndian.Uint32(p)^mask)
		p = p[4:]
	}
	for i := range p {
		p[i] ^= byte(mask >> (8 * i))
	}
}

// appendFrame appends a frame made of parts, n bytes together.
func appendFrame(b []byte, opcode byte, n int, parts ...[]byte) []byte {
	b = append(b, final|opcode)
	switch {
	case n <= 125:
		b = append(b, byte(n))
	case n <= 0xffff:
		b = encoding.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = encoding.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// farewell is with what code a client's close frame is answered; 0: none.
func farewell(payload []byte) uint16 {
	if len(payload) == 0 {
		return 0
	}
	if len(payload) == 1 {
		return protocol
	}
	switch code := encoding.BigEndian.Uint16(payload); {
	case code < 1000, code >= 1004 && code <= 1006, code >= 1014 && code < 3000, code >= 5000:
		return protocol
	case !utf8.Valid(payload[2:]):
		return notUTF8
	default:
		return code
	}
}
