package ws

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/starling-p2p/starling/tracker"
)

func TestUnmask(t *testing.T) {
	key := [4]byte{0x12, 0x34, 0x56, 0x78}
	for n := range 200 {
		plain, masked := make([]byte, n), make([]byte, n)
		for i := range plain {
			plain[i] = byte(i * 7)
			masked[i] = plain[i] ^ key[i%4]
		}
		unmask(masked, 0x78563412)
		if !bytes.Equal(masked, plain) {
			t.Fatalf("%d bytes: % x", n, masked)
		}
	}
}

func TestFarewell(t *testing.T) {
	for payload, want := range map[string]uint16{
		"": 0, "\x03": protocol, "\x03\xe8": 1000, "\x03\xe9bye": 1001, "\x03\xe8\xff": notUTF8, "\x0b\xb8": 3000, "\x13\x87": 4999,
		"\x00\x00": protocol, "\x03\xe7": protocol, "\x03\xec": protocol, "\x03\xed": protocol, "\x03\xee": protocol, "\x03\xf6": protocol, "\x0b\xb7": protocol, "\x13\x88": protocol,
	} {
		if got := farewell([]byte(payload)); got != want {
			t.Errorf("% x: %d, want %d", payload, got, want)
		}
	}
}

// Whoever comes from ever other addresses is not remembered for ever.
func TestAddressesAreForgotten(t *testing.T) {
	var all addresses
	var came []*source
	for _, a := range []string{"192.0.2.1", "2001:db8::1"} {
		for range 2 {
			from, _ := all.enter(netip.MustParseAddr(a), 2)
			came = append(came, from)
		}
	}
	for _, from := range came {
		if all.sweep(0); all.all[from.prefix] == nil {
			t.Errorf("%s is forgotten while it has sockets", from.prefix)
		}
		from.admit(1)
		all.leave(from)
	}
	if all.sweep(1); len(all.all) != 2 {
		t.Error("what they have sent is forgotten at once")
	}
	if all.sweep(2); len(all.all)+len(all.left) > 0 {
		t.Errorf("%v is remembered, and left %v", all.all, all.left)
	}
}

// keeper is a carrier that keeps all.
type keeper struct{}

func (keeper) flush(*socket) {}
func (keeper) cut(*socket)   {}

// FuzzFrames: whatever a client sends, and however the network cuts it into pieces, the answers are the same, and what
// is kept of it is bounded.
func FuzzFrames(f *testing.F) {
	message := func(opcode byte, fin bool, payload string) string {
		b := appendFrame(nil, opcode, len(payload))
		if b[1] |= 0x80; !fin {
			b[0] &^= final
		}
		b = append(append(b, "mask"...), payload...)
		unmask(b[len(b)-len(payload):], 'm'|'a'<<8|'s'<<16|'k'<<24)
		return string(b)
	}
	scrape := `{"action":"scrape","info_hash":"aaaaaaaaaaaaaaaaaaaa"}`
	f.Add([]byte(message(opText, true, scrape)+message(opBinary, true, scrape)), []byte{1})
	f.Add([]byte(message(opText, false, scrape[:9])+message(opPing, true, "between")+message(opContinuation, true, scrape[9:])), []byte{3, 50})
	f.Add([]byte(message(opText, true, scrape)+message(opClose, true, "\x03\xe8bye")+"more"), []byte{200})
	f.Add([]byte(message(opPong, true, "")+message(opText, true, "")+message(opContinuation, true, "")), []byte{7})
	f.Add([]byte("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"), []byte{2})
	f.Add([]byte("\x81\xfe\x00\x7emask"), []byte{5, 1, 1})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		s := New(tracker.New[Handle](tracker.Options{Expiry: time.Hour}), Options{Interval: 1})
		defer s.Close(context.Background())
		fresh := func() *socket {
			k := &socket{server: s, address: netip.IPv6Loopback()}
			k.out.by = keeper{}
			s.table.add(k)
			return k
		}
		take := func(k *socket, data []byte) held {
			why := k.take(data, 1)
			if cap(k.in.rest) > max(smallBuffer, 2*(maxMessage+14)) || len(k.in.parts) > maxMessage {
				t.Fatalf("%d and %d bytes are kept", cap(k.in.rest), len(k.in.parts))
			}
			return why
		}
		whole, parts := fresh(), fresh()
		why := take(whole, bytes.Clone(stream))
		r := bytes.NewReader(stream)
		got := free
		for i := 0; r.Len() > 0 && got == free; i++ {
			n := 1
			if len(cuts) > 0 {
				n += int(cuts[i%len(cuts)])
			}
			piece := make([]byte, n)
			n, _ = io.ReadFull(r, piece)
			got = take(parts, piece[:n])
			clear(piece)
		}
		if got != why || !bytes.Equal(parts.out.pending, whole.out.pending) || parts.out.state != whole.out.state {
			t.Errorf("in pieces %d: %q\nat once   %d: %q", got, parts.out.pending, why, whole.out.pending)
		}
	})
}
