package main

import (
	"crypto/sha256"
	"math/rand/v2"
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
	// chokeEach is how long a round lasts.
	chokeEach = 10 * time.Second
	// partAfter is how old a conn is at least before it is given up where neither side needs the other.
	partAfter = 3 * time.Second
	// tellAfter is how long what is no news to a peer may wait.
	tellAfter = 5 * time.Second
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
	links       *link.Links
	presence    *rendezvous.Torrent
	lock        sync.Locker
	changed     *sync.Cond

	data   [][]byte // by piece; nil: not here
	here   int      // how many are
	owners []*asset
	// chokedAt is when the last round was.
	chokedAt time.Time
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
	t.links.Want(t.infoHash, lacking)
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
	t.here++
	for c := range t.conns {
		if c.news = append(c.news, i); len(c.news) == 1 {
			c.newsSince = time.Now()
		}
		if !c.has[i] {
			c.tell()
		}
		c.interest(t.useful(c))
	}
	t.lack()
	t.changed.Broadcast()
	return true
}

// tick tells peers what can wait, and parts with those that have all where all is here, too.
func (t *torrent) tick() {
	if time.Since(t.chokedAt) > chokeEach {
		t.chokedAt = time.Now()
		t.round()
	}
	for c := range t.conns {
		if time.Since(c.newsSince) > tellAfter {
			c.tell()
		}
		if t.here == len(t.data) && !slices.Contains(c.has, false) && time.Since(c.born) > partAfter {
			_ = c.channel.Close()
		}
	}
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
	c.taken += len(block)
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

// unchoke serves whoever becomes interested at once, while there are slots. Nobody is choked before the next round.
func (t *torrent) unchoke() {
	free := slots
	for c := range t.conns {
		if !c.choking && c.interested {
			free--
		}
	}
	for c := range t.conns {
		if c.interested && c.choking && free > 0 {
			free--
			c.choking = false
			c.send(message(unchoke))
		}
	}
}

// round serves those who gave most since the round before, or took most where all is here, and by chance one more.
func (t *torrent) round() {
	all := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		all = append(all, c)
	}
	score := func(c *conn) int {
		switch {
		case !c.interested:
			return -1
		case t.here == len(t.data):
			return c.given
		default:
			return c.taken
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	lucky := slices.IndexFunc(all, func(c *conn) bool { return c.interested })
	if lucky >= 0 {
		all[0], all[lucky] = all[lucky], all[0]
		slices.SortStableFunc(all[1:], func(a, b *conn) int { return score(b) - score(a) })
	}
	for i, c := range all {
		serve := c.interested && i < slots
		c.given, c.taken = 0, 0
		if serve != c.choking {
			continue
		}
		c.choking = !serve
		if serve {
			c.send(message(unchoke))
		} else {
			c.send(message(choke))
		}
	}
}
