package peer

import (
	"encoding/binary"
	"errors"
	"expvar"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/mse"

	"github.com/starling-p2p/starling/internal/testnet"
)

// The engine counts for ever, under their names, what extensions and requests it hears of: it hears of few.
func TestMadeUpNames(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), random(1<<18, 1))}})
	w := dial(t, seeder.Addr(), "127.0.0.79", shared.ih)
	names := "11:ut_metadatai1e"
	for i := range 1000 {
		names += fmt.Sprintf("7:xx_%04di1e", i)
	}
	w.send(20, append([]byte{0}, "d1:md"+names+"ee"...)...)
	w.send(2)
	w.send(6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1) // 128 KiB and a byte
	hungUp(w)
	names = expvar.Get("torrent").(*expvar.Map).Get("peers supporting extension").String()
	lengths := expvar.Get("requestedChunkLengths").String()
	if !strings.Contains(names, "ut_metadata") || strings.Contains(names, "xx_") || strings.Contains(lengths, "131073") {
		t.Errorf("made-up names are kept: %s, %s", names, lengths)
	}
	testnet.Until(t, "nothing is kept of the connection", func() bool {
		seeder.guard.mu.Lock()
		defer seeder.guard.mu.Unlock()
		return len(seeder.guard.conns) == 0
	})
}

// Who speaks encrypted only (MSE) reaches a torrent, too, that is not loaded.
func TestEncryptedHandshake(t *testing.T) {
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), random(1<<18, 1))}})
	if shared.engine.Load() != nil {
		t.Fatal("it is loaded")
	}
	conn, err := net.Dial("tcp4", seeder.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	encrypted, _, err := mse.InitiateHandshake(conn, shared.ih[:], nil, mse.CryptoMethodRC4)
	if err != nil {
		t.Fatal(err)
	}
	hello := append([]byte("\x13BitTorrent protocol\x00\x00\x00\x00\x00\x10\x00\x05"), shared.ih[:]...)
	if _, err := encrypted.Write(append(hello, "-XX0000-abcdefghijkl"...)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 68)
	if _, err := io.ReadFull(encrypted, answer); err != nil || [20]byte(answer[28:]) != shared.ih {
		t.Errorf("%q: %v", answer, err)
	}
}

// A block that is not the one asked for, longer than its piece even, ends the connection and nothing else.
func TestWrongBlocks(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	data := random(1<<18-5, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}})
	info := seeder.state.get(infoBucket, shared.ih[:])
	file := write(t, filepath.Join(dir, "a.torrent"), bencode.MustMarshal(map[string]any{"info": bencode.Bytes(info)}))
	for name, answer := range map[string]func(place []byte, length uint32) []byte{
		"long":  func(place []byte, _ uint32) []byte { return append(place, make([]byte, 65_000)...) },
		"short": func(place []byte, length uint32) []byte { return append(place, make([]byte, length-1)...) },
		"empty": func(place []byte, _ uint32) []byte { return place },
		"moved": func(place []byte, length uint32) []byte {
			place[7]++
			return append(place, make([]byte, length)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan bool, 1)
			liar := listen(t, func(w wire) {
				w.shake(shared.ih)
				w.send(14) // have all
				w.send(1)  // unchoke
				for {
					kind, payload, err := w.next()
					if err != nil {
						ended <- true
						return
					}
					if kind == 6 { // request
						w.send(7, answer(payload[:8:8], binary.BigEndian.Uint32(payload[8:]))...)
					}
				}
			})
			to := t.TempDir()
			fetched := add(t, start(t), file, AddOptions{Dir: to, Peers: []string{liar.String()}})
			<-ended
			fetched.found.peers([]string{seeder.Addr().String()})
			done(t, fetched)
			same(t, filepath.Join(to, "a"), data)
		})
	}
}

// The writer of a connection never sleeps long: what should have woken it may have been lost (engine.go, nudge).
func TestWriterWakes(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), random(1<<18, 1))}})
	w := dial(t, seeder.Addr(), "127.0.0.78", shared.ih)
	w.send(2) // interested, and then nothing
	_ = w.SetReadDeadline(time.Now().Add(15 * time.Second))
	for length := uint32(1); length > 0; {
		if err := binary.Read(w, binary.BigEndian, &length); err != nil {
			t.Fatalf("no keepalive: %v", err)
		}
		if _, err := io.CopyN(io.Discard, w, int64(length)); err != nil {
			t.Fatal(err)
		}
	}
}

// Have none after have all, and pieces that there are not, end the connection and nothing else.
func TestWrongPieces(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), random(1000, 1))}}) // one piece
	info := seeder.state.get(infoBucket, shared.ih[:])
	file := write(t, filepath.Join(dir, "a.torrent"), bencode.MustMarshal(map[string]any{"info": bencode.Bytes(info)}))
	for name, c := range map[string]struct {
		messages [][]byte
		later    bool // shown to be wrong by the metadata alone
	}{
		"none after all":    {messages: [][]byte{{14}, {15}, {4, 0, 0, 0, 0}}},
		"none after some":   {messages: [][]byte{{5, 0x80}, {15}}},
		"beyond the end":    {messages: [][]byte{{4, 0, 0, 0, 99}}, later: true},
		"far beyond an end": {messages: [][]byte{{4, 0xff, 0, 0, 0}}},
	} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, metadata known: %v", name, known), func(t *testing.T) {
				fetcher := start(t)
				ref := file
				if !known {
					ref = hexOf(shared.ih)
				}
				fetched := add(t, fetcher, ref, AddOptions{Dir: t.TempDir()})
				testnet.Until(t, "it is loaded", func() bool { return fetched.engine.Load() != nil })
				w := dial(t, fetcher.Addr(), "127.0.0.77", shared.ih)
				for _, m := range c.messages {
					w.send(m[0], m[1:]...)
				}
				if c.later && !known {
					testnet.Until(t, "it is noted", func() bool { return named(fetcher) == 100 })
				} else {
					hungUp(w)
				}
				if !known {
					fetched.gotInfo(info)
				}
				if c.later && !known {
					hungUp(w)
				}
				testnet.Until(t, "it is informed", func() bool { e := fetched.engine.Load(); return e != nil && e.Info() != nil })
				fetched.unload()
			})
		}
	}
}

// named is the most pieces that somebody says there are, where that is not known yet.
func named(p *Peer) (most int64) {
	p.guard.mu.Lock()
	defer p.guard.mu.Unlock()
	for _, c := range p.guard.conns {
		most = max(most, c.named)
	}
	return most
}

// hungUp waits until the other side has.
func hungUp(w wire) {
	w.t.Helper()
	_ = w.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		if _, _, err := w.next(); errors.Is(err, os.ErrDeadlineExceeded) {
			w.t.Fatal("it does not hang up")
		} else if err != nil {
			return
		}
	}
}

// heard waits until what was sent has been read, or the other side has hung up.
func heard(w wire) {
	w.send(20, append([]byte{0}, "d1:md11:ut_metadatai1eee"...)...)
	w.send(20, append([]byte{3}, "d8:msg_typei0e5:piecei99ee"...)...)
	_ = w.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		kind, payload, err := w.next()
		if err != nil || kind == 20 && payload[0] == 1 {
			return
		}
	}
}

// Handshakes without end start nothing anew, and no list of peers is kept that is longer than anybody needs.
func TestTooMuchPEX(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t, func(o *Options) { o.PEX = true })
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), random(1<<18, 1))}})
	w := dial(t, seeder.Addr(), "127.0.0.77", shared.ih)
	heard(w)
	before := runtime.NumGoroutine()
	for i := range 1000 {
		w.send(20, append([]byte{0}, fmt.Sprintf("d1:md11:ut_metadatai1e6:ut_pexi2ee1:pi%dee", 1+i)...)...)
	}
	heard(w)
	if n := runtime.NumGoroutine() - before; n > 100 {
		t.Errorf("%d goroutines more", n)
	}
	for _, n := range []int{10_000, 50} {
		w.send(20, append([]byte{2}, fmt.Sprintf("d5:added%d:%se", 6*n, random(6*n, 1))...)...)
		heard(w)
		if known := shared.engine.Load().Stats().TotalPeers; known > 60 {
			t.Fatalf("of %d peers %d are kept", n, known)
		}
	}
}

// Who names ports of the DHT without end (BEP 5) does not have packets sent without end.
func TestTooManyPorts(t *testing.T) {
	seeder := start(t)
	node := newFakeDHT(seeder)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), random(1<<18, 1))}})
	w := dial(t, seeder.Addr(), "127.0.0.77", shared.ih)
	for port := range byte(100) {
		w.send(9, 0, 1+port)
	}
	heard(w)
	testnet.Until(t, "nodes are looked for", func() bool { return len(node.pings) >= maxPorts })
	_ = seeder.Close()
	if n := len(node.pings); n > maxPorts {
		t.Errorf("nodes are looked for at %d ports", n)
	}
}

// Metadata is served to nobody without end: it is of several times the size of a request.
func TestTooMuchMetadata(t *testing.T) {
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(t.TempDir(), "a"), random(1<<18, 1))}})
	w := dial(t, seeder.Addr(), "127.0.0.77", shared.ih)
	w.send(20, append([]byte{0}, "d1:md11:ut_metadatai1eee"...)...)
	go func() {
		for range 1000 {
			w.send(20, append([]byte{3}, "d8:msg_typei0e5:piecei0ee"...)...)
		}
	}()
	hungUp(w)
}

// Who asks without end, and reads no answers, is hung up on.
func TestUnread(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), random(1<<18, 1))}})
	w := dial(t, seeder.Addr(), "127.0.0.77", shared.ih)
	_ = w.SetWriteDeadline(time.Now().Add(30 * time.Second))
	for length := uint32(1); ; length++ {
		var requests []byte
		for begin := range uint32(1000) {
			requests = append(requests, 0, 0, 0, 13, 6, 0, 0, 0, 0)
			requests = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(requests, begin), length)
		}
		if _, err := w.Write(requests); errors.Is(err, os.ErrDeadlineExceeded) || length > 16_000 {
			t.Fatalf("it listens still, after %d requests", 1000*length)
		} else if err != nil {
			break
		}
	}
}

// Who waits for a torrent's metadata sees that it comes.
func TestMetadataIsCounted(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), random(1<<20, 1))}})
	fetched := add(t, start(t), hexOf(shared.ih), AddOptions{Dir: filepath.Join(dir, "to"), Peers: []string{seeder.Addr().String()}, Lazy: true})
	if err := fetched.Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	if n, want := fetched.Stats().Metadata, int64(len(shared.infoBytes())); n != want {
		t.Errorf("%d bytes of it came, of %d", n, want)
	}
}

// Those who offer metadata and send none do not keep it from who asks others.
func TestSilentSources(t *testing.T) {
	dir := t.TempDir()
	seeder := start(t)
	data := random(1<<18, 1)
	shared := share(t, seeder, ShareOptions{Paths: []string{write(t, filepath.Join(dir, "a"), data)}})
	fetcher := start(t, func(o *Options) { o.tick = 10 * time.Millisecond })
	var asked sync.WaitGroup
	var silent []string
	for range metadataSources {
		asked.Add(1)
		silent = append(silent, listen(t, func(w wire) {
			w.shake(shared.ih)
			w.send(20, append([]byte{0}, "d1:md11:ut_metadatai3ee13:metadata_sizei99999ee"...)...)
			for first := true; ; {
				kind, _, err := w.next()
				if err != nil {
					return
				}
				if kind == 20 && first {
					first = false
				} else if kind == 20 {
					asked.Done()
					_, _ = io.Copy(io.Discard, w)
					return
				}
			}
		}).String())
	}
	fetched := add(t, fetcher, hexOf(shared.ih), AddOptions{Dir: filepath.Join(dir, "to"), Peers: silent})
	asked.Wait()
	fetched.found.peers([]string{seeder.Addr().String()})
	done(t, fetched)
	same(t, filepath.Join(dir, "to/a"), data)
}
