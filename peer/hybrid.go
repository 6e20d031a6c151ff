package peer

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/anacrolix/torrent/bencode"
)

// Hybrid torrents (BEP 52) are BitTorrent v1 and v2 at once: they have two infohashes, and their info dictionary has
// "pieces" and "files" beside a "file tree". Here they are v1 torrents, by their v1 infohash; what only v2 knows is kept
// as it came, for those who fetch the metadata, and shown to nobody else.
var errV2 = errors.New("this torrent is of BitTorrent v2 alone, which Starling does not speak: ask for a hybrid or a v1 torrent of the same files")

const metaVersion = "meta version"

// v1Of is an info dictionary that has nothing of v2. What is left out is replaced by filler, so that it is as long as
// before: its length is what the engine names to others (BEP 9). What is v2 alone, or no info dictionary, stays as it is.
func v1Of(info []byte) []byte {
	if !bytes.Contains(info, []byte(metaVersion)) {
		return info
	}
	var d map[string]bencode.Bytes
	if bencode.Unmarshal(info, &d) != nil || d["pieces"] == nil {
		return info
	}
	delete(d, metaVersion)
	delete(d, "file tree")
	short, err := bencode.Marshal(d)
	if err != nil {
		return info
	}
	for _, key := range []string{"~", "~~"} { // behind all others; with one of them there is a number that fits
		room := len(info) - len(short) - len(key) - len("1:")
		for n := max(0, room-8); n < room; n++ {
			if digits := strconv.Itoa(n); len(digits)+len(":")+n == room && d[key] == nil {
				short = append(short[:len(short)-1], strconv.Itoa(len(key))+":"+key+digits+":"...)
				return append(append(short, bytes.Repeat([]byte{'.'}, n)...), 'e')
			}
		}
	}
	return info
}
