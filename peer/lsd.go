package peer

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
)

const (
	lsdAddress = "239.192.152.143:6771"
	lsdEvery   = 5 * time.Minute
	lsdAnswer  = time.Minute // between two times that a torrent is announced because somebody else did
	lsdStep    = time.Second // between two packets
	lsdPacket  = 1400        // bytes
	lsdPerTurn = 20          // infohashes of a packet
)

// lsd finds peers on the local network (BEP 14): a datagram to a multicast group, of which each peer there gets a copy,
// says who has which torrents. Those that lack data are announced every five minutes; the others once, and when
// somebody asks by announcing his own.
//
//	BT-SEARCH * HTTP/1.1
//	Host: 239.192.152.143:6771
//	Port: <where the sender listens>
//	Infohash: <40 hex digits>        as often as there are torrents
//	cookie: <so that one knows his own>
type lsd struct {
	p      *Peer
	conn   net.PacketConn
	group  net.Addr
	cookie string

	mu   sync.Mutex
	on   []int // the interfaces that it is joined on
	said map[*Torrent]time.Time
	due  map[*Torrent]bool
	soon chan struct{}
}

func newLSD(p *Peer) (*lsd, error) {
	group, err := net.ResolveUDPAddr("udp4", lsdAddress)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenPacket("udp4", lsdAddress) // beside others, and on no network yet: there may be none
	if err != nil {
		return nil, err
	}
	c := ipv4.NewPacketConn(conn)
	_ = c.SetMulticastTTL(1)
	_ = c.SetMulticastLoopback(true) // for other peers on this machine
	l := runLSD(p, conn, group)
	l.join()
	return l, nil
}

// join listens on all interfaces there are, or, where nobody says which, on that of the default route.
func (l *lsd) join() {
	c := ipv4.NewPacketConn(l.conn)
	interfaces, err := net.Interfaces()
	if err != nil {
		_ = c.JoinGroup(nil, l.group)
		return
	}
	var on []int
	for _, i := range interfaces {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagMulticast != 0 {
			_ = c.JoinGroup(&i, l.group) // some are in it already
			on = append(on, i.Index)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on = on
}

// say sends a packet to the networks of all these interfaces: by itself it goes where the default route leads, which is a VPN's
// at times, and nowhere where there is none. Systems that let nobody choose send it as they like.
func (l *lsd) say(packet []byte) (err error) {
	l.mu.Lock()
	on := l.on
	l.mu.Unlock()
	sent := false
	for _, i := range on {
		if _, err = ipv4.NewPacketConn(l.conn).WriteTo(packet, &ipv4.ControlMessage{IfIndex: i}, l.group); err == nil {
			sent = true
		}
	}
	if !sent {
		_, err = l.conn.WriteTo(packet, l.group)
		return err
	}
	return nil
}

// moved says on another network what is lacking.
func (l *lsd) moved() {
	l.join()
	l.mu.Lock()
	defer l.mu.Unlock()
	for t := range l.said {
		if t.lacking() {
			l.announce(t)
		}
	}
}

func runLSD(p *Peer, conn net.PacketConn, group net.Addr) *lsd {
	var cookie [8]byte
	_, _ = rand.Read(cookie[:]) // it never fails
	l := &lsd{
		p: p, conn: conn, group: group, cookie: hex.EncodeToString(cookie[:]),
		said: map[*Torrent]time.Time{}, due: map[*Torrent]bool{}, soon: make(chan struct{}, 1),
	}
	p.goWork(l.send)
	p.goWork(l.receive)
	return l
}

func (l *lsd) add(t *Torrent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said[t] = time.Time{}
	l.announce(t)
}

func (l *lsd) remove(t *Torrent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.said, t)
	delete(l.due, t)
}

func (l *lsd) announce(t *Torrent) {
	l.due[t] = true
	select {
	case l.soon <- struct{}{}:
	default:
	}
}

func (l *lsd) send() {
	tick := time.NewTicker(lsdEvery)
	defer tick.Stop()
	defer func() { _ = l.conn.Close() }()
	for {
		select {
		case <-l.p.ctx.Done():
			return
		case <-l.soon:
		case <-tick.C:
			l.mu.Lock()
			for t := range l.said {
				if t.lacking() {
					l.due[t] = true
				}
			}
			l.mu.Unlock()
		}
		for packet := l.packet(); packet != nil; packet = l.packet() {
			if err := l.say(packet); err != nil {
				l.p.log.Debug("announcing to the local network", "error", err)
			}
			select {
			case <-l.p.ctx.Done():
				return
			case <-time.After(lsdStep):
			}
		}
	}
}

// packet is the next one, of some torrents that are due.
func (l *lsd) packet() []byte {
	port := l.p.publicPort()
	if a := l.p.Addr(); a != nil { // within the network no mapping counts
		_, text, _ := net.SplitHostPort(a.String())
		port, _ = strconv.Atoi(text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var hashes strings.Builder
	n := 0
	for t := range l.due {
		if n == lsdPerTurn {
			break
		}
		delete(l.due, t)
		if !t.alone() {
			fmt.Fprintf(&hashes, "Infohash: %s\r\n", hexOf(t.ih))
			l.said[t] = time.Now()
			n++
		}
	}
	if n == 0 || port == 0 {
		return nil
	}
	return fmt.Appendf(nil, "BT-SEARCH * HTTP/1.1\r\nHost: %s\r\nPort: %d\r\n%scookie: %s\r\n\r\n\r\n", l.group, port, hashes.String(), l.cookie)
}

func (l *lsd) receive() {
	buffer := make([]byte, lsdPacket+1)
	for {
		n, from, err := l.conn.ReadFrom(buffer)
		if l.p.ctx.Err() != nil {
			return
		}
		if err != nil {
			select {
			case <-l.p.ctx.Done():
				return
			case <-time.After(lsdStep):
				continue
			}
		}
		if a, ok := from.(*net.UDPAddr); ok && n <= lsdPacket {
			l.heard(buffer[:n], a.IP)
		}
	}
}

// heard takes what somebody on the local network says.
func (l *lsd) heard(packet []byte, from net.IP) {
	line, rest, ok := bytes.Cut(packet, []byte("\r\n"))
	if !ok || string(line) != "BT-SEARCH * HTTP/1.1" || !(from.IsPrivate() || from.IsLinkLocalUnicast() || from.IsLoopback()) {
		return
	}
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(rest))).ReadMIMEHeader()
	if err != nil && len(header) == 0 || header.Get("cookie") == l.cookie {
		return
	}
	port, err := strconv.ParseUint(header.Get("Port"), 10, 16)
	if err != nil || port == 0 {
		return
	}
	hashes := http.Header(header).Values("Infohash")
	for _, text := range hashes[:min(len(hashes), 2*lsdPerTurn)] {
		ih, ok := parseHash(text)
		t := l.p.torrent(ih)
		if !ok || t == nil || t.alone() {
			continue
		}
		t.found.invite([]net.Addr{&net.TCPAddr{IP: from, Port: int(port)}})
		l.mu.Lock()
		if said, known := l.said[t]; known && time.Since(said) > lsdAnswer {
			l.announce(t)
		}
		l.mu.Unlock()
	}
}
