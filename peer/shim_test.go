package peer

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/torrent/bencode"
)

// fakeChannel is a channel of a link whose other end is the test.
type fakeChannel struct {
	net.Conn
	initiator bool
	extended  chan bool
}

func (c fakeChannel) InfoHash() [20]byte { return [20]byte{7} }
func (c fakeChannel) Initiator() bool    { return c.initiator }
func (c fakeChannel) Identity() string   { return "somebody" }
func (c fakeChannel) Extended()          { c.extended <- true }
func (c fakeChannel) Ban()               {}

// What the engine writes, in whatever parts, comes out as one handshake and a BEP 10 handshake that names sl_block.
func TestShim(t *testing.T) {
	p := start(t)
	dict := bencode.MustMarshal(map[string]any{"m": map[string]int{"sl_link": 3}, "v": "x", "reqq": 5})
	first := append(binary.BigEndian.AppendUint32(nil, uint32(2+len(dict))), append([]byte{20, 0}, dict...)...)
	handshake := append([]byte("\x13BitTorrent protocol"), make([]byte, 48)...)
	rest := []byte{0, 0, 0, 1, 14}
	for _, initiator := range []bool{false, true} {
		for _, step := range []int{1, 7, 68, 1000} {
			near, far := net.Pipe()
			out := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(far)
				out <- b
			}()
			s, err := newShim(p, fakeChannel{Conn: near, initiator: initiator})
			if err != nil {
				t.Fatal(err)
			}
			all := append(append(bytes.Clone(handshake), first...), rest...)
			for b := all; len(b) > 0; {
				n := min(step, len(b))
				if m, err := s.Write(b[:n]); m != n || err != nil {
					t.Fatal(m, err)
				}
				b = b[n:]
			}
			_ = s.Close()
			got := <-out
			own := append(append([]byte("\x13BitTorrent protocol"), extensions[:]...), append([]byte{7}, make([]byte, 19)...)...)
			if want := append(own, p.id[:]...); initiator && !bytes.HasPrefix(got, want) {
				t.Fatalf("it begins with %q, want %q", got[:min(len(got), 68)], want)
			}
			if !initiator && !bytes.HasPrefix(got, handshake) {
				t.Fatalf("it begins with %q, want the engine's handshake", got[:min(len(got), 68)])
			}
			got = got[68:]
			n := binary.BigEndian.Uint32(got)
			var d map[string]any
			if err := bencode.Unmarshal(got[6:4+n], &d); err != nil || d["sl_block"] != int64(65536) || d["v"] != "x" {
				t.Errorf("the BEP 10 handshake is %q, %v", got[6:4+n], err)
			}
			if !strings.HasSuffix(string(got), string(rest)) || len(got) != 4+int(n)+len(rest) {
				t.Errorf("then comes %q, want %q", got[4+n:], rest)
			}
		}
	}
}

// A channel that has ended before the engine takes it is closed, and that is all.
func TestEndedChannel(t *testing.T) {
	p := start(t, links)
	near, far := net.Pipe()
	_ = far.Close()
	_ = near.Close()
	c := closing{near, make(chan bool, 9)}
	go p.finders.channels.open(p, fakeChannel{Conn: c})
	select {
	case <-c.closed:
	case <-soon(t).Done():
		t.Fatal("the engine did not let go of it")
	}
}

type closing struct {
	net.Conn
	closed chan bool
}

func (c closing) Close() error {
	c.closed <- true
	return c.Conn.Close()
}

// Both sides of a channel name sl_link, and each tells its link so.
func TestExtended(t *testing.T) {
	a, b := start(t, links), start(t, links)
	near, far := net.Pipe()
	_ = near.SetDeadline(time.Now().Add(10 * time.Second))
	for _, p := range []*Peer{a, b} {
		p.mu.Lock()
		tt := p.newTorrent([20]byte{7}, addedBucket, record{Dir: t.TempDir()})
		p.torrents[tt.ih] = tt
		p.mu.Unlock()
		tt.load()
	}
	told := [2]fakeChannel{{near, true, make(chan bool, 1)}, {far, false, make(chan bool, 1)}}
	go a.finders.channels.open(a, told[0])
	go b.finders.channels.open(b, told[1])
	for i, c := range told {
		select {
		case <-c.extended:
		case <-soon(t).Done():
			t.Fatalf("side %d is not told", i)
		}
	}
	if n := a.torrent([20]byte{7}).Stats().Peers.Browser; n != 1 {
		t.Errorf("%d peers over links, want 1", n)
	}
}
