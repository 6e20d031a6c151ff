package load

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// RFC 6455, as far as a client needs it that sends whole messages:
//
//	│ FIN, opcode 1 │ masked, length 1 │ length 2 or 8, if that is 126 or 127 │ mask 4, if masked │ payload …
//
// One mask serves a whole run: it is there to protect proxies, not those who measure.
const (
	final     = 0x80
	masked    = 0x80
	opText    = 1
	opClose   = 8
	opPing    = 9
	opPong    = 10
	longest7  = 125
	length16  = 126
	length64  = 127
	maskSize  = 4
	head      = 4 + maskSize // of a message of 126 to 65,535 bytes
	maskChunk = 1024 * maskSize
)

var errFragments = errors.New("the tracker sends messages in fragments, which this command does not read")

// mask is the same four bytes again and again, so that many are masked at once.
type mask [maskChunk]byte

func newMask() *mask {
	m := new(mask)
	_, _ = rand.Read(m[:maskSize]) // never fails
	for i := maskSize; i < len(m); i++ {
		m[i] = m[i-maskSize]
	}
	return m
}

// frame makes a frame of what follows a gap of head bytes at start.
func (m *mask) frame(b []byte, start int, opcode byte) []byte {
	payload := b[start+head:]
	size := len(payload)
	for p := payload; len(p) > 0; p = p[min(len(p), maskChunk):] {
		subtle.XORBytes(p, p[:min(len(p), maskChunk)], m[:])
	}
	switch {
	case size <= longest7:
		b[start], b[start+1] = final|opcode, masked|byte(size)
		copy(b[start+2:], m[:maskSize])
		copy(b[start+2+maskSize:], payload)
		return b[:start+2+maskSize+size]
	case size < 1<<16:
		b[start], b[start+1] = final|opcode, masked|length16
		binary.BigEndian.PutUint16(b[start+2:], uint16(size))
		copy(b[start+4:], m[:maskSize])
		return b
	}
	panic("load: a message of 64 kB") // MaxOffers is too small for that
}

// gap is the room that frame needs.
var gap [head]byte

// unframe returns the first message of what came and how long its frame is: 0 if it is not whole yet.
func unframe(b []byte) (opcode byte, payload []byte, n int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	opcode, n = b[0]&15, 2
	size := uint64(b[1])
	switch size {
	case length16:
		if n = 4; len(b) < n {
			return 0, nil, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case length64:
		if n = 10; len(b) < n {
			return 0, nil, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	switch {
	case b[0]&final == 0 || opcode == 0:
		return 0, nil, 0, errFragments
	case b[1]&masked != 0 || size > maxMessage:
		return 0, nil, 0, fmt.Errorf("a frame that is masked, or longer than %d bytes", maxMessage)
	case uint64(len(b)-n) < size:
		return 0, nil, 0, nil
	}
	return opcode, b[n : n+int(size)], n + int(size), nil
}

// upgrade asks for a WebSocket, and returns what came after the answer.
func upgrade(conn net.Conn, u *url.URL) ([]byte, error) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	request := "GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n\r\n"
	if _, err := conn.Write([]byte(request)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the answer to the handshake: %w", err)
	}
	_ = response.Body.Close()
	accept := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(accept[:]) {
		return nil, errors.New("no WebSocket: " + response.Status)
	}
	held := make([]byte, r.Buffered())
	_, err = r.Read(held)
	return held, err
}
