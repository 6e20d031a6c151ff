package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/bencode"

	"github.com/starling-p2p/starling/internal/testnet"
)

func links(o *Options) { o.WebRTC, o.TCP, o.LinkListen = true, false, "127.0.0.1:0" }

// tracker runs one for the test and returns its URL.
func tracker(t testing.TB, scheme string) string {
	return scheme + strings.TrimPrefix(testnet.Serve(t, testnet.Config(), testnet.Files()), "http") + "/announce"
}

func TestOverLinks(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run(map[bool]string{false: "public", true: "private"}[private], func(t *testing.T) {
			trackers := []string{tracker(t, "ws")}
			seeder, fetcher := start(t, links), start(t, links)
			dir := t.TempDir()
			var all []*Torrent
			for i, name := range []string{"a", "b", "c"} {
				path := write(t, filepath.Join(dir, name), random(1<<20+i, byte(i)))
				shared := share(t, seeder, ShareOptions{Paths: []string{path}, Private: private, Trackers: trackers})
				all = append(all, add(t, fetcher, shared.Link("example.org"), AddOptions{Dir: filepath.Join(dir, "to")}))
			}
			for i, name := range []string{"a", "b", "c"} {
				done(t, all[i])
				same(t, filepath.Join(dir, "to", name), random(1<<20+i, byte(i)))
			}
		})
	}
}

func TestHTTPTracker(t *testing.T) {
	trackers := []string{tracker(t, "http")}
	seeder, fetcher := start(t), start(t)
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a"), random(1<<20, 1))
	shared := share(t, seeder, ShareOptions{Paths: []string{path}, Trackers: trackers})
	testnet.Until(t, "the tracker has answered", func() bool { return shared.Stats().Trackers[0].Connected })
	fetched := add(t, fetcher, shared.Magnet(), AddOptions{Dir: filepath.Join(dir, "to")})
	done(t, fetched)
}

func TestUDPTracker(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	events := make(chan uint32, 16)
	go udpTracker(conn, events)

	seeder, fetcher := start(t), start(t)
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a"), random(1<<20, 1))
	shared := share(t, seeder, ShareOptions{Paths: []string{path}, Trackers: []string{"udp://" + conn.LocalAddr().String()}})
	if event := <-events; event != 2 {
		t.Errorf("the first event is %d, want 2, started", event)
	}
	fetched := add(t, fetcher, shared.Magnet(), AddOptions{Dir: filepath.Join(dir, "to")})
	done(t, fetched)
	if err := fetched.Close(); err != nil {
		t.Fatal(err)
	}
	for event := range events {
		if event == 3 {
			return
		}
	}
}

// udpTracker is BEP 15 with one swarm.
func udpTracker(conn net.PacketConn, events chan<- uint32) {
	var peers []byte
	b := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		answer := append([]byte{}, b[8:16]...) // action, transaction
		if n < 98 {
			answer = append(answer, "conn-id."...)
		} else {
			if string(b[:8]) != "conn-id." {
				answer = append([]byte{0, 0, 0, 3}, append(b[12:16:16], "connect first"...)...)
			} else {
				for _, v := range []uint32{1800, 1, 1} {
					answer = binary.BigEndian.AppendUint32(answer, v)
				}
				answer = append(answer, peers...)
				me := append(from.(*net.UDPAddr).IP.To4(), b[96:98]...)
				if !bytes.Contains(peers, me) {
					peers = append(peers, me...)
				}
			}
			events <- binary.BigEndian.Uint32(b[80:])
		}
		_, _ = conn.WriteTo(answer, from)
	}
}

// Trackers name peers in several ways, and some refuse.
func TestTrackerReplies(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), random(1<<18, 1))}})
	at := seeder.Addr().(*net.TCPAddr)
	port := []byte{byte(at.Port >> 8), byte(at.Port)}
	for name, reply := range map[string]map[string]any{
		"compact (BEP 23)": {"peers": append([]byte{127, 0, 0, 1, 0, 0, 127, 0, 0, 1}, port...)},
		"IPv6 (BEP 7)":     {"peers": "", "peers6": append(net.IPv4(127, 0, 0, 1).To16(), port...)},
		"a list (BEP 3)": {"peers": []map[string]any{
			{"ip": "nowhere", "port": 1}, {"ip": "127.0.0.1", "port": 0}, {"ip": "127.0.0.1", "port": 1 << 16}, {"ip": "127.0.0.1", "port": at.Port},
		}},
		"a refusal": {"failure reason": "not\x1b here"},
	} {
		t.Run(name, func(t *testing.T) {
			reply["interval"], reply["complete"], reply["incomplete"] = 1800, 3, 4
			server := newLocal(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bencode.MustMarshal(reply)) })
			fetched := add(t, start(t), hexOf(shared.ih), AddOptions{Dir: t.TempDir(), Trackers: []string{server.URL + "/announce"}})
			if reply["failure reason"] == nil {
				done(t, fetched)
			}
			var s Tracker
			testnet.Until(t, "it has answered", func() bool {
				for _, s = range fetched.Stats().Trackers {
				}
				return s.Connected || s.Err != nil
			})
			switch {
			case reply["failure reason"] == nil:
				if !s.Connected || s.Seeders != 3 || s.Leechers != 4 {
					t.Errorf("got %+v", s)
				}
			case s.Connected || s.Err.Error() != "the tracker says: not here":
				t.Errorf("got %+v", s)
			}
		})
	}
}

// UDP trackers are told the rest of their URL (BEP 41), and what they refuse is said.
func TestUDPTrackerThatRefuses(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	path := "/" + strings.Repeat("x", 300) + "?key=1"
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			answer := append(append([]byte{0, 0, 0, 0}, b[12:16]...), "conn-id."...)
			if n >= 98 {
				told := ""
				for options := b[98:n]; len(options) > 1 && options[0] == 2; {
					end := 2 + int(options[1])
					told += string(options[2:end])
					options = options[end:]
				}
				answer = fmt.Appendf(append([]byte{0, 0, 0, 3}, b[12:16]...), "told all: %t", told == path)
			}
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	p := start(t)
	shared := share(t, p, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), random(1<<18, 1))}, Trackers: []string{"udp://" + conn.LocalAddr().String() + path}})
	testnet.Until(t, "it has answered", func() bool { s := shared.Stats().Trackers; return len(s) > 0 && s[0].Err != nil })
	if err := shared.Stats().Trackers[0].Err; err.Error() != "the tracker says: told all: true" {
		t.Error(err)
	}
}

func TestDHT(t *testing.T) {
	node := start(t, func(o *Options) { o.TCP = false; o.DHT = DHT{Enabled: true, Bootstrap: []string{"127.0.0.1:1"}} })
	server := node.client.DhtServers()[0].Addr().String()
	withDHT := func(o *Options) { o.DHT = DHT{Enabled: true, Bootstrap: []string{server}} }
	seeder, fetcher := start(t, withDHT), start(t, withDHT)
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a"), random(1<<20, 1))
	shared := share(t, seeder, ShareOptions{Paths: []string{path}})
	testnet.Until(t, "the DHT knows of the seeder", func() bool { return len(node.dht.GetPeers(shared.InfoHash())) > 0 })
	fetched := add(t, fetcher, shared.Magnet(), AddOptions{Dir: filepath.Join(dir, "to")})
	done(t, fetched)
}

func TestLSD(t *testing.T) {
	seeder, fetcher := start(t), start(t)
	near, far := pipePackets(t), pipePackets(t)
	seeder.finders.lsd = runLSD(seeder, near, far.LocalAddr())
	fetcher.finders.lsd = runLSD(fetcher, far, near.LocalAddr())
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a"), random(1<<20, 1))
	shared := share(t, seeder, ShareOptions{Paths: []string{path}})
	fetched := add(t, fetcher, shared.Magnet(), AddOptions{Dir: filepath.Join(dir, "to")})
	_ = shared
	done(t, fetched)
}

func pipePackets(t *testing.T) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// fakeDHT is a node of the DHT that notes what its peer wants of it.
type fakeDHT struct {
	torrent.DhtServer
	pings     chan int
	announces chan [20]byte
}

func newFakeDHT(p *Peer) fakeDHT {
	f := fakeDHT{pings: make(chan int, 1000), announces: make(chan [20]byte, 1000)}
	p.client.AddDhtServer(f)
	return f
}

func (f fakeDHT) Addr() net.Addr         { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (f fakeDHT) Ping(node *net.UDPAddr) { f.pings <- node.Port }

func (f fakeDHT) Announce(ih [20]byte, _ int, _ bool) (torrent.DhtAnnounce, error) {
	f.announces <- ih
	return nil, errors.New("nobody is there")
}

// announced is which torrent is announced next.
func (f fakeDHT) announced(t *testing.T) [20]byte {
	t.Helper()
	select {
	case ih := <-f.announces:
		return ih
	case <-soon(t).Done():
		t.Fatal("nothing is announced")
		return [20]byte{}
	}
}

// However many torrents there are, each is announced to the DHT.
func TestManyInTheDHT(t *testing.T) {
	p := start(t)
	node := newFakeDHT(p)
	p.finders.dht = newDHTQueue(p)
	dir := t.TempDir()
	left := map[[20]byte]bool{}
	for i := range 5 * dhtAtOnce {
		left[add(t, p, fmt.Sprintf("%040x", i+1), AddOptions{Dir: dir}).ih] = true
	}
	for len(left) > 0 {
		delete(left, node.announced(t))
	}
}

// Where nobody was met the DHT is asked again soon, and ever more seldom: a look-up is dozens of packets, and many a
// torrent waits for weeks for somebody who has it.
func TestNobodyInTheDHT(t *testing.T) {
	p := start(t)
	q := &dhtQueue{p: p, turns: map[*Torrent]dhtTurn{}, soon: make(chan struct{}, 1)}
	tt := add(t, p, strings.Repeat("ab", 20), AddOptions{Dir: t.TempDir()})
	q.add(tt)
	// waits is after how long the DHT is asked again.
	waits := func() time.Duration {
		turn := q.turns[tt]
		turn.due, q.going = time.Now(), 0
		q.turns[tt] = turn
		q.announce(q.next())
		return time.Until(q.turns[tt].due)
	}
	first := waits()
	if first < dhtNobody/2 || first > dhtNobody {
		t.Fatalf("it is asked again after %v", first)
	}
	for wait := 2 * dhtNobody; wait < 4*dhtLacking; wait *= 2 {
		if next := waits(); next < min(wait, dhtLacking)*85/100 || next > min(wait, dhtLacking) {
			t.Fatalf("it is asked again after %v, not %v", next, wait)
		}
	}
	q.moved()
	if wait := waits(); wait > dhtNobody {
		t.Errorf("on another network it is asked again after %v", wait)
	}
}

// A torrent that is private in the sense of BEP 27 is found by its trackers alone: the DHT, the local network and other
// peers do not hear of it.
func TestFoundByTrackersAlone(t *testing.T) {
	p := start(t, func(o *Options) { o.PEX = true })
	node := newFakeDHT(p)
	p.finders.dht = newDHTQueue(p)
	near, far := pipePackets(t), pipePackets(t)
	defer func() { _ = far.Close() }()
	p.finders.lsd = runLSD(p, near, far.LocalAddr())
	dir := t.TempDir()
	added := func(name string, private int) *Torrent {
		info := map[string]any{"name": name, "piece length": 1 << 16, "pieces": make([]byte, 20), "length": 1, "private": private}
		tt := add(t, p, write(t, filepath.Join(dir, name+".torrent"), bencode.MustMarshal(map[string]any{"info": info})), AddOptions{Dir: dir})
		testnet.Until(t, "it is looked for", func() bool {
			tt.found.mu.Lock()
			defer tt.found.mu.Unlock()
			return tt.found.begun
		})
		return tt
	}
	alone := added("alone", 1)
	other := added("other", 0)

	packet := make([]byte, lsdPacket)
	_ = far.SetReadDeadline(time.Now().Add(20 * time.Second))
	for said := ""; !strings.Contains(said, hexOf(other.ih)); {
		n, _, err := far.ReadFrom(packet)
		if err != nil {
			t.Fatal(err)
		}
		if said = string(packet[:n]); strings.Contains(said, hexOf(alone.ih)) {
			t.Errorf("it is said nearby: %s", said)
		}
	}
	caller, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = caller.Close() }()
	asks := fmt.Sprintf("BT-SEARCH * HTTP/1.1\r\nHost: x\r\nPort: %d\r\nInfohash: %x\r\nInfohash: %x\r\ncookie: x\r\n\r\n\r\n", caller.Addr().(*net.TCPAddr).Port, alone.ih, other.ih)
	if _, err := far.WriteTo([]byte(asks), near.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	conn, err := caller.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.ReadFull(conn, packet[:68]); err != nil || [20]byte(packet[28:48]) != other.ih {
		t.Errorf("who asks for both nearby is called for %x, %v", packet[28:48], err)
	}

	if ih := node.announced(t); ih != other.ih {
		t.Errorf("the DHT is told of %x", ih)
	}

	for tt, want := range map[*Torrent]bool{alone: false, other: true} {
		w := dial(t, p.Addr(), "127.0.0.77", tt.ih)
		_ = w.SetReadDeadline(time.Now().Add(20 * time.Second))
		for {
			kind, payload, err := w.next()
			if err != nil {
				t.Fatal(err)
			}
			if kind != 20 || payload[0] != 0 {
				continue
			}
			if bytes.Contains(payload, []byte("ut_pex")) != want {
				t.Errorf("private %t: %q", !want, payload)
			}
			break
		}
	}
}

// Who fetches takes no more per second than it wants to, over links and over TCP.
func TestDownloadLimit(t *testing.T) {
	for name, over := range map[string]func(*Options){"links": links, "TCP": func(*Options) {}} {
		t.Run(name, func(t *testing.T) {
			trackers := []string{tracker(t, map[string]string{"links": "ws", "TCP": "http"}[name])}
			seeder, fetcher := start(t, over), start(t, over, func(o *Options) { o.DownloadLimit = 2 << 20 })
			dir := t.TempDir()
			path := write(t, filepath.Join(dir, "a"), random(6<<20, 1))
			shared := share(t, seeder, ShareOptions{Paths: []string{path}, Trackers: trackers})
			since := time.Now()
			done(t, add(t, fetcher, shared.Link("example.org"), AddOptions{Dir: filepath.Join(dir, "to")}))
			// Some of it may come at once.
			if took := time.Since(since); took < 1500*time.Millisecond {
				t.Errorf("6 MiB at 2 MiB per second took %v", took)
			}
		})
	}
}
