package peer

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/anacrolix/torrent/bencode"

	"github.com/starling-p2p/starling/internal/egress"
	"github.com/starling-p2p/starling/internal/names"
	"github.com/starling-p2p/starling/rendezvous"
)

const maxTrackerReply = 1 << 20

// What is said to a tracker, and what it says.
type (
	announceRequest struct {
		infoHash, peerID           [20]byte
		left, uploaded, downloaded int64
		event                      string // "", started, completed, stopped
		want                       int
		port                       int
		key                        uint32 // by which who has moved proves who it is
		by                         egress.Family
		said                       func() // is called when the tracker may begin to hear of it
	}
	announceReply struct {
		interval          time.Duration
		seeders, leechers int
		peers             []net.Addr
	}
)

func announceTo(ctx context.Context, w *egress.Ways, tracker string, r announceRequest) (announceReply, error) {
	u, err := url.Parse(tracker)
	if err != nil {
		return announceReply{}, err
	}
	if strings.EqualFold(u.Scheme, "udp") {
		return announceUDP(ctx, w, u, r)
	}
	return announceHTTP(ctx, w, u, r)
}

// announceHTTP is BEP 3, with the compact peers of BEP 23 and 7. With an error may come when to try again.
func announceHTTP(ctx context.Context, w *egress.Ways, tracker *url.URL, r announceRequest) (reply announceReply, err error) {
	left := r.left
	if left < 0 {
		left = 1 << 40 // unknown, but not complete
	}
	q := "info_hash=" + url.QueryEscape(string(r.infoHash[:])) + "&peer_id=" + url.QueryEscape(string(r.peerID[:])) +
		fmt.Sprintf("&port=%d&uploaded=%d&downloaded=%d&left=%d&compact=1&numwant=%d&key=%08x", r.port, r.uploaded, r.downloaded, left, r.want, r.key)
	if r.event != "" {
		q += "&event=" + r.event
	}
	var d struct {
		Failure  string        `bencode:"failure reason"`
		Retry    bencode.Bytes `bencode:"retry in"`
		Interval int64         `bencode:"interval"`
		Complete int           `bencode:"complete"`
		Others   int           `bencode:"incomplete"`
		Peers    bencode.Bytes `bencode:"peers"`
		Peers6   []byte        `bencode:"peers6"`
	}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { r.said() }})
	if err := askHTTP(ctx, w.Tracker(tracker, r.by), *tracker, q, &d); err != nil {
		return reply, err
	}
	if d.Failure != "" {
		return announceReply{interval: retryIn(d.Retry)}, refused(d.Failure)
	}
	reply.interval = time.Duration(min(max(d.Interval, 0), 1<<20)) * time.Second
	reply.seeders, reply.leechers = d.Complete, d.Others
	var compact []byte
	var list []struct {
		IP   string `bencode:"ip"`
		Port int    `bencode:"port"`
	}
	if bencode.Unmarshal(d.Peers, &compact) == nil {
		reply.peers = compactPeers(compact, 4)
	} else if bencode.Unmarshal(d.Peers, &list) == nil {
		for _, p := range list {
			if ip, err := netip.ParseAddr(p.IP); err == nil && p.Port > 0 && p.Port < 1<<16 {
				reply.peers = append(reply.peers, net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(p.Port))))
			}
		}
	}
	reply.peers = append(reply.peers, compactPeers(d.Peers6, 16)...)
	return reply, nil
}

// retryIn is when a tracker that refuses wants to be asked again (BEP 31): after so many minutes, or never; 0 where it does
// not say. Never is as seldom as any tracker is asked: what it does not serve now it may serve some day.
func retryIn(b []byte) time.Duration {
	const most = int64(maxInterval / time.Minute)
	var minutes int64
	var word string
	if bencode.Unmarshal(b, &word) == nil && word == "never" {
		minutes = most
	} else if bencode.Unmarshal(b, &minutes) != nil {
		return 0
	}
	return time.Duration(min(max(minutes, 0), most)) * time.Minute
}

// askHTTP asks a tracker something more than its URL does, and understands a dictionary.
func askHTTP(ctx context.Context, client *http.Client, at url.URL, query string, answer any) error {
	if at.RawQuery != "" {
		query = at.RawQuery + "&" + query
	}
	at.RawQuery = query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return shorter(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTrackerReply))
	if err != nil {
		return shorter(err)
	}
	n, err := skim(body)
	if err != nil {
		if rendezvous.WebPage(response) {
			return rendezvous.ErrWebPage
		}
		return fmt.Errorf("the tracker answers %s, and nothing that a tracker would", response.Status)
	}
	if err := bencode.Unmarshal(body[:n], answer); err != nil {
		return errors.New("the tracker's answer cannot be read")
	}
	return nil
}

func refused(why string) error { return errors.New("the tracker says: " + names.Text(why, 200)) }

// shorter leaves out the URL, which is long and named beside.
func shorter(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func compactPeers(b []byte, addressLength int) (peers []net.Addr) {
	for n := addressLength + 2; len(b) >= n; b = b[n:] {
		ip, _ := netip.AddrFromSlice(b[:addressLength])
		if port := binary.BigEndian.Uint16(b[addressLength:]); port != 0 {
			peers = append(peers, net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), port)))
		}
	}
	return peers
}

// announceUDP is BEP 15:
//
//	connect   0x41727101980 (8) | 0 (4) | transaction (4)  →  0 (4) | transaction (4) | connection (8)
//	announce  connection (8) | 1 (4) | transaction (4) | info_hash (20) | peer_id (20) | downloaded (8) | left (8) |
//	          uploaded (8) | event (4) | address (4) | key (4) | numwant (4) | port (2)
//	       →  1 (4) | transaction (4) | interval (4) | leechers (4) | seeders (4) | addresses and ports …
//	error  →  3 (4) | transaction (4) | text
func announceUDP(ctx context.Context, w *egress.Ways, tracker *url.URL, r announceRequest) (reply announceReply, err error) {
	conn, err := w.UDP(ctx, tracker, r.by)
	if err != nil {
		return reply, err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	connected, err := exchangeUDP(ctx, conn, 0, binary.BigEndian.AppendUint64(nil, 0x41727101980), nil)
	if err != nil {
		return reply, err
	}
	if len(connected) < 8 {
		return reply, errors.New("the tracker's answer is too short")
	}
	b := append(append([]byte{}, r.infoHash[:]...), r.peerID[:]...)
	left := uint64(r.left)
	if r.left < 0 {
		left = 1 << 40
	}
	for _, v := range []uint64{uint64(r.downloaded), left, uint64(r.uploaded)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	event := map[string]uint32{"completed": 1, "started": 2, "stopped": 3}[r.event]
	for _, v := range []uint32{event, 0, r.key, uint32(r.want)} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(r.port))
	if path := tracker.RequestURI(); path != "/" { // BEP 41
		for path = path[:min(len(path), 1024)]; path != ""; {
			n := min(len(path), 255)
			b = append(append(b, 2, byte(n)), path[:n]...)
			path = path[n:]
		}
	}
	r.said()
	answer, err := exchangeUDP(ctx, conn, 1, connected[:8], b)
	if err != nil {
		return reply, err
	}
	if len(answer) < 12 {
		return reply, errors.New("the tracker's answer is too short")
	}
	reply.interval = time.Duration(binary.BigEndian.Uint32(answer)) * time.Second
	reply.leechers = int(int32(binary.BigEndian.Uint32(answer[4:])))
	reply.seeders = int(int32(binary.BigEndian.Uint32(answer[8:])))
	length := 4
	if a, ok := conn.RemoteAddr().(*net.UDPAddr); ok && a.IP.To4() == nil {
		length = 16
	}
	reply.peers = compactPeers(answer[12:], length)
	return reply, nil
}

// exchangeUDP sends until an answer comes.
func exchangeUDP(ctx context.Context, conn net.Conn, action uint32, connection, body []byte) ([]byte, error) {
	var transaction [4]byte
	_, _ = rand.Read(transaction[:]) // it never fails
	request := binary.BigEndian.AppendUint32(append([]byte{}, connection...), action)
	request = append(append(request, transaction[:]...), body...)
	buffer := make([]byte, 4096)
	for wait := 3 * time.Second; ; wait *= 2 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		for {
			if ctx.Err() != nil { // its deadline may have been overwritten
				return nil, ctx.Err()
			}
			n, err := conn.Read(buffer)
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				break
			}
			if err != nil {
				return nil, err
			}
			if n < 8 || !bytes.Equal(buffer[4:8], transaction[:]) {
				continue
			}
			switch binary.BigEndian.Uint32(buffer) {
			case action:
				return append([]byte{}, buffer[8:n]...), nil
			case 3:
				return nil, refused(string(buffer[8:n]))
			}
		}
	}
}
