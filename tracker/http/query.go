package http

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/starling-p2p/starling/tracker"
)

// maxHashes is the most infohashes in one scrape.
const maxHashes = 255

var (
	errInfoHash = errors.New("info_hash is not 20 bytes, percent-encoded; check the torrent or the client")
	errHashes   = errors.New("info_hash comes twice: announce one torrent at a time")
	errPeerID   = errors.New("peer_id is not 20 bytes, percent-encoded")
	errPort     = errors.New("port is not a number from 0 to 65535")
	errAll      = errors.New("name the torrents to scrape: info_hash, at most 255 times")
	errTooOften = errors.New("too many requests from your address: try again later")
)

// query reads what lies behind the question mark, in one pass and without allocating. What it does not know it skips.
type query struct {
	infoHash, peerID, port, left, event, numWant, compact, noPeerID, key, ip string
	twice                                                                    bool
	hashes                                                                   [maxHashes]tracker.InfoHash
}

// next cuts the first key and value off.
func next(raw string) (key, value, rest string) {
	pair, rest, _ := strings.Cut(raw, "&")
	key, value, _ = strings.Cut(pair, "=")
	return key, value, rest
}

// scan finds the values. Of those that come twice the first counts.
func (q *query) scan(raw string) {
	q.infoHash, q.peerID, q.port, q.left, q.event, q.numWant, q.compact, q.noPeerID, q.key, q.ip = "", "", "", "", "", "", "", "", "", ""
	q.twice = false
	var key, value string
	for raw != "" {
		key, value, raw = next(raw)
		to := (*string)(nil)
		switch key {
		case "info_hash":
			q.twice = q.infoHash != ""
			to = &q.infoHash
		case "peer_id":
			to = &q.peerID
		case "port":
			to = &q.port
		case "left":
			to = &q.left
		case "event":
			to = &q.event
		case "numwant":
			to = &q.numWant
		case "compact":
			to = &q.compact
		case "no_peer_id":
			to = &q.noPeerID
		case "key":
			to = &q.key
		case "ip":
			to = &q.ip
		}
		if to != nil && *to == "" {
			*to = value
		}
	}
}

// announce reads an announce that came from an address.
func (q *query) announce(raw string, from netip.Addr) (a tracker.AddrAnnounce, err error) {
	q.scan(raw)
	hash, ok := binary(q.infoHash)
	switch {
	case !ok:
		return a, errInfoHash
	case q.twice:
		return a, errHashes
	}
	a.InfoHash = hash
	if a.PeerID, ok = binary(q.peerID); !ok {
		return a, errPeerID
	}
	port, err := strconv.ParseUint(q.port, 10, 16)
	switch {
	case q.event == "stopped":
		a.Event = tracker.Stopped
	case q.event == "completed":
		a.Event = tracker.Completed
	}
	if err != nil && a.Event != tracker.Stopped {
		return a, errPort
	}
	a.Addr = netip.AddrPortFrom(stated(q.ip, from), uint16(port))
	switch left, err := strconv.ParseUint(q.left, 10, 64); {
	case q.left == "":
	case left == 0 && err == nil:
		a.Left = tracker.Nothing
	default:
		a.Left = tracker.Some
	}
	a.Want = defaultWant
	if n, err := strconv.ParseUint(q.numWant, 10, 31); err == nil {
		a.Want = min(int(n), maxWant)
	}
	if q.key != "" {
		a.Key = max(1, uint32(tracker.KeyOf(q.key)))
	}
	return a, nil
}

// stated is where a peer says it is, where it may say so: one in this tracker's own network, whose address out there
// the tracker cannot know. Others could have somebody else's machine called by a whole swarm.
func stated(ip string, from netip.Addr) netip.Addr {
	if ip != "" && (from.IsLoopback() || from.IsPrivate() || from.IsLinkLocalUnicast()) {
		var buffer [64]byte
		if n, ok := decode(buffer[:], ip); ok {
			if a, err := netip.ParseAddr(string(buffer[:n])); err == nil && !a.IsUnspecified() && !a.IsMulticast() {
				return a.Unmap().WithZone("")
			}
		}
	}
	return from
}

// scrape reads the infohashes of a scrape. They are good until the next use of q.
func (q *query) scrape(raw string) ([]tracker.InfoHash, error) {
	n := 0
	var key, value string
	for raw != "" {
		if key, value, raw = next(raw); key != "info_hash" {
			continue
		}
		hash, ok := binary(value)
		switch {
		case !ok:
			return nil, errInfoHash
		case n == maxHashes:
			return nil, errAll
		}
		q.hashes[n] = hash
		n++
	}
	if n == 0 {
		return nil, errAll
	}
	return q.hashes[:n], nil
}

// binary decodes 20 bytes.
func binary(s string) (b [20]byte, ok bool) {
	n, ok := decode(b[:], s)
	return b, ok && n == len(b)
}

// decode resolves percent signs, and says whether they were right and all fitted.
func decode(to []byte, s string) (n int, ok bool) {
	for i := 0; i < len(s); n++ {
		if n == len(to) {
			return n, false
		}
		switch c := s[i]; c {
		case '%':
			if i+2 >= len(s) {
				return n, false
			}
			high, low := digit(s[i+1]), digit(s[i+2])
			if high|low > 15 {
				return n, false
			}
			to[n] = high<<4 | low
			i += 3
		case '+':
			to[n] = ' '
			i++
		default:
			to[n] = c
			i++
		}
	}
	return n, true
}

// digit is above 15 for what is none.
func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
