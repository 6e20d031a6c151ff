package peer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	pp "github.com/anacrolix/torrent/peer_protocol"
)

// far is the other end of a shim's channel, and reads what it writes without end.
type far struct {
	net.Conn
	*shim
	got chan pp.Message
}

// beyond is a shim beyond its handshakes. Within a synctest bubble.
func beyond(t *testing.T, fast bool) far {
	t.Helper()
	p := &Peer{}
	near, other := net.Pipe()
	s, err := newShim(p, fakeChannel{Conn: near})
	if err != nil {
		t.Fatal(err)
	}
	f := far{other, s, make(chan pp.Message, 2000)}
	greeting := append([]byte(pp.Protocol), make([]byte, 48)...)
	if fast {
		greeting[27] = 4
	}
	go func() {
		_, _ = io.CopyN(io.Discard, other, handshakeLength)
		d := pp.Decoder{R: bufio.NewReader(other), MaxLength: 1 << 20}
		for {
			var m pp.Message
			if d.Decode(&m) != nil {
				return
			}
			f.got <- m
		}
	}()
	go func() { _, _ = other.Write(greeting) }()
	if _, err := io.ReadFull(s, make([]byte, handshakeLength)); err != nil {
		t.Fatal(err)
	}
	// The engine's, in parts.
	first := pp.Message{Type: pp.Extended, ExtendedPayload: []byte("d1:v1:xe")}.MustMarshalBinary()
	for _, b := range [][]byte{greeting[:30], append(slices.Clone(greeting[30:]), first...)} {
		if _, err := s.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if m := <-f.got; m.Type != pp.Extended {
		t.Fatalf("it begins with %v", m.Type)
	}
	return f
}

func message(kind pp.MessageType, b block) []byte {
	m := pp.Message{Type: kind, Index: pp.Integer(b.piece), Begin: pp.Integer(b.begin), Length: pp.Integer(b.length)}
	if kind == pp.Piece {
		m.Piece = bytes.Repeat([]byte{byte(pp.Request)}, int(b.length))
	}
	return m.MustMarshalBinary()
}

func blockIn(m pp.Message) block {
	return block{uint32(m.Index), uint32(m.Begin), uint32(m.Length)}
}

// writes as the engine does, all at once; what has arrived then.
func (f far) writes(t *testing.T, all ...[]byte) (got []pp.Message) {
	t.Helper()
	b := slices.Concat(all...)
	if n, err := f.shim.Write(b); n != len(b) || err != nil {
		t.Fatal(n, err)
	}
	return f.arrived()
}

func (f far) arrived() (got []pp.Message) {
	synctest.Wait()
	for {
		select {
		case m := <-f.got:
			got = append(got, m)
			continue
		default:
		}
		return got
	}
}

func requestsFor(first, n int) (b []byte) {
	for i := range n {
		b = append(b, message(pp.Request, blockNo(first+i))...)
	}
	return b
}

func kinds(all []pp.Message) (kinds []pp.MessageType) {
	for _, m := range all {
		kinds = append(kinds, m.Type)
	}
	return slices.Compact(kinds)
}

// The rest of what the engine asks for goes out as blocks come, and what else it says goes out at once.
func TestAskingHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := beyond(t, true)
		defer f.Conn.Close()
		defer f.end()
		interested := pp.Message{Type: pp.Interested}.MustMarshalBinary()
		have := pp.Message{Type: pp.Have, Index: 7}.MustMarshalBinary()
		got := f.writes(t, interested, requestsFor(0, 100), have)
		if want := []pp.MessageType{pp.Interested, pp.Have, pp.Request}; !slices.Equal(kinds(got), want) || len(got) != 2+slack/blockSize {
			t.Fatalf("%d messages, %v go out, want %v", len(got), kinds(got), want)
		}
		go func() { _, _ = io.Copy(io.Discard, f.shim) }()
		for i := range 100 {
			if _, err := f.Conn.Write(message(pp.Piece, blockNo(i))); err != nil {
				t.Fatal(err)
			}
			got = append(got, f.arrived()...)
		}
		if len(got) != 102 {
			t.Errorf("%d messages went out, want 102", len(got))
		}
		for i, m := range got[2:] {
			if blockIn(m) != blockNo(i) {
				t.Fatalf("request %d is for %v", i, blockIn(m))
			}
		}
	})
}

// Who does not answer each request (BEP 6) gets all of them at once.
func TestAskingWithoutFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := beyond(t, false)
		defer f.Conn.Close()
		defer f.end()
		if got := f.writes(t, requestsFor(0, 100)); len(got) != 100 {
			t.Errorf("%d of 100 requests go out", len(got))
		}
	})
}

// The engine waits until what it cancels is rejected: so a request that is held back goes out with its cancel.
func TestAskingCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := beyond(t, true)
		defer f.Conn.Close()
		defer f.end()
		f.writes(t, requestsFor(0, 100))
		for _, i := range []int{2, 99} {
			var want []pp.MessageType
			if i == 99 {
				want = append(want, pp.Request)
			}
			got := f.writes(t, message(pp.Cancel, blockNo(i)))
			if want = append(want, pp.Cancel); !slices.Equal(kinds(got), want) || blockIn(got[0]) != blockNo(i) {
				t.Errorf("cancel %d: %v go out, want %v", i, kinds(got), want)
			}
		}
		if len(f.asking.held) != 100-slack/blockSize-1 {
			t.Errorf("%d are held back", len(f.asking.held))
		}
		owed := f.asking.pace.owed
		b := message(pp.Reject, blockNo(99))
		go func() { _, _ = f.Conn.Write(b) }()
		if _, err := io.ReadFull(f.shim, make([]byte, len(b))); err != nil {
			t.Fatal(err)
		}
		if now := f.asking.pace.owed; now != owed-blockSize {
			t.Errorf("%d bytes are owed after the reject, before it %d", now, owed)
		}
	})
}

// Before all has come the engine hears that it could ask for more, between two messages, however it reads.
func TestAskingNudge(t *testing.T) {
	for _, size := range []int{1, 5, 1000, 1 << 17} {
		synctest.Test(t, func(t *testing.T) {
			f := beyond(t, true)
			defer f.Conn.Close()
			defer f.end()
			f.writes(t, requestsFor(0, 10))
			in := []byte{0, 0, 0, 0}
			for i := range 9 {
				in = append(append(in, message(pp.Piece, blockNo(i))...), 0, 0, 0, 0)
			}
			go func() { _, _ = f.Conn.Write(in) }()
			var all []byte
			for b := make([]byte, size); len(all) < len(in)+len(suggestion); {
				n, err := f.shim.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, b[:n]...)
			}
			d := pp.Decoder{R: bufio.NewReader(bytes.NewReader(all)), MaxLength: 1 << 20}
			pieces, nudges := 0, []int(nil)
			for {
				var m pp.Message
				if err := d.Decode(&m); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if m.Keepalive {
					continue
				}
				switch m.Type {
				case pp.Piece:
					pieces++
				case pp.Suggest:
					nudges = append(nudges, pieces)
				}
			}
			if pieces != 9 || len(nudges) != 1 || nudges[0] < 7 {
				t.Errorf("%d of 9 blocks came, and after %v of them it hears that it could ask", pieces, nudges)
			}
		})
	}
}

// A peer that rejects what it was not asked for yet, or sends it, is not asked for it any more, nor for that twice when the
// engine asks again.
func TestAskingAhead(t *testing.T) {
	for kind, want := range map[pp.MessageType]int{pp.Reject: 1, pp.Piece: 0} {
		t.Run(kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { askingAhead(t, kind, want) })
		})
	}
}

func askingAhead(t *testing.T, kind pp.MessageType, want int) {
	f := beyond(t, true)
	asked := f.writes(t, requestsFor(0, 100))
	ahead := blockNo(99)
	go func() { _, _ = io.Copy(io.Discard, f.shim) }()
	_, _ = f.Conn.Write(message(kind, ahead))
	synctest.Wait()
	if kind == pp.Reject {
		asked = append(asked, f.writes(t, requestsFor(99, 1))...)
	}
	n := 0
	for i := 0; i < len(asked); i++ {
		if blockIn(asked[i]) == ahead {
			n++
		}
		_, _ = f.Conn.Write(message(pp.Reject, blockIn(asked[i])))
		asked = append(asked, f.arrived()...)
	}
	if n != want {
		t.Errorf("it is asked for %d times, want %d", n, want)
	}
	_ = f.end()
	_ = f.Conn.Close()
}

// Requests leave a channel that is closed to the others of its link, and nothing goes on.
func TestAskingClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := beyond(t, true)
		f.writes(t, requestsFor(0, 100))
		_ = f.end()
		_ = f.end()
		if n := len(f.p.paces.all); n > 0 {
			t.Errorf("%d links are remembered", n)
		}
		if got := f.writes(t, requestsFor(100, 10)); len(got) > 0 {
			t.Errorf("%d messages go out", len(got))
		}
		_ = f.Conn.Close()
	})
}

// FuzzIncoming: where messages end does not depend on how they arrive.
func FuzzIncoming(f *testing.F) {
	f.Add(append(make([]byte, handshakeLength), 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 20, 7), uint8(3))
	f.Add(append(make([]byte, handshakeLength), append([]byte{255, 255, 255, 255}, make([]byte, 40)...)...), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		whole, parts := ends(b, len(b)), ends(b, int(step)+1)
		if !slices.Equal(whole, parts) {
			t.Errorf("messages end at %v, in parts at %v", whole, parts)
		}
		at := handshakeLength
		for _, end := range whole {
			if end != at {
				t.Fatalf("a message ends at %d, want %d", end, at)
			}
			if len(b)-at < 4 {
				break
			}
			at += 4 + int(binary.BigEndian.Uint32(b[at:]))
		}
	})
}

func ends(b []byte, step int) (all []int) {
	var i incoming
	for at := 0; at < len(b); {
		part := b[at:min(at+step, len(b))]
		for len(part) > 0 {
			n, done := i.next(part)
			part = part[n:]
			at += n
			if left := i.left(); done != (left == 0) || left < 0 {
				panic(left)
			}
			if done {
				i.greeted = true
				i.head = i.head[:0]
				all = append(all, at)
			}
		}
	}
	return all
}
