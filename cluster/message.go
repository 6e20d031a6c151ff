package cluster

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// Kinds of items.
const (
	kindAnnounce = iota + 1
	kindAnnounced
	kindAddr
	kindAddrs
	kindCount
	kindCounted
	kindReplace
	kindReplaced
	kindHand
	kindTaken
	kindRemove
	kindOffer
	kindAnswer
	kindHello
)

// status is how an announce went.
type status byte

const (
	fine status = iota
	taken
	full
	tooMany
	denied
)

var statuses = [...]error{fine: nil, taken: tracker.ErrTaken, full: tracker.ErrFull, tooMany: tracker.ErrTooMany, denied: tracker.ErrDenied}

func statusOf(err error) status {
	for i, e := range statuses {
		if e == err {
			return status(i)
		}
	}
	return full // there are no others
}

func (s status) err() error {
	if int(s) < len(statuses) {
		return statuses[s]
	}
	return tracker.ErrFull // of a later minor version
}

// reader takes the values of an item one after another. Once it is bad all further ones are zeros.
type reader struct {
	b   []byte
	bad bool
}

var zeros [20]byte

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return zeros[:min(n, len(zeros))]
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() byte                   { return r.bytes(1)[0] }
func (r *reader) u16() int                   { return int(binary.BigEndian.Uint16(r.bytes(2))) }
func (r *reader) u32() uint32                { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *reader) infoHash() tracker.InfoHash { return tracker.InfoHash(r.bytes(20)) }
func (r *reader) peerID() tracker.PeerID     { return tracker.PeerID(r.bytes(20)) }
func (r *reader) addr() netip.Addr           { return netip.AddrFrom16([16]byte(r.bytes(16))).Unmap() }
func (r *reader) handle() ws.Handle          { return ws.HandleOf([ws.HandleSize]byte(r.bytes(ws.HandleSize))) }

func (r *reader) addrPort() netip.AddrPort {
	a := r.addr()
	return netip.AddrPortFrom(a, uint16(r.u16()))
}

// several reads how many things of a size follow; it is bad if they are not there.
func (r *reader) several(size int) int {
	n := r.u16()
	if n*size > len(r.b) {
		r.b, r.bad = nil, true
		return 0
	}
	return n
}

func (r *reader) counts() (c tracker.Counts) {
	for _, n := range [...]*int{&c.Seeders, &c.Leechers, &c.Downloaded, &c.WebRTC.Seeders, &c.WebRTC.Leechers, &c.IPv4.Seeders, &c.IPv4.Leechers, &c.IPv6.Seeders, &c.IPv6.Leechers} {
		*n = int(r.u32())
	}
	return c
}

const countsSize = 9 * 4

func appendCounts(b []byte, c tracker.Counts) []byte {
	for _, n := range [...]int{c.Seeders, c.Leechers, c.Downloaded, c.WebRTC.Seeders, c.WebRTC.Leechers, c.IPv4.Seeders, c.IPv4.Leechers, c.IPv6.Seeders, c.IPv6.Leechers} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return b
}

func appendAddr(b []byte, a netip.Addr) []byte {
	ip := a.As16()
	return append(b, ip[:]...)
}

func appendProof(b []byte, p ws.Proof) []byte {
	return binary.BigEndian.AppendUint64(appendAddr(b, p.Address), p.Key)
}

func (r *reader) proof() ws.Proof {
	p := ws.Proof{Address: r.addr()}
	if len(r.b) >= 8 { // a minor version ago there was no key
		p.Key = binary.BigEndian.Uint64(r.bytes(8))
	}
	return p
}

func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	return binary.BigEndian.AppendUint16(appendAddr(b, a.Addr()), a.Port())
}

type announce = tracker.Announce[ws.Handle]

func appendAnnounce(b []byte, a *announce, replaces ws.Handle) []byte {
	b = append(append(b, a.InfoHash[:]...), a.PeerID[:]...)
	b = append(a.Contact.AppendTo(b), byte(a.Event), byte(a.Left))
	b = binary.BigEndian.AppendUint16(b, uint16(min(a.Want, tracker.MaxWant)))
	b = binary.BigEndian.AppendUint32(b, uint32(a.Place))
	return replaces.AppendTo(b)
}

func (r *reader) announce() (a announce, replaces ws.Handle) {
	a = announce{InfoHash: r.infoHash(), PeerID: r.peerID(), Contact: r.handle(), Event: r.event(), Left: r.left(), Want: r.want()}
	a.Place = tracker.Place(r.u32())
	return a, r.handle()
}

func (r *reader) event() tracker.Event { return min(tracker.Event(r.u8()), tracker.Stopped) }
func (r *reader) left() tracker.Left   { return min(tracker.Left(r.u8()), tracker.Some) }
func (r *reader) want() int            { return min(r.u16(), tracker.MaxWant) }

type peer = tracker.Peer[ws.Handle]

func appendAnnounced(b []byte, c tracker.Counts, picks []peer, err error, by ws.Handle) []byte {
	b = appendCounts(append(b, byte(statusOf(err))), c)
	b = by.AppendTo(b)
	b = binary.BigEndian.AppendUint16(b, uint16(len(picks)))
	for i := range picks {
		b = picks[i].Contact.AppendTo(append(b, picks[i].ID[:]...))
	}
	return b
}

func (r *reader) announced(picks []peer) (c tracker.Counts, _ []peer, err error, by ws.Handle) {
	s := status(r.u8())
	c, by = r.counts(), r.handle()
	for range min(r.several(20+ws.HandleSize), tracker.MaxWant) {
		picks = append(picks, peer{ID: r.peerID(), Contact: r.handle()})
	}
	return c, picks, s.err(), by
}

func appendAddrAnnounce(b []byte, a *tracker.AddrAnnounce) []byte {
	b = append(append(b, a.InfoHash[:]...), a.PeerID[:]...)
	b = binary.BigEndian.AppendUint16(appendAddrPort(b, a.Addr), uint16(a.Key))
	b = append(b, byte(a.Event), byte(a.Left))
	b = binary.BigEndian.AppendUint16(b, uint16(min(a.Want, tracker.MaxWant)))
	return binary.BigEndian.AppendUint16(b, uint16(a.Key>>16))
}

func (r *reader) addrAnnounce() tracker.AddrAnnounce {
	a := tracker.AddrAnnounce{InfoHash: r.infoHash(), PeerID: r.peerID(), Addr: r.addrPort(), Key: uint32(r.u16()), Event: r.event(), Left: r.left(), Want: r.want()}
	if len(r.b) >= 2 { // a minor version ago keys were shorter
		a.Key |= uint32(r.u16()) << 16
	}
	return a
}

func appendAddrs(b []byte, c tracker.Counts, picks []tracker.AddrPeer, err error) []byte {
	b = appendCounts(append(b, byte(statusOf(err))), c)
	b = binary.BigEndian.AppendUint16(b, uint16(len(picks)))
	for i := range picks {
		b = appendAddrPort(append(b, picks[i].ID[:]...), picks[i].Contact)
	}
	return b
}

func (r *reader) addrs(picks []tracker.AddrPeer) (c tracker.Counts, _ []tracker.AddrPeer, err error) {
	s := status(r.u8())
	c = r.counts()
	for range min(r.several(20+18), tracker.MaxWant) {
		picks = append(picks, tracker.AddrPeer{ID: r.peerID(), Contact: r.addrPort()})
	}
	return c, picks, s.err()
}

func appendHashes(b []byte, hashes []tracker.InfoHash) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(hashes)))
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

func (r *reader) hashes() (all []tracker.InfoHash) {
	for range r.several(20) {
		all = append(all, r.infoHash())
	}
	return all
}

func appendAllCounts(b []byte, counts []tracker.Counts) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(counts)))
	for _, c := range counts {
		b = appendCounts(b, c)
	}
	return b
}

func (r *reader) allCounts() (all []tracker.Counts) {
	for range r.several(countsSize) {
		all = append(all, r.counts())
	}
	return all
}

type handed = tracker.Handed[ws.Handle]

const tenth = time.Second / 10

func appendHanded(b []byte, h *handed) []byte {
	end := func(seeder bool, age time.Duration) {
		is := byte(0)
		if seeder {
			is = 1
		}
		b = binary.BigEndian.AppendUint32(append(b, is), uint32(age/tenth))
	}
	b = binary.BigEndian.AppendUint32(append(b, h.InfoHash[:]...), uint32(h.Downloaded))
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.Web)))
	for i := range h.Web {
		p := &h.Web[i]
		b = p.Contact.AppendTo(append(b, p.ID[:]...))
		end(p.Seeder, p.Age)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.Addr)))
	for i := range h.Addr {
		p := &h.Addr[i]
		b = appendAddrPort(append(b, p.ID[:]...), p.Contact.Addr)
		b = binary.BigEndian.AppendUint16(b, uint16(p.Contact.Key))
		end(p.Seeder, p.Age)
	}
	for i := range h.Web {
		b = binary.BigEndian.AppendUint32(b, uint32(h.Web[i].Place))
	}
	for i := range h.Addr {
		b = binary.BigEndian.AppendUint16(b, uint16(h.Addr[i].Contact.Key>>16))
	}
	return b
}

func (r *reader) handed() (h handed) {
	age := func() time.Duration { return time.Duration(r.u32()) * tenth }
	h.InfoHash, h.Downloaded = r.infoHash(), int(r.u32())
	for range r.several(20 + ws.HandleSize + 5) {
		h.Web = append(h.Web, tracker.HandedPeer[ws.Handle]{ID: r.peerID(), Contact: r.handle(), Seeder: r.u8() == 1, Age: age()})
	}
	for range r.several(20 + 18 + 2 + 5) {
		h.Addr = append(h.Addr, tracker.HandedPeer[tracker.HandedAddr]{
			ID: r.peerID(), Contact: tracker.HandedAddr{Addr: r.addrPort(), Key: uint32(r.u16())}, Seeder: r.u8() == 1, Age: age(),
		})
	}
	if len(r.b) >= 4*len(h.Web) { // a minor version ago nobody said so
		for i := range h.Web {
			h.Web[i].Place = tracker.Place(r.u32())
		}
	}
	if len(r.b) >= 2*len(h.Addr) { // and keys were shorter
		for i := range h.Addr {
			h.Addr[i].Contact.Key |= uint32(r.u16()) << 16
		}
	}
	return h
}

func appendOffer(b []byte, o *ws.Offer) []byte {
	b = append(append(b, o.InfoHash[:]...), o.Maker[:]...)
	b = o.To.AppendTo(o.From.AppendTo(b))
	b = binary.BigEndian.AppendUint16(b, uint16(len(o.ID)))
	return append(b, o.ID...)
}

// offer leaves the message in the reader.
func (r *reader) offer() (o ws.Offer) {
	o = ws.Offer{InfoHash: r.infoHash(), Maker: r.peerID(), From: r.handle(), To: r.handle()}
	if n := r.u16(); n <= len(r.b) {
		o.ID = r.bytes(n)
	} else {
		r.b, r.bad = nil, true
	}
	return o
}
