package http

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strconv"

	"github.com/starling-p2p/starling/tracker"
)

// Answers are bencoded as they are written: a dictionary's keys in the order of their bytes, as BEP 3 demands.

func appendString(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	return append(append(b, ':'), s...)
}

func appendInt[N int | int64](b []byte, key string, n N) []byte {
	b = append(appendString(b, key), 'i')
	return append(strconv.AppendInt(b, int64(n), 10), 'e')
}

// appendAddr packs an address as BEP 23 and BEP 7 do: 4 or 16 bytes.
func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		ip := a.As4()
		return append(b, ip[:]...)
	}
	ip := a.As16()
	return append(b, ip[:]...)
}

// appendFailure writes the reason, and when to try again: BEP 31.
func appendFailure(b []byte, err error) []byte {
	b = appendString(append(b, 'd'), "failure reason")
	b = appendString(b, err.Error())
	switch {
	case errors.Is(err, tracker.ErrDenied):
		b = appendString(appendString(b, "retry in"), "never")
	case errors.Is(err, errTooOften), errors.Is(err, tracker.ErrFull):
		b = appendInt(b, "retry in", 5) // minutes
	}
	return append(b, 'e')
}

func (s *Server) appendAnnounce(b []byte, q *query, from netip.Addr, c tracker.Counts, picks []tracker.AddrPeer) []byte {
	b = appendInt(append(b, 'd'), "complete", c.Seeders)
	b = appendInt(b, "downloaded", c.Downloaded)
	size := 16
	if from.Is4() {
		size = 4
	}
	b = strconv.AppendInt(appendString(b, "external ip"), int64(size), 10)
	b = appendAddr(append(b, ':'), from)
	b = appendInt(b, "incomplete", c.Leechers)
	b = appendInt(b, "interval", tracker.Spread(s.options.Interval))
	b = appendKinds(b, c)
	b = appendInt(b, "min interval", s.minInterval())
	if q.compact == "0" {
		b = appendPeers(b, picks, q.noPeerID != "1")
		return append(b, 'e')
	}
	key := "peers"
	if !from.Is4() {
		// Some clients stumble over an answer without peers.
		b = appendString(appendString(b, "peers"), "")
		key = "peers6"
	}
	b = strconv.AppendInt(appendString(b, key), int64(len(picks)*(size+2)), 10)
	b = append(b, ':')
	for i := range picks {
		port := picks[i].Contact.Port()
		b = append(appendAddr(b, picks[i].Contact.Addr()), byte(port>>8), byte(port))
	}
	return append(b, 'e')
}

// appendPeers writes them as BEP 3 has it.
func appendPeers(b []byte, picks []tracker.AddrPeer, ids bool) []byte {
	b = append(appendString(b, "peers"), 'l')
	var ip [64]byte
	for i := range picks {
		b = appendString(append(b, 'd'), "ip")
		b = appendString(b, string(picks[i].Contact.Addr().AppendTo(ip[:0])))
		if ids {
			b = append(appendString(b, "peer id"), "20:"...)
			b = append(b, picks[i].ID[:]...)
		}
		b = append(appendInt(b, "port", int(picks[i].Contact.Port())), 'e')
	}
	return append(b, 'e')
}

// appendKinds says how many are reached in which way, where there are several: those of a client's own kind are whom
// it may be told of.
func appendKinds(b []byte, c tracker.Counts) []byte {
	if !c.Mixed() {
		return b
	}
	part := func(key string, p tracker.Part) {
		b = append(appendString(b, key), 'd')
		b = append(appendInt(appendInt(b, "complete", p.Seeders), "incomplete", p.Leechers), 'e')
	}
	b = append(appendString(b, "kinds"), 'd')
	part("ipv4", c.IPv4)
	part("ipv6", c.IPv6)
	part("webrtc", c.WebRTC)
	return append(b, 'e')
}

func (s *Server) appendScrape(b []byte, hashes []tracker.InfoHash) []byte {
	// A key may come once only, and keys are in order.
	slices.SortFunc(hashes, func(x, y tracker.InfoHash) int { return bytes.Compare(x[:], y[:]) })
	b = append(appendString(append(b, 'd'), "files"), 'd')
	hashes = slices.Compact(hashes)
	for i, c := range s.store.CountsOf(hashes, make([]tracker.Counts, 0, len(hashes))) {
		h := hashes[i]
		b = append(append(b, "20:"...), h[:]...)
		b = appendInt(append(b, 'd'), "complete", c.Seeders)
		b = appendInt(b, "downloaded", c.Downloaded)
		b = appendInt(b, "incomplete", c.Leechers)
		b = append(appendKinds(b, c), 'e')
	}
	b = append(b, 'e')
	b = append(appendString(b, "flags"), 'd')
	b = appendInt(b, "min_request_interval", s.minInterval())
	return append(b, 'e', 'e')
}
