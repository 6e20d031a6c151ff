// Package tracker is the swarm store: who is in which swarm, and which offers are still waiting for an answer.
//
// It knows no protocol. A front end (tracker/ws, tracker/http, tracker/udp) turns what a client says into an announce,
// and gets back counts and a few other peers that this client can reach:
//
//	tracker/ws   ── Announce{…, C} ──────────┐                         ┌ web:  seeders │ leechers
//	tracker/http ── AnnounceAddr{…, ip:port} ┼► shard of the infohash ─► swarm ┼ four: seeders │ leechers
//	tracker/udp  ── AnnounceAddr{…, ip:port} ┘                         └ six:  seeders │ leechers
//	             ◄── counts of all, peers of its own group: any, or half of them from nearby (near.go)
//
// A peer behind a connection is reached by whatever the front end that holds the connection keeps of it: a value of
// type C, which the store compares and hands out again. C should hold no pointers, then the garbage collector need not
// look into swarms at all.
//
// All state is soft: peers announce again every interval (interval.go) and are forgotten after twice that time, so a
// restart costs one interval and nothing needs a disk. Whoever does not want to wait for that long keeps a snapshot
// (snapshot.go).
//
// Where to look:
//
//	an announce    store.go; addr.go: of a peer at an address ─ scope.go: may the asker be told of that address?
//	who is there   swarm.go ─ group.go: who is chosen, who has gone ─ near.go; compact.go: packed as UDP has them
//	offers         offers.go: until they are answered
//	bounds         quota.go: of one network's peers
//	elsewhere      hand.go: a swarm goes to another machine ─ snapshot.go: to disk
package tracker

import (
	"encoding/hex"
	"errors"
)

// InfoHash names a swarm.
type InfoHash [20]byte

// String returns 40 hex digits.
func (h InfoHash) String() string { return hex.EncodeToString(h[:]) }

// PeerID names a peer within a swarm.
type PeerID [20]byte

// OfferID stands for an offer's id, whatever its length; made by Store.OfferID.
type OfferID uint64

// Event is what an announce says has happened.
type Event uint8

// None is every update that is neither of the other two, "started" included.
const (
	None Event = iota
	Completed
	Stopped
)

// Left is what an announce says about the data that the peer lacks.
type Left uint8

const (
	// Unsaid keeps what the peer was; a new one is a leecher.
	Unsaid Left = iota
	// Nothing makes it a seeder.
	Nothing
	// Some makes it a leecher, also one that was a seeder.
	Some
)

// MaxWant is the most peers chosen for one announce.
const MaxWant = 256

// Announce is one peer's word about one swarm.
type Announce[C comparable] struct {
	InfoHash InfoHash
	PeerID   PeerID
	Contact  C
	Event    Event
	Left     Left
	// Place is where it is; 0: nobody knows.
	Place Place
	// Want is the most peers to choose, at most MaxWant.
	Want int
	// Offers go to the chosen peers, one each and in this order. Nil when the front end relays none; otherwise no more
	// peers are chosen than there are offers.
	Offers []OfferID
	// MayReplace says whether Contact may take the place of the one that the peer was last reachable by. It is called
	// under a lock and must be quick. Nil: never.
	MayReplace func(C) bool
}

// Peer is a peer that was chosen for another one.
type Peer[C comparable] struct {
	ID      PeerID
	Contact C
}

// Counts are a swarm's numbers.
type Counts struct {
	// Each peer is counted once here, in however many ways it is reached.
	Seeders, Leechers int
	// Downloaded counts the peers that completed since the swarm came to be.
	Downloaded int
	// These count those that are reached in one way.
	WebRTC, IPv4, IPv6 Part
}

// Mixed says whether the swarm has peers that cannot reach one another.
func (c Counts) Mixed() bool {
	n := 0
	for _, p := range [...]Part{c.WebRTC, c.IPv4, c.IPv6} {
		if p != (Part{}) {
			n++
		}
	}
	return n > 1
}

// Part counts some of a swarm's peers.
type Part struct{ Seeders, Leechers int }

var (
	// ErrTaken means that the peer_id belongs to someone who is reachable otherwise.
	ErrTaken = errors.New("this peer_id is in use on another connection")
	// ErrFull means that the store keeps as many peers as it may.
	ErrFull = errors.New("this tracker is full")
	// ErrTooMany means that one network has as many peers as it may.
	ErrTooMany = errors.New("too many peers announce from your address: stop some torrents")
	// ErrDenied means that Options.Allow does not allow the swarm.
	ErrDenied = errors.New("this tracker does not serve this torrent")
)
