package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

const (
	// RecordSize is how many bytes a record of the container has, the last one excepted.
	RecordSize = 1 << 16
	// DataSize is how many bytes of plaintext such a record carries.
	DataSize = RecordSize - overhead

	tagSize    = 16
	overhead   = 1 + tagSize // delimiter and tag
	headLength = 16 + 4 + 1  // where the keyid is empty
)

var errRecord = errors.New("the record does not open")

// records seals and opens the records of one body in any order (RFC 8188, section 2).
type records struct {
	block cipher.Block
	gcm   cipher.AEAD
	nonce [12]byte
}

func newRecords(key Key, salt [16]byte) *records {
	derive := func(info string, length int) []byte {
		// Neither fails: the lengths are right.
		b, _ := hkdf.Key(sha256.New, key[:], salt[:], info+"\x00", length)
		return b
	}
	r := &records{nonce: [12]byte(derive("Content-Encoding: nonce", 12))}
	r.block, _ = aes.NewCipher(derive("Content-Encoding: aes128gcm", 16))
	r.gcm, _ = cipher.NewGCM(r.block)
	return r
}

// at is the body's nonce XOR the record's number, as 96 bits (section 2.3).
func (r *records) at(sequence int64) [12]byte {
	n := r.nonce
	binary.BigEndian.PutUint64(n[4:], binary.BigEndian.Uint64(n[4:])^uint64(sequence))
	return n
}

func delimiter(last bool) byte {
	if last {
		return 2
	}
	return 1
}

// seal turns data ‖ delimiter into the record, in place: data needs room for the tag behind it.
func (r *records) seal(sequence int64, data []byte) []byte {
	nonce := r.at(sequence)
	return r.gcm.Seal(data[:0], nonce[:], data, nil)
}

// mask turns data ‖ delimiter, from byte offset on, into the same part of the record, in place. GCM encrypts in counter
// mode, beginning with 2 (NIST SP 800-38D); so what does not reach the tag is had without the rest of the record.
func (r *records) mask(sequence int64, offset int, data []byte) {
	nonce := r.at(sequence)
	var counter [16]byte
	copy(counter[:], nonce[:])
	binary.BigEndian.PutUint32(counter[12:], 2+uint32(offset/aes.BlockSize))
	ctr := cipher.NewCTR(r.block, counter[:])
	var skipped [aes.BlockSize]byte
	ctr.XORKeyStream(skipped[:offset%aes.BlockSize], skipped[:offset%aes.BlockSize])
	ctr.XORKeyStream(data, data)
}

// open returns the data in the record, in place of it. Padding is cut off. Errors: errRecord where key, number or bytes
// are others than when it was sealed; ErrFormat where the delimiter is not what it has to be.
func (r *records) open(sequence int64, record []byte, last bool) ([]byte, error) {
	nonce := r.at(sequence)
	data, err := r.gcm.Open(record[:0], nonce[:], record, nil)
	if err != nil {
		return nil, errRecord
	}
	for end := len(data) - 1; end >= 0; end-- {
		if data[end] == delimiter(last) {
			return data[:end], nil
		}
		if data[end] != 0 {
			break
		}
	}
	return nil, ErrFormat
}

// head is what the body begins with.
func head(salt [16]byte) []byte {
	b := make([]byte, 0, headLength)
	b = append(b, salt[:]...)
	b = binary.BigEndian.AppendUint32(b, RecordSize)
	return append(b, 0)
}

// covering are the bytes of a container of this size, [start, end), in whose records bytes [start, end) of the plaintext
// are.
func covering(start, end, size int64) (int64, int64) {
	return headLength + start/DataSize*RecordSize, min(headLength+(end+DataSize-1)/DataSize*RecordSize, size)
}

// SealedSize tells how long the container of so much plaintext (header and its length included) is.
func SealedSize(plain int64) int64 {
	return headLength + plain + overhead*max(1, (plain+DataSize-1)/DataSize)
}
