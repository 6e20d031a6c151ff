package peer

import (
	"bytes"
	"encoding/binary"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	for !shared.Stats().Trackers[0].Connected {
		time.Sleep(time.Millisecond)
	}
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

func TestDHT(t *testing.T) {
	node := start(t, func(o *Options) { o.TCP = false; o.DHT = DHT{Enabled: true, Bootstrap: []string{"127.0.0.1:1"}} })
	server := node.client.DhtServers()[0].Addr().String()
	withDHT := func(o *Options) { o.DHT = DHT{Enabled: true, Bootstrap: []string{server}} }
	seeder, fetcher := start(t, withDHT), start(t, withDHT)
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a"), random(1<<20, 1))
	shared := share(t, seeder, ShareOptions{Paths: []string{path}})
	for len(node.dht.GetPeers(shared.InfoHash())) == 0 {
		time.Sleep(time.Millisecond)
	}
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
