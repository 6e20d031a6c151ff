// Package link keeps WebRTC connections: one link per pair of peers, whatever the number of torrents that they share,
// and on it one channel per torrent, each of which is a net.Conn that carries the peer wire protocol (BEP 3).
package link

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/pion/webrtc/v4"
)

// InfoHash names a torrent (BEP 3).
type InfoHash = [20]byte

// PeerID names a peer (BEP 3).
type PeerID = [20]byte

var (
	// ErrDeclined says that another link with that peer is not wanted: one stands, or it is banned.
	ErrDeclined = errors.New("link: declined")
	// ErrBusy says that as many links or unanswered offers are under way as there may be.
	ErrBusy = errors.New("link: too many links or offers")
	// ErrNeedless says that a link with a peer that has the torrent stands already, and a channel for it will follow.
	ErrNeedless = errors.New("link: a peer that has this torrent is linked already")
	// ErrSDP says that a session description is not one for data channels alone.
	ErrSDP = errors.New("link: not a session description for data channels")
)

// Options says what a host is made of.
type Options struct {
	// PeerID is this side's, as announced. Ours begin with -SL.
	PeerID PeerID
	// Listen is the UDP address for all links, ":0" where it is empty.
	Listen string
	// ICEServers are asked for when an offer or an answer is made; nil means none. The answer is used as long as its
	// credentials hold.
	ICEServers func(context.Context) ([]webrtc.ICEServer, error)
	// Channel is called for each channel that opens, whoever opened it. It must not block. The channel is the
	// receiver's, who must read from it and close it.
	Channel func(*Channel)
	// Failed is called when an attempt to link with a peer for this torrent came to nothing; may be nil.
	Failed func(InfoHash)
	// MaxLinks is the number of links open or under way at once, 128 where it is 0.
	MaxLinks int
	// Log may be nil.
	Log *slog.Logger
}

// Host keeps all links of a peer. Its methods may be called at any time by anyone.
type Host struct{ o Options }

// NewHost listens.
func NewHost(o Options) (*Host, error) { return &Host{o: o}, nil }

// Want says that this torrent is known here, and whether data of it is lacking still: then channels are opened for it.
func (h *Host) Want(ih InfoHash, lacking bool) {}

// Drop takes Want back. Channels that are open stay so.
func (h *Host) Drop(ih InfoHash) {}

// Offer is an offer that waits for its answer.
type Offer struct {
	ID  [20]byte
	SDP string
}

// Offer makes an offer for a torrent; it expires by itself.
func (h *Host) Offer(ctx context.Context, ih InfoHash) (*Offer, error) { return nil, net.ErrClosed }

// Accept makes a link of it. The link opens later, or fails.
func (o *Offer) Accept(ctx context.Context, from PeerID, sdp string) error { return net.ErrClosed }

// Close gives it up, unless it was accepted.
func (o *Offer) Close() {}

// Release says that it reached nobody: it may serve another torrent.
func (o *Offer) Release() {}

// Answer answers somebody's offer.
func (h *Host) Answer(ctx context.Context, ih InfoHash, from PeerID, sdp string) (string, error) {
	return "", net.ErrClosed
}

// Ban closes the links with a peer and takes no more from it.
func (h *Host) Ban(PeerID) {}

// Close ends all links.
func (h *Host) Close() error { return nil }

// Channel is one torrent's stream with one peer.
type Channel struct {
	net.Conn
	ih        InfoHash
	peer      PeerID
	initiator bool
}

// InfoHash names its torrent.
func (c *Channel) InfoHash() InfoHash { return c.ih }

// Initiator says whether this side sends the BEP 3 handshake first.
func (c *Channel) Initiator() bool { return c.initiator }

// Peer is the other side's peer_id as the tracker told it.
func (c *Channel) Peer() PeerID { return c.peer }

// Extended says that both sides have named sl_link in their BEP 10 handshakes: the link may carry more torrents.
func (c *Channel) Extended() {}

// Ban closes the link with all its channels and keeps the peer from coming back.
func (c *Channel) Ban() {}

// Relayed says whether the way goes through a TURN server.
func (c *Channel) Relayed() bool { return false }
