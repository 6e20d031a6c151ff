package udp

import (
	"encoding/binary"
	"net/netip"

	"github.com/starling-p2p/starling/tracker"
)

// Distant is a Store some of whose swarms are on other machines, so that their answers take time.
type Distant interface {
	Store
	// Here says whether the answers about these swarms come at once.
	Here(hashes ...tracker.InfoHash) bool
}

// maxLater is how many packets may wait for other machines at once, some 4 MB. Those above it get no answer: their
// senders ask again.
const maxLater = 1024

// writes is what sends answers, where that is no net.UDPConn.
type writes func([]byte, netip.AddrPort) (int, error)

func (w writes) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) { return w(b, to) }

// AnswerLater says whether the answer to a packet takes time. Then it is sent from another goroutine, and what is there
// for the packet may be used again.
func (h *Handler) AnswerLater(packet []byte, from netip.AddrPort, to interface {
	WriteToUDPAddrPort(answer []byte, to netip.AddrPort) (int, error)
}) bool {
	if h.distant == nil || h.here(packet) {
		return false
	}
	select {
	case h.later <- struct{}{}:
	default:
		h.counters.refused.Add(1)
		return true
	}
	packet = append([]byte(nil), packet...)
	go func() {
		defer func() { <-h.later }()
		w := h.works.Get().(*work)
		defer h.works.Put(w)
		if answer := h.answer(w, h.ids.now(), w.answer[:0], packet, from); len(answer) > 0 {
			_, _ = to.WriteToUDPAddrPort(answer, from) // UDP: it may get lost anyway
		}
	}()
	return true
}

// here says whether all that a packet is about is on this machine.
func (h *Handler) here(p []byte) bool {
	if len(p) < headerSize+20 || binary.BigEndian.Uint64(p) == magic {
		return true
	}
	switch binary.BigEndian.Uint32(p[8:]) {
	case actionAnnounce:
		return h.distant.Here(tracker.InfoHash(p[headerSize : headerSize+20]))
	case actionScrape:
		return h.distant.Here(hashes(p, nil)...)
	}
	return true
}

// hashes are those of a scrape.
func hashes(p []byte, all []tracker.InfoHash) []tracker.InfoHash {
	p = p[headerSize:]
	for range min(len(p)/20, maxHashes) {
		all = append(all, tracker.InfoHash(p[:20]))
		p = p[20:]
	}
	return all
}
