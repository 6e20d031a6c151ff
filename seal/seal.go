// Package seal is the encrypted container in which private data travels (docs/protocol.md, "Seals"); web/engine/seal is
// the same for browsers, and testdata/vectors.json is what both are held to.
//
//	files ─ New ─▶ Sealed, an io.ReaderAt over the container ─▶ pieces
//	pieces ─ Open ─▶ Opened: Header and File, an io.SectionReader of each
//
// Nothing of it is kept: the container is a function of key, salt and plaintext, made range by range as it is read. So
// is the plaintext of an Opened, from those records alone that cover the range.
//
//	container: an RFC 8188 "aes128gcm" body
//
//	+-----------+------------------+-----------+----------------------------------------------
//	| salt (16) | record size (4)  | idlen (1) | records of 65,536 bytes, the last one shorter
//	|           | 00 01 00 00      | 00        | each: AES-128-GCM(data ‖ delimiter), tag (16)
//	+-----------+------------------+-----------+----------------------------------------------
//
//	plaintext: the records' data, up to 65,519 bytes each; header.go says what the JSON holds
//
//	+-------------------+--------------+---------------------------------
//	| header length (4) | header: JSON | the files' bytes, one after another
//	+-------------------+--------------+---------------------------------
package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
)

var (
	// ErrKey is for a container that another key has sealed: its first record does not open.
	ErrKey = errors.New("the key in this link does not fit: ask for the link again")
	// ErrFormat is for what no key would have sealed like this.
	ErrFormat = errors.New("this sealed torrent is damaged: ask for it again where you got it")
	// ErrTooLarge is for more than a header can name: 16,384 files, or 1 MiB of JSON.
	ErrTooLarge = errors.New("these are too many files for one private link: share fewer, or an archive of them")
)

// Key is what a private link carries. It prints as "seal.Key(…)" so that no log has it; String gives it in full.
type Key [16]byte

// NewKey returns a random one.
func NewKey() (k Key) {
	_, _ = rand.Read(k[:]) // it never fails
	return k
}

// ParseKey reads 22 characters of base64url.
func ParseKey(text string) (k Key, err error) {
	if len(text) == base64.RawURLEncoding.EncodedLen(len(k)) {
		if b, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(b) == len(k) {
			return Key(b), nil
		}
	}
	return k, errors.New("a key is 22 characters of base64url: copy the link again")
}

// String is how links carry it: 22 characters of base64url.
func (k Key) String() string { return base64.RawURLEncoding.EncodeToString(k[:]) }

// Format keeps it out of what is printed, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("seal.Key(…)")) }

// LogValue keeps it out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// NewSalt returns a random one. A salt is never used with other content under the same key.
func NewSalt() (s [16]byte) {
	_, _ = rand.Read(s[:]) // it never fails
	return s
}
