package udp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	// window is how long ids are made alike. BEP 15 has clients use one for a minute, and trackers take it for two; the
	// windows that are taken make it two to three.
	window  = time.Minute
	windows = 3
	// firstByte is set in the first byte of each id, and in none of STUN's, DTLS's or TURN's: RFC 7983. So one socket
	// can serve all of them.
	firstByte = 0xc0
)

// ids makes and knows connection ids: a hash of the client's address and the minute, with a key that nobody else has.
// So nothing needs to be kept for a client, and an id tells that its bearer received it at that address.
type ids struct {
	block cipher.Block
	start time.Time
}

func newIDs() *ids {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	return &ids{block, time.Now()}
}

// mac is room for a hash.
type mac struct{ in, out [aes.BlockSize]byte }

// of hashes an address and a number: CBC-MAC with AES. Both fit in one block for IPv4; for IPv6 there are two always.
// Ports are left out, for clients share an id among their sockets.
func (s *ids) of(m *mac, a netip.Addr, number uint64) (id [8]byte) {
	m.in = a.As16() // of an IPv4 address eight zeros, at first
	if !a.Is4() {
		s.block.Encrypt(m.out[:], m.in[:])
		m.in = m.out
	}
	for i, b := range binary.BigEndian.AppendUint64(make([]byte, 0, 8), number) {
		m.in[i] ^= b
	}
	s.block.Encrypt(m.out[:], m.in[:])
	copy(id[:], m.out[:])
	id[0] |= firstByte
	return id
}

// now is the number of this window. None is 0, nor is one of those before the first.
func (s *ids) now() uint64 { return uint64(time.Since(s.start)/window) + windows }

// knows says whether an id was made for an address in this window, or not long before. It takes as long for a wrong one
// whatever it is.
func (s *ids) knows(m *mac, a netip.Addr, now uint64, id []byte) bool {
	for i := range uint64(windows) {
		if want := s.of(m, a, now-i); subtle.ConstantTimeCompare(want[:], id) == 1 {
			return true
		}
	}
	return false
}
