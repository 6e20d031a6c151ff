package main

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/starling-p2p/starling/link"
	"github.com/starling-p2p/starling/rendezvous"
)

const (
	sumSize = 20
	// maxPeers are served, as many as desired looked for, and slots unchoked at once.
	maxPeers, desired, slots = 40, 8, 9
	// askAgain is when somebody else is asked for a piece.
	askAgain = 3 * time.Second
	// outstanding is what one peer is asked for at once, in bytes.
	outstanding = 256 << 10
)

// asset is one file of the site; its pieces lie in its torrent from first on.
type asset struct {
	path        string
	torrent     *torrent
	first, size int
	pieces      int
	sums        []byte
}

func (a *asset) length(i int) int {
	return min(a.torrent.pieceLength, a.size-i*a.torrent.pieceLength)
}

// torrent is one swarm, as one visitor sees it. The visitor's lock guards it.
type torrent struct {
	infoHash    link.InfoHash
	pieceLength int
	host        *link.Host
	presence    *rendezvous.Torrent
	lock        sync.Locker
	changed     *sync.Cond

	data   [][]byte // by piece; nil: not here
	owners []*asset
	// wanted pieces, most urgent first.
	wanted []int
	asked  map[int]ask
	conns  map[*conn]struct{}
	// peers and liars count bytes and bans.
	peers, liars int
	lacking      bool
}

type ask struct {
	conn  *conn
	since time.Time
	data  []byte
	left  int
}

// want replaces what is wanted.
func (t *torrent) want(pieces []int) {
	t.wanted = slices.DeleteFunc(pieces, func(i int) bool { return t.data[i] != nil })
	for c := range t.conns {
		t.request(c)
	}
	t.lack()
}

// lack tells whether more peers are looked for.
func (t *torrent) lack() {
	lacking := len(t.wanted) > 0 && len(t.conns) < desired
	if lacking == t.lacking {
		return
	}
	t.lacking = lacking
	t.host.Want(t.infoHash, lacking)
	if t.presence != nil {
		t.presence.Lacking(lacking)
	}
}

// take verifies a piece, whoever it came from, and tells everybody.
func (t *torrent) take(i int, data []byte) bool {
	a := t.owners[i]
	sum := sha256.Sum256(data)
	at := (i - a.first) * sumSize
	if string(sum[:sumSize]) != string(a.sums[at:at+sumSize]) {
		return false
	}
	if t.data[i] != nil {
		return true
	}
	t.data[i] = data
	delete(t.asked, i)
	t.wanted = slices.DeleteFunc(t.wanted, func(w int) bool { return w == i })
	for c := range t.conns {
		c.send(message(have, i))
		c.interest(t.useful(c))
	}
	t.lack()
	t.changed.Broadcast()
	return true
}

func (t *torrent) useful(c *conn) bool {
	return slices.ContainsFunc(t.wanted, func(i int) bool { return c.has[i] })
}

// request asks a peer for as much as keeps it busy.
func (t *torrent) request(c *conn) {
	c.interest(t.useful(c))
	if c.choked {
		return
	}
	for _, i := range t.wanted {
		if c.asked+t.pieceLength > max(outstanding, t.pieceLength) {
			return
		}
		before, ok := t.asked[i]
		if !c.has[i] || ok && (before.conn == c || time.Since(before.since) < askAgain) {
			continue
		}
		if ok {
			before.conn.asked -= before.left
		}
		size := t.owners[i].length(i - t.owners[i].first)
		t.asked[i] = ask{c, time.Now(), make([]byte, size), size}
		c.asked += size
		for begin := 0; begin < size; begin += c.block {
			c.send(message(request, i, begin, min(c.block, size-begin)))
		}
	}
}

// received is a block that a peer sent.
func (t *torrent) received(c *conn, i, begin int, block []byte) {
	a, ok := t.asked[i]
	if !ok || a.conn != c || begin+len(block) > len(a.data) {
		return
	}
	copy(a.data[begin:], block)
	a.left -= len(block)
	c.asked -= len(block)
	t.asked[i] = a
	if a.left > 0 {
		return
	}
	delete(t.asked, i)
	if !t.take(i, a.data) {
		t.liars++
		c.channel.Ban()
		return
	}
	t.peers += len(a.data)
	t.request(c)
}

// lose forgets what was asked of a peer.
func (t *torrent) lose(c *conn) {
	c.asked = 0
	for i, a := range t.asked {
		if a.conn == c {
			delete(t.asked, i)
		}
	}
}

// unchoke serves as many as there are slots for.
func (t *torrent) unchoke() {
	free := slots
	for c := range t.conns {
		if !c.choking && c.interested {
			free--
		}
	}
	for c := range t.conns {
		switch {
		case !c.interested && !c.choking:
			c.choking = true
			c.send(message(choke))
		case c.interested && c.choking && free > 0:
			free--
			c.choking = false
			c.send(message(unchoke))
		}
	}
}
