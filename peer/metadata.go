package peer

import (
	"crypto/sha1"
	"sync/atomic"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/bencode"
)

// Metadata (BEP 9), the info dictionary of a torrent of which only the infohash is known. It is fetched from a few
// peers at once, each for itself, so that a liar spoils nobody's but his own; nothing looks into it before its hash is
// right.
//
//	ut_metadata: {"msg_type": 0 request | 1 data | 2 reject, "piece": n, "total_size": bytes} ‖ 16 KiB of it, with 1
const (
	metadataRequest = 0
	metadataData    = 1
	metadataReject  = 2

	metadataPiece   = 16 << 10
	metadataSources = 4 // peers that are asked at once
	metadataWindow  = 16
	// metadataTicks is for how long one that is asked may send none while others wait to be asked, seconds.
	metadataTicks = 20
)

// metadata is one connection's part in it. The engine's lock guards it.
type metadata struct {
	offered   int64 // bytes that the peer says it has
	fetching  bool
	got       []byte
	requested int   // pieces
	served    int64 // bytes
	// heard is when the last of it came, ticks; 0 where none is waited for. It needs no lock.
	heard atomic.Int64
}

type metadataMessage struct {
	Type  int `bencode:"msg_type"`
	Piece int `bencode:"piece"`
	Total int `bencode:"total_size,omitempty"`
}

// metadataOffered: a peer has it. The engine's lock is held, here and below.
func (t *Torrent) metadataOffered(pc *torrent.PeerConn, c *conn, size int) {
	if size <= 0 || size > maxInfo {
		return
	}
	c.metadata.offered = int64(size)
	t.metadataMore(pc, c)
}

// metadataMore asks for as much as may be asked for at once.
func (t *Torrent) metadataMore(pc *torrent.PeerConn, c *conn) {
	m := &c.metadata
	if t.known() || c.bad {
		return
	}
	if !m.fetching {
		if t.sources.Add(1) > metadataSources {
			t.sources.Add(-1)
			t.waiting.Store(pc, c)
			return
		}
		m.fetching = true
		m.heard.Store(nextTick)
	}
	pieces := int((m.offered + metadataPiece - 1) / metadataPiece)
	for have := len(m.got) / metadataPiece; m.requested < min(pieces, have+metadataWindow); m.requested++ {
		c.send(t.p, pc, metadataMessage{Type: metadataRequest, Piece: m.requested}, nil)
	}
}

// metadataEnded: the connection is gone, or of no use; another one may take its place.
func (t *Torrent) metadataEnded(c *conn) {
	if !c.metadata.fetching {
		return
	}
	c.metadata.fetching, c.metadata.offered, c.metadata.got = false, 0, nil
	c.metadata.heard.Store(0)
	t.sources.Add(-1)
	t.waiting.Range(func(pc, c any) bool {
		t.waiting.Delete(pc)
		if c := c.(*conn); c.metadata.offered > 0 && !c.bad {
			t.metadataMore(pc.(*torrent.PeerConn), c)
			return false
		}
		return true
	})
}

func (t *Torrent) metadataMessage(pc *torrent.PeerConn, c *conn, payload []byte) {
	n, err := skim(payload)
	var m metadataMessage
	if err != nil || bencode.Unmarshal(payload[:n], &m) != nil {
		c.bad = true
		return
	}
	switch m.Type {
	case metadataRequest:
		t.metadataServe(pc, c, m.Piece)
	case metadataReject:
		t.metadataEnded(c)
	case metadataData:
		f := &c.metadata
		data := payload[n:]
		if !f.fetching || t.known() {
			return
		}
		// Everybody answers in the order in which he was asked.
		if m.Piece != len(f.got)/metadataPiece || int64(len(data)) != min(metadataPiece, f.offered-int64(len(f.got))) {
			c.bad = true
			t.metadataEnded(c)
			return
		}
		f.got = append(f.got, data...)
		t.metadataCame.Add(int64(len(data)))
		f.heard.Store(nextTick)
		if int64(len(f.got)) < f.offered {
			t.metadataMore(pc, c)
			return
		}
		if sha1.Sum(f.got) != t.ih {
			c.bad = true
			t.p.guard.ban(pc.RemoteAddr.String())
			t.metadataEnded(c)
			return
		}
		info := f.got
		t.metadataEnded(c)
		t.p.goWork(func() { t.gotInfo(info) })
	}
}

// metadataLate hangs up on those who have long sent none of what they offered while others wait to be asked. It is called
// once a second, without the engine's lock.
func (t *Torrent) metadataLate(pcs []*torrent.PeerConn, n int) {
	waits := false
	t.waiting.Range(func(any, any) bool { waits = true; return false })
	for _, pc := range pcs {
		c := t.p.guard.conn(pc)
		if c == nil || c.metadata.heard.CompareAndSwap(nextTick, int64(n)) {
			continue
		}
		if heard := c.metadata.heard.Load(); waits && heard > 0 && int64(n)-heard > metadataTicks {
			_ = pc.Close()
		}
	}
}

// metadataServe answers; nobody gets it more than a few times.
func (t *Torrent) metadataServe(pc *torrent.PeerConn, c *conn, piece int) {
	info := t.infoBytes()
	from := int64(piece) * metadataPiece
	if c.metadata.served += metadataPiece; c.metadata.served > 4*int64(len(info))+1<<20 {
		c.bad = true
		return
	}
	if piece < 0 || piece > maxInfo/metadataPiece || from >= int64(len(info)) {
		c.send(t.p, pc, metadataMessage{Type: metadataReject, Piece: piece}, nil)
		return
	}
	data := info[from:min(from+metadataPiece, int64(len(info)))]
	c.send(t.p, pc, metadataMessage{Type: metadataData, Piece: piece, Total: len(info)}, data)
}

// send sends in the order in which it is called, as soon as the engine's lock is free.
func (c *conn) send(p *Peer, pc *torrent.PeerConn, m metadataMessage, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, append(bencode.MustMarshal(m), data...))
	if c.sending {
		return
	}
	c.sending = true
	p.goWork(func() {
		for {
			c.mu.Lock()
			out := c.out
			c.out, c.sending = nil, len(out) > 0
			c.mu.Unlock()
			if len(out) == 0 {
				return
			}
			for _, payload := range out {
				_ = pc.WriteExtendedMessage(extMetadata, payload) // the connection may be gone
			}
		}
	})
}
