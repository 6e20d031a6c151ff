package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/anacrolix/torrent/bencode"

	"github.com/starling-p2p/starling/link"
)

// Messages of BEP 3, 6 and 10.
const (
	choke, unchoke, interested, notInterested, have, bitfield, request, piece = 0, 1, 2, 3, 4, 5, 6, 7
	haveAll, haveNone, reject, extended                                       = 14, 15, 16, 20

	maxMessage   = 1 << 20
	longBlock    = 64 << 10
	shortBlock   = 16 << 10
	handshakeFor = 15 * time.Second
)

const protocol = "\x13BitTorrent protocol\x00\x00\x00\x00\x00\x10\x00\x04"

// conn is one peer of one torrent. The visitor's lock guards it but for what is to be sent.
type conn struct {
	channel *link.Channel
	torrent *torrent
	limit   func(int)
	has     []bool
	asked   int // bytes
	block   int
	born    time.Time
	// given and taken are bytes since the last round.
	given, taken int
	// news are pieces that came here, and that it has not been told of since then.
	news      []int
	newsSince time.Time
	// choked by the peer, choking it, interested in us, and we in it.
	choked, choking, interested, wanting bool

	mu     sync.Mutex
	more   *sync.Cond
	unsent [][]byte
	asks   [][3]int
	closed bool
}

func message(id byte, numbers ...int) []byte {
	m := binary.BigEndian.AppendUint32(nil, uint32(1+4*len(numbers)))
	m = append(m, id)
	for _, n := range numbers {
		m = binary.BigEndian.AppendUint32(m, uint32(n))
	}
	return m
}

// send never blocks.
func (c *conn) send(m []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsent = append(c.unsent, m)
	c.more.Signal()
}

// tell says what has come. To a peer that has it already it can wait: see tellAfter.
func (c *conn) tell() {
	var all []byte
	for _, i := range c.news {
		all = append(all, message(have, i)...)
	}
	c.news = c.news[:0]
	if all != nil {
		c.send(all)
	}
}

func (c *conn) interest(wanting bool) {
	if wanting == c.wanting {
		return
	}
	c.wanting = wanting
	if wanting {
		c.send(message(interested))
	} else {
		c.send(message(notInterested))
	}
}

// write sends messages, and between them blocks that were asked for, until the channel closes.
func (c *conn) write() {
	for {
		c.mu.Lock()
		for len(c.unsent) == 0 && len(c.asks) == 0 && !c.closed {
			c.more.Wait()
		}
		var out []byte
		for _, m := range c.unsent {
			out = append(out, m...)
		}
		c.unsent = nil
		var next [3]int
		serve := len(c.asks) > 0
		if serve {
			next, c.asks = c.asks[0], c.asks[1:]
		}
		closed := c.closed
		c.mu.Unlock()
		if closed {
			return
		}
		if serve {
			c.limit(next[2])
			out = append(out, c.answer(next)...)
		}
		if _, err := c.channel.Write(out); err != nil {
			return
		}
	}
}

func (c *conn) answer(ask [3]int) []byte {
	t := c.torrent
	t.lock.Lock()
	defer t.lock.Unlock()
	i, begin, length := ask[0], ask[1], ask[2]
	if i >= len(t.data) || t.data[i] == nil || begin+length > len(t.data[i]) || c.choking {
		return message(reject, i, begin, length)
	}
	c.given += length
	m := binary.BigEndian.AppendUint32(nil, uint32(9+length))
	m = append(m, piece)
	m = binary.BigEndian.AppendUint32(m, uint32(i))
	m = binary.BigEndian.AppendUint32(m, uint32(begin))
	return append(m, t.data[i][begin:begin+length]...)
}

// run speaks with a peer until one of the two ends it.
func (v *visitor) run(channel *link.Channel) {
	defer channel.Close()
	v.mu.Lock()
	t := v.torrents[channel.InfoHash()]
	v.mu.Unlock()
	if t == nil {
		return
	}
	r := bufio.NewReaderSize(channel, 64<<10)
	if !v.shakeHands(channel, r) {
		return
	}
	c := &conn{channel: channel, torrent: t, limit: v.limit, has: make([]bool, len(t.data)), block: shortBlock, born: time.Now(), choked: true, choking: true}
	c.more = sync.NewCond(&c.mu)
	greeting := must(bencode.Marshal(map[string]any{"m": map[string]int{"sl_link": 2}, "reqq": 512, "sl_block": longBlock, "v": "Starling bench"}))
	c.send(append(append(binary.BigEndian.AppendUint32(nil, uint32(2+len(greeting))), extended, 0), greeting...))
	if !v.enlist(c) {
		return
	}
	go c.write()
	defer v.dismiss(c)
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		if len(m) == 0 {
			continue
		}
		v.mu.Lock()
		ok := c.receive(m[0], m[1:])
		v.mu.Unlock()
		if !ok {
			return
		}
	}
}

// shakeHands is BEP 3's handshake: who opened the channel speaks first.
func (v *visitor) shakeHands(channel *link.Channel, r io.Reader) bool {
	ih := channel.InfoHash()
	ours := append(append([]byte(protocol), ih[:]...), v.id[:]...)
	_ = channel.SetReadDeadline(time.Now().Add(handshakeFor))
	if channel.Initiator() {
		if _, err := channel.Write(ours); err != nil {
			return false
		}
	}
	theirs := make([]byte, 68)
	if _, err := io.ReadFull(r, theirs); err != nil || string(theirs[:20]) != protocol[:20] {
		return false
	}
	_ = channel.SetReadDeadline(time.Time{})
	if !channel.Initiator() {
		if _, err := channel.Write(ours); err != nil {
			return false
		}
	}
	return true
}

// readMessage returns what lies behind a message's length: nothing of a keep-alive.
func readMessage(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxMessage {
		return nil, errors.New("a message is too long")
	}
	m := make([]byte, n)
	_, err := io.ReadFull(r, m)
	return m, err
}

// enlist makes a peer one of its torrent's, where there is room.
func (v *visitor) enlist(c *conn) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := c.torrent
	if len(t.conns) >= maxPeers {
		return false
	}
	c.send(t.bitfield())
	t.conns[c] = struct{}{}
	t.lack()
	return true
}

// dismiss has others asked for what this one was asked for.
func (v *visitor) dismiss(c *conn) {
	c.mu.Lock()
	c.closed = true
	c.more.Signal()
	c.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	t := c.torrent
	delete(t.conns, c)
	t.lose(c)
	t.unchoke()
	for other := range t.conns {
		t.request(other)
	}
	t.lack()
}

// bitfield is the first message after the handshakes.
func (t *torrent) bitfield() []byte {
	bits := make([]byte, (len(t.data)+7)/8)
	for i, data := range t.data {
		if data != nil {
			bits[i/8] |= 0x80 >> (i % 8)
		}
	}
	m := binary.BigEndian.AppendUint32(nil, uint32(1+len(bits)))
	return append(append(m, bitfield), bits...)
}

// receive says whether the peer behaves. The visitor's lock is held.
func (c *conn) receive(id byte, body []byte) bool {
	t := c.torrent
	number := func(i int) int { return int(binary.BigEndian.Uint32(body[4*i:])) }
	need := map[byte]int{have: 4, request: 12, piece: 9, reject: 12, extended: 1, bitfield: (len(t.data) + 7) / 8}[id]
	if len(body) < need {
		return false
	}
	switch id {
	case choke:
		c.choked = true
		t.lose(c)
	case unchoke:
		c.choked = false
	case interested, notInterested:
		c.interested = id == interested
		t.unchoke()
	case have:
		if i := number(0); i < len(c.has) {
			c.has[i] = true
		}
	case bitfield:
		for i := range c.has {
			c.has[i] = body[i/8]&(0x80>>(i%8)) != 0
		}
	case haveAll:
		for i := range c.has {
			c.has[i] = true
		}
	case request:
		c.mu.Lock()
		if len(c.asks) < 512 && number(2) <= longBlock {
			c.asks = append(c.asks, [3]int{number(0), number(1), number(2)})
			c.more.Signal()
		}
		c.mu.Unlock()
	case piece:
		if i := number(0); i < len(t.data) {
			t.received(c, i, number(1), body[8:])
		}
	case reject:
		t.lose(c)
	case extended:
		if body[0] == 0 {
			var d struct {
				M     map[string]int `bencode:"m"`
				Block int            `bencode:"sl_block"`
			}
			if bencode.Unmarshal(body[1:], &d) != nil {
				return false
			}
			if d.Block >= longBlock {
				c.block = longBlock
			}
			if d.M["sl_link"] != 0 {
				// It takes the links' lock, which is held where channels are handed out.
				go c.channel.Extended()
			}
		}
	}
	t.request(c)
	return true
}
