package udp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/starling-p2p/starling/tracker"
)

// magic is the connection id with which a client asks for one.
const magic = 0x41727101980

const (
	actionConnect = iota
	actionAnnounce
	actionScrape
	actionError
)

const (
	headerSize   = 16
	announceSize = 98
	// maxHashes is the most infohashes of one scrape; those after them are left out, as BEP 15 has it.
	maxHashes = 74
	// defaultWant is how many peers a client gets that names no number.
	defaultWant = 50
	// maxAnswer is what the smallest network takes that IPv6 may have: 1,280 bytes, less the headers of IPv6 and UDP.
	maxAnswer = 1280 - 40 - 8
)

// Events, as numbers.
const (
	eventCompleted = 1
	eventStopped   = 3
)

// expired is said to those whose id is not known (any more). Short, for it must not be longer than what it answers.
const expired = "connect again, please"

// Match says whether a packet is for a UDP tracker, and not for STUN, TURN or DTLS on the same port.
func (h *Handler) Match(packet []byte) bool {
	if len(packet) < headerSize {
		return false
	}
	action := binary.BigEndian.Uint32(packet[8:])
	if binary.BigEndian.Uint64(packet) == magic {
		return action == actionConnect
	}
	return packet[0]&firstByte == firstByte && (action == actionAnnounce || action == actionScrape)
}

// answer appends the answer to a packet that comes in a window of h.ids.
func (h *Handler) answer(w *work, now uint64, to, p []byte, from netip.AddrPort) []byte {
	if len(p) < headerSize {
		return to
	}
	ip, action := from.Addr().Unmap(), binary.BigEndian.Uint32(p[8:])
	if binary.BigEndian.Uint64(p) == magic {
		if action != actionConnect {
			return to
		}
		h.counters.connects.Add(1)
		id := h.ids.of(&w.mac, ip, now)
		return append(begin(to, actionConnect, p), id[:]...)
	}
	switch {
	case action == actionAnnounce && len(p) >= announceSize, action == actionScrape && len(p) >= headerSize+20:
	default:
		return to
	}
	if !h.ids.knows(&w.mac, ip, now, p[:8]) {
		h.counters.forged.Add(1)
		return append(begin(to, actionError, p), expired...)
	}
	// Only now, for the address could be somebody else's before.
	if !h.options.Limiter.Allow(ip) {
		h.counters.refused.Add(1)
		return to
	}
	if action == actionScrape {
		return h.scrape(w, to, p)
	}
	return h.announce(w, to, p, netip.AddrPortFrom(ip, from.Port()))
}

func begin(to []byte, action uint32, request []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, action), request[12:16]...)
}

func (h *Handler) announce(w *work, to, p []byte, from netip.AddrPort) []byte {
	h.counters.announces.Add(1)
	if h.options.Admit != nil {
		if err := h.options.Admit(path(p[announceSize:])); err != nil {
			return h.fail(to, p, err)
		}
	}
	a := &w.announce
	*a = tracker.AddrAnnounce{
		InfoHash: tracker.InfoHash(p[16:36]),
		PeerID:   tracker.PeerID(p[36:56]),
		Left:     tracker.Some,
		Addr:     netip.AddrPortFrom(stated(p[84:88], from.Addr()), binary.BigEndian.Uint16(p[96:])),
	}
	if binary.BigEndian.Uint64(p[64:]) == 0 {
		a.Left = tracker.Nothing
	}
	switch binary.BigEndian.Uint32(p[80:]) {
	case eventCompleted:
		a.Event = tracker.Completed
	case eventStopped:
		a.Event = tracker.Stopped
	}
	if key := binary.BigEndian.Uint32(p[88:]); key != 0 {
		a.Key = keyOf(key)
	}
	size := 18
	if a.Addr.Addr().Is4() {
		size = 6
	}
	want := int32(binary.BigEndian.Uint32(p[92:]))
	if want < 0 {
		want = defaultWant
	}
	a.Want = min(int(want), (maxAnswer-20)/size)

	first := len(to)
	to = begin(to, actionAnnounce, p)
	to = binary.BigEndian.AppendUint32(to, uint32(tracker.Spread(h.options.Interval)))
	to = append(to, 0, 0, 0, 0, 0, 0, 0, 0)
	var counts tracker.Counts
	var err error
	if h.compact != nil {
		counts, to, err = h.compact.AnnounceCompact(a, to)
	} else {
		counts, to, err = h.pack(w, to)
	}
	if err != nil {
		return h.fail(to[:first], p, err)
	}
	binary.BigEndian.PutUint32(to[first+12:], uint32(counts.Leechers))
	binary.BigEndian.PutUint32(to[first+16:], uint32(counts.Seeders))
	return to
}

// keyOf writes a key as clients do in URLs, so that it is the same by HTTP.
func keyOf(key uint32) uint32 {
	var digits [8]byte
	for i := range digits {
		digits[i] = "0123456789ABCDEF"[key>>(28-4*i)&15]
	}
	return max(1, uint32(tracker.KeyOf(digits[:])))
}

// pack announces to a store that does not pack addresses by itself, and appends them.
func (h *Handler) pack(w *work, to []byte) (tracker.Counts, []byte, error) {
	counts, picks, err := h.store.AnnounceAddr(&w.announce, w.picks[:0])
	for i := range picks {
		c := &picks[i].Contact
		if ip := c.Addr(); ip.Is4() {
			b := ip.As4()
			to = append(to, b[:]...)
		} else {
			b := ip.As16()
			to = append(to, b[:]...)
		}
		to = binary.BigEndian.AppendUint16(to, c.Port())
	}
	return counts, to, err
}

func (h *Handler) fail(to, p []byte, err error) []byte {
	h.counters.failures.Add(1)
	return append(begin(to, actionError, p), err.Error()...)
}

// Types of BEP 41's options. All but the first two have a length and that many bytes:
//
//	│ 2 │ length 1 │ a part of path and query │ 2 │ length 1 │ … │ 0 │
const (
	optionEnd = iota
	optionNothing
	optionURL
)

// path is the path of the announce URL, as far as the options tell it.
func path(options []byte) string {
	var url []byte
	for len(options) > 0 && options[0] != optionEnd {
		if options[0] == optionNothing {
			options = options[1:]
			continue
		}
		if len(options) < 2 || len(options) < 2+int(options[1]) {
			break
		}
		if options[0] == optionURL {
			url = append(url, options[2:2+int(options[1])]...)
		}
		options = options[2+int(options[1]):]
	}
	url, _, _ = bytes.Cut(url, []byte("?"))
	return string(url)
}

// stated is where a peer says it is, where it may say so: one in this tracker's own network, whose address out there
// the tracker cannot know. Others could have somebody else's machine called by a whole swarm.
func stated(ip []byte, from netip.Addr) netip.Addr {
	a := netip.AddrFrom4([4]byte(ip))
	if a.IsUnspecified() || a.IsMulticast() || !from.Is4() || !from.IsLoopback() && !from.IsPrivate() {
		return from
	}
	return a
}

var errScrape = errors.New("this tracker is private: scrape it by HTTP")

func (h *Handler) scrape(w *work, to, p []byte) []byte {
	h.counters.scrapes.Add(1)
	if h.options.Admit != nil {
		return h.fail(to, p, errScrape)
	}
	to = begin(to, actionScrape, p)
	for _, c := range h.store.CountsOf(hashes(p, w.hashes[:0]), w.counts[:0]) {
		to = binary.BigEndian.AppendUint32(to, uint32(c.Seeders))
		to = binary.BigEndian.AppendUint32(to, uint32(c.Downloaded))
		to = binary.BigEndian.AppendUint32(to, uint32(c.Leechers))
	}
	return to
}
