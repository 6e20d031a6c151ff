package link

import (
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/pion/datachannel"
)

// together is how long changes are gathered after the last ones were told.
const together = 100 * time.Millisecond

// control is the control channel of a link. The links' lock guards it.
type control struct {
	link *link
	dc   datachannel.ReadWriteCloserDeadliner
	// exchange is there once both sides have named the extension.
	exchange *exchange
	// early is a hello that came before the handshake that names the extension.
	early   []byte
	hello   []byte
	sending bool
	closed  bool
}

func newControl(l *link, dc datachannel.ReadWriteCloserDeadliner) *control {
	c := &control{link: l, dc: dc}
	go c.read()
	return c
}

// openControl opens it, from the side that made the offer.
func (l *link) openControl() {
	id, ok := l.ids.take()
	if !ok {
		return
	}
	go func() {
		raw, err := l.dial(controlLabel, controlProtocol, id)
		if err != nil {
			l.do(l.end)
			return
		}
		l.do(func() {
			if l.lied {
				_ = raw.Close()
				return
			}
			l.control = newControl(l, raw)
			l.talk()
		})
	}()
}

// talk begins, once both sides have named the extension and the channel is there.
func (l *link) talk() {
	c := l.control
	if !l.named || c == nil {
		return
	}
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	c.exchange = newExchange(l.links, l.initiator, nonce)
	c.hello = append([]byte{hello}, nonce[:]...)
	c.flush()
	if c.early != nil {
		c.take(c.early)
	}
}

// has: the peer told that it has a torrent that this side wants.
func (c *control) has(ih InfoHash) bool { return c.exchange != nil && c.exchange.wanted[ih] }

// change tells the peer about a torrent.
func (c *control) change(ih InfoHash) {
	if c.exchange != nil && !c.closed {
		c.exchange.change(ih)
		c.flush()
	}
}

func (c *control) close() {
	if !c.closed {
		c.closed = true
		go func() { _ = c.dc.Close() }()
	}
}

// read takes messages until the channel ends, and the link with it.
func (c *control) read() {
	l := c.link
	buffer := make([]byte, shortMessage)
	for {
		n, text, err := c.dc.ReadDataChannel(buffer)
		tooLong := errors.Is(err, io.ErrShortBuffer)
		if tooLong && len(buffer) < maxControl {
			buffer = make([]byte, maxControl)
			continue
		}
		switch {
		case err != nil && !tooLong:
			l.do(func() {
				if !c.closed {
					l.plain()
				}
			})
			return
		case err != nil || text:
			l.do(l.ban)
			return
		}
		l.do(func() {
			switch {
			case c.closed:
			case !l.bucket.take(messageCost + n):
				l.ban()
			case c.exchange != nil:
				c.take(buffer[:n])
			case c.early != nil:
				l.ban() // nothing follows hello before the answer to it
			default:
				c.early = append([]byte(nil), buffer[:n]...)
			}
		})
	}
}

// take takes one message.
func (c *control) take(message []byte) {
	l := c.link
	has, ok := c.exchange.receive(message)
	if !ok {
		l.ban()
		return
	}
	if c.exchange.ready && !l.ready {
		l.ready = true
		stop(l.helloTimer)
		l.links.merge(l)
	}
	c.flush()
	if len(has) > 0 {
		l.has(has...)
	}
}

// flush sends what is to be told, soon.
func (c *control) flush() {
	if !c.sending && (c.hello != nil || len(c.exchange.order) > 0) {
		c.sending = true
		go c.send()
	}
}

func (c *control) send() {
	for {
		var messages [][]byte
		c.link.do(func() {
			if c.hello != nil {
				messages = append(messages, c.hello)
				c.hello = nil
			}
			messages = append(messages, c.exchange.messages()...)
			c.sending = len(messages) > 0 && !c.closed
		})
		if len(messages) == 0 {
			return
		}
		for _, m := range messages {
			if _, err := c.dc.Write(m); err != nil {
				return // the reader learns why
			}
		}
		select {
		case <-time.After(together):
		case <-c.link.gone:
			return
		}
	}
}
