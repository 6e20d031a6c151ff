package peer

import "math/bits"

// bitset has one bit per piece, in the order of BEP 3 bitfields.
type bitset []byte

func newBitset(n int) bitset    { return make(bitset, (n+7)/8) }
func (b bitset) has(i int) bool { return b[i/8]&(0x80>>(i%8)) != 0 }
func (b bitset) set(i int)      { b[i/8] |= 0x80 >> (i % 8) }
func (b bitset) clear(i int)    { b[i/8] &^= 0x80 >> (i % 8) }
func (b bitset) put(i int, v bool) {
	if v {
		b.set(i)
	} else {
		b.clear(i)
	}
}

func (b bitset) count() (n int) {
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}
