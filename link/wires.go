package link

import (
	"errors"
	"io"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/webrtc/v4"
)

const (
	controlLabel, controlProtocol = "starling", "starling.link.1"
	wireLabel, wireProtocol       = "wire", "starling.wire.1"
	// peekAt is where the infohash in a BEP 3 handshake ends: 1 + 19 + 8 bytes, then 20.
	peekAt = 48
	// maxIDs is how many data channels browsers have room for.
	maxIDs = 1024
)

// ids hands out the ids of data channels opened here, each one again as late as can be: the peer must have done with
// its old bearer. The side that is DTLS client has the even ones (RFC 8832).
type ids struct {
	known bool
	next  uint16
	free  []uint16
}

func (i *ids) take() (uint16, bool) {
	if i.next < maxIDs {
		i.next += 2
		return i.next - 2, true
	}
	if len(i.free) == 0 {
		return 0, false
	}
	id := i.free[0]
	i.free = i.free[1:]
	return id, true
}

// learn takes the first channel's id for what it tells.
func (i *ids) learn(id uint16, ours bool) {
	if i.known {
		return
	}
	i.known = true
	if ours {
		i.next = id%2 + 2*(id/2+1)
	} else {
		i.next = 1 - id%2
	}
}

// incoming is called for each data channel that the peer opens.
func (l *link) incoming(dc *webrtc.DataChannel) {
	dc.OnOpen(func() {
		raw, err := dc.DetachWithDeadline()
		if err != nil {
			return // the link has ended
		}
		reliable := dc.Ordered() && dc.MaxPacketLifeTime() == nil && dc.MaxRetransmits() == nil
		longest := l.longest()
		l.do(func() {
			l.ids.learn(*dc.ID(), false)
			c := newChannel(l, *dc.ID(), false)
			c.bind(raw, longest)
			switch {
			case !reliable:
				l.refuse(c)
			case !l.initiator && !l.begun:
				l.begun = true
				if !l.opened() {
					return
				}
				l.adopt(c, l.ih)
				l.hand(c)
				go l.receive(c, nil)
			case !l.bucket.take(channelCost):
				l.ban()
			case dc.Protocol() == controlProtocol && !l.initiator && l.control == nil && !l.lied:
				l.control = newControl(l, raw)
				l.talk()
			case dc.Protocol() == wireProtocol && l.ready && len(l.wires) < maxWires:
				l.meet(c)
			default:
				l.refuse(c)
			}
		})
	})
}

// longest is what one message may be long, in bytes.
func (l *link) longest() int {
	return int(min(l.pc.SCTP().GetCapabilities().MaxMessageSize, sendAtOnce))
}

// refuse closes a channel that is not welcome.
func (l *link) refuse(c *Channel) {
	if l.half++; l.half > maxHalf {
		l.ban()
		return
	}
	go func() {
		_ = c.Close()
		l.receive(c, nil)
	}()
}

// adopt makes a channel one of the link's wires.
func (l *link) adopt(c *Channel, ih InfoHash) {
	c.ih = ih
	l.wires[c] = struct{}{}
	l.carries[ih] = c
	if c.initiator {
		l.outgoing++
	}
	stop(l.idleTimer)
}

// hand gives it to the links' owner.
func (l *link) hand(c *Channel) {
	l.links.later(func() { l.links.o.Channel(c) })
}

// first takes the first data channel of this side's offer, once it is open.
func (l *link) first(dc *webrtc.DataChannel) {
	raw, err := dc.DetachWithDeadline()
	if err != nil {
		return // the link has ended
	}
	longest := l.longest()
	l.do(func() {
		l.begun = true
		l.ids.learn(*dc.ID(), true)
		c := newChannel(l, *dc.ID(), true)
		c.bind(raw, longest)
		if !l.opened() {
			return
		}
		l.adopt(c, l.ih)
		l.hand(c)
		go l.receive(c, nil)
	})
}

// dial opens a data channel. It waits while the peer takes nothing.
func (l *link) dial(label, protocol string, id uint16) (datachannel.ReadWriteCloserDeadliner, error) {
	dc, err := l.pc.CreateDataChannel(label, &webrtc.DataChannelInit{Protocol: &protocol, ID: &id})
	if err != nil {
		return nil, err
	}
	return dc.DetachWithDeadline()
}

// wire opens a channel for a torrent.
func (l *link) wire(ih InfoHash, id uint16) {
	c := newChannel(l, id, true)
	l.adopt(c, ih)
	go func() {
		raw, err := l.dial(wireLabel, wireProtocol, id)
		if err != nil {
			l.do(l.end)
			return
		}
		c.bind(raw, l.longest())
		l.do(func() {
			if _, here := l.wires[c]; here {
				l.hand(c)
			}
		})
		l.receive(c, nil)
	}()
}

// meet waits for the handshake on a wire that the peer opened: it names the torrent.
func (l *link) meet(c *Channel) {
	l.wires[c] = struct{}{}
	stop(l.idleTimer)
	timer := time.AfterFunc(l.links.limits.meetWithin, func() { _ = c.Close() })
	go func() {
		l.receive(c, func(handshake []byte) {
			timer.Stop()
			ih := InfoHash(handshake[peekAt-20 : peekAt])
			loser := c
			l.do(func() {
				if _, here := l.wires[c]; !here || l.links.torrents[ih] == nil {
					return
				}
				// Glare: that of the side that made the offer stays.
				other := l.carries[ih]
				if other != nil && (l.initiator || !other.initiator) {
					return
				}
				loser = other
				c.ih = ih
				l.carries[ih] = c
				l.hand(c)
			})
			if loser != nil {
				_ = loser.Close()
			}
		})
		timer.Stop()
	}()
}

// receive is the channel's reading goroutine, until the peer has closed it or the link ends.
func (l *link) receive(c *Channel, first func(handshake []byte)) {
	err := c.receive(first)
	l.do(func() {
		_, here := l.wires[c]
		if !errors.Is(err, io.EOF) || here && !l.named && len(l.wires) == 1 {
			l.end() // the peer broke the rules of data channels, or is gone; without the extension the channel is the link
		}
	})
	l.over(c)
	l.do(func() {
		if !l.named && len(l.wires) == 0 {
			l.end()
			return
		}
		l.half--
		if c.initiator {
			l.outgoing--
			l.ids.free = append(l.ids.free, c.id)
		}
		l.fill()
	})
}

// over is called when the channel is closed, by this side or the other one.
func (l *link) over(c *Channel) {
	c.mu.Lock()
	heard := c.heard
	c.mu.Unlock()
	l.do(func() {
		if _, here := l.wires[c]; !here {
			return
		}
		delete(l.wires, c)
		l.half++
		if l.carries[c.ih] == c {
			delete(l.carries, c.ih)
			l.again(c.ih, heard)
		}
		if len(l.wires) == 0 {
			l.idleSince = time.Now()
			stop(l.idleTimer)
			wait := l.links.limits.idleFor
			if !l.named {
				wait = lingerFor
			}
			l.idleTimer = l.after(wait, l.end)
		}
	})
}

// try is about a torrent whose channel closed though data is lacking still.
type try struct {
	tries int
	waits bool
	timer *time.Timer
}

// again tries a torrent later, unless it closed too often; another link may carry it at once. Where nothing came over
// its channel the first retry is soon: browsers lose one now and then.
func (l *link) again(ih InfoHash, heard bool) {
	if l.control == nil || !l.control.has(ih) {
		return
	}
	t := l.tried[ih]
	if t == nil {
		t = &try{}
		l.tried[ih] = t
	}
	if t.tries++; t.tries < maxTries {
		t.waits = true
		wait := l.links.limits.retryAfter * time.Duration(t.tries)
		if t.tries == 1 && !heard {
			wait = l.links.limits.retrySoon
		}
		t.timer = l.after(wait, func() {
			t.waits = false
			l.has(ih)
		})
	}
	l.links.elsewhere(l, ih)
}

// forget ends what is about a torrent that is not wanted any more.
func (l *link) forget(ih InfoHash) {
	if t := l.tried[ih]; t != nil {
		stop(t.timer)
		delete(l.tried, ih)
	}
}

// promises: the peer told that it has the torrent, and a channel for it waits for its turn.
func (l *link) promises(ih InfoHash) bool {
	if l.control == nil || !l.control.has(ih) || l.carries[ih] != nil {
		return false
	}
	t := l.tried[ih]
	return t == nil || t.tries < maxTries
}

// has: the peer has these torrents, so channels for them are to be opened in their turn.
func (l *link) has(infoHashes ...InfoHash) {
	l.queue = append(l.queue, infoHashes...)
	l.fill()
}

// fill opens channels for what this side lacks and the peer has.
func (l *link) fill() {
	for !l.ended && l.ready && len(l.queue) > 0 && l.outgoing < maxOutgoing && len(l.wires) < maxWires {
		ih := l.queue[0]
		t := l.tried[ih]
		if !l.promises(ih) || t != nil && t.waits || l.links.carriedBeside(l, ih) {
			l.queue = l.queue[1:]
			continue
		}
		id, ok := l.ids.take()
		if !ok {
			return
		}
		l.queue = l.queue[1:]
		l.wire(ih, id)
	}
}
