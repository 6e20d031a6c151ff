package relay

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pion/stun/v4"
)

const (
	// An allocation is for one connection of one browser: its peer has few addresses.
	maxPeers    = 64
	maxChannels = 64
)

// client is one end of what a client uses to reach the relay. Its other end is one port.
type client struct {
	network string // udp, tcp
	at      netip.AddrPort
}

func clientAt(a net.Addr) client {
	switch a := a.(type) {
	case *net.UDPAddr:
		return client{"udp", unmap(a.AddrPort())}
	case *net.TCPAddr:
		return client{"tcp", unmap(a.AddrPort())}
	}
	return client{}
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// whole is what counts as one address: one of IPv4, or a /64 of IPv6, which is what one subscriber has.
func whole(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, _ := a.WithZone("").Prefix(64)
	return p.Addr()
}

// userID tells pion whose an allocation is, and with it the generator of sockets, which learns nothing else.
func userID(c client, user string) string { return c.network + " " + c.at.String() + " " + user }

func parseUserID(id string) (c client, user string, err error) {
	network, rest, _ := strings.Cut(id, " ")
	at, user, ok := strings.Cut(rest, " ")
	c.network = network
	if c.at, err = netip.ParseAddrPort(at); err != nil || !ok {
		return c, "", fmt.Errorf("%q is not an allocation's owner", id)
	}
	return c, user, nil
}

// allocation is what a client has been given.
type allocation struct {
	client client
	user   string
	at     netip.AddrPort // where others see it
	meter  meter
	// asked is the channel that the message now at work is to bind, 0 where it is another message: pion, which permit
	// hears of that from, does not say.
	asked atomic.Uint32

	peers map[netip.Addr]struct{}  // those permitted; under the book's lock
	bound atomic.Pointer[channels] // replaced under the book's lock, never changed
}

// channels are those that an allocation has bound.
type channels struct {
	peers   map[uint16]netip.AddrPort
	numbers map[netip.AddrPort]uint16
}

var noChannels channels

// asks notes what a message of the client is about.
func (a *allocation) asks(message []byte) {
	number := uint16(0)
	if binary.BigEndian.Uint16(message) == stun.NewType(stun.MethodChannelBind, stun.ClassRequest).Value() {
		m := &stun.Message{Raw: message}
		if m.Decode() == nil {
			if v, err := m.Get(stun.AttrChannelNumber); err == nil && len(v) >= 2 {
				number = binary.BigEndian.Uint16(v)
			}
		}
	}
	a.asked.Store(uint32(number))
}

// bind and unbind are called under the book's lock.
func (a *allocation) bind(number uint16, peer netip.AddrPort) {
	was := a.bound.Load()
	now := channels{map[uint16]netip.AddrPort{number: peer}, map[netip.AddrPort]uint16{peer: number}}
	maps.Copy(now.peers, was.peers)
	maps.Copy(now.numbers, was.numbers)
	a.bound.Store(&now)
}

func (a *allocation) unbind(number uint16) {
	was := a.bound.Load()
	now := channels{maps.Clone(was.peers), maps.Clone(was.numbers)}
	delete(now.numbers, now.peers[number])
	delete(now.peers, number)
	a.bound.Store(&now)
}

// book holds all allocations, and how many there may be.
type book struct {
	max, maxPerAddress, rate int

	mu        sync.RWMutex
	clients   map[client]*allocation
	relayed   map[netip.AddrPort]*allocation // by the address that others see
	addresses map[netip.Addr]int
	count     int
	closed    bool
	open      sync.WaitGroup

	ports [2][1 << 16 / 64]atomic.Uint64 // bits: what of relayed is there, by family and port
}

func newBook(max, maxPerAddress, rate int) *book {
	return &book{
		max: max, maxPerAddress: maxPerAddress, rate: rate,
		clients: map[client]*allocation{}, relayed: map[netip.AddrPort]*allocation{}, addresses: map[netip.Addr]int{},
	}
}

// room says whether a client may have another allocation.
func (b *book) room(c client) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.mayHave(c)
}

func (b *book) mayHave(c client) bool {
	return !b.closed && b.count < b.max && b.addresses[whole(c.at.Addr())] < b.maxPerAddress
}

// enter makes room for an allocation and writes it down; nil when there is none. Each one leaves once.
func (b *book) enter(c client, user string, at netip.AddrPort) *allocation {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mayHave(c) {
		return nil
	}
	a := &allocation{client: c, user: user, at: at, meter: newMeter(b.rate), peers: map[netip.Addr]struct{}{}}
	a.bound.Store(&noChannels)
	b.clients[c], b.relayed[at] = a, a
	b.addresses[whole(c.at.Addr())]++
	b.count++
	b.open.Add(1)
	word, bit := b.port(at)
	word.Or(bit)
	return a
}

// leave is called before the allocation's port is free for another.
func (b *book) leave(a *allocation, at netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// Its client may have another one already.
	if b.clients[a.client] == a {
		delete(b.clients, a.client)
	}
	delete(b.relayed, at)
	address := whole(a.client.at.Addr())
	if b.addresses[address]--; b.addresses[address] == 0 {
		delete(b.addresses, address)
	}
	b.count--
	b.open.Done()
	word, bit := b.port(at)
	word.And(^bit)
}

func (b *book) port(at netip.AddrPort) (word *atomic.Uint64, bit uint64) {
	ports := &b.ports[0]
	if familyOf(at.Addr()) == v6 {
		ports = &b.ports[1]
	}
	return &ports[at.Port()/64], 1 << (at.Port() % 64)
}

// relays says whether something is relayed at a port of the relay's own address. It takes no lock: each datagram asks.
func (b *book) relays(at netip.AddrPort) bool {
	word, bit := b.port(at)
	return word.Load()&bit != 0
}

// of is a client's allocation; nil when it has none.
func (b *book) of(c client) *allocation {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.clients[c]
}

// at is where others see what a client has; none when it has nothing.
func (b *book) at(c client) netip.Addr {
	if a := b.of(c); a != nil {
		return a.at.Addr()
	}
	return netip.Addr{}
}

// has says whether a client has an allocation that it made by this name.
func (b *book) has(c client, user string) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	a := b.clients[c]
	return a != nil && a.user == user
}

// permits says whether a client's allocation has that peer and channel already, or is not yet at its bounds.
func (b *book) permits(c client, peer netip.Addr) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	a := b.clients[c]
	if a == nil {
		return false
	}
	if number := uint16(a.asked.Load()); number != 0 {
		channels := a.bound.Load().peers
		if _, bound := channels[number]; !bound && len(channels) >= maxChannels {
			return false
		}
	}
	_, known := a.peers[peer]
	return known || len(a.peers) < maxPeers
}

// hasPermitted says whether an allocation's client wants to hear from a peer.
func (b *book) hasPermitted(a *allocation, peer netip.Addr) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	_, ok := a.peers[peer]
	return ok
}

// change notes what pion says of an allocation, if it is still there.
func (b *book) change(at net.Addr, f func(*allocation)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.relayed[clientAt(at).at]; a != nil {
		f(a)
	}
}

func (b *book) size() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.count
}

// close lets nobody in any more; wait returns when all have left.
func (b *book) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

func (b *book) wait() { b.open.Wait() }
