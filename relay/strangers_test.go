package relay_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/starling-p2p/starling/relay"
)

// raw sends datagrams that are not answered, then one that is, and returns the first answer that comes: answers to
// those before would have come first.
func (w *world) raw(unanswered [][]byte, question []byte) []byte {
	w.t.Helper()
	conn, err := net.Dial("udp4", w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, p := range append(unanswered, question) {
		if _, err := conn.Write(p); err != nil {
			w.t.Fatal(err)
		}
	}
	answer := make([]byte, 2048)
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := conn.Read(answer)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer[:n]
}

// What strangers send gets no answer, or a small one.
func TestStrangers(t *testing.T) {
	w := listen(t, options())
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	long := append([]byte(nil), binding.Raw...)
	long[3] = 4
	answered := stun.MustBuild(stun.TransactionID, stun.BindingSuccess)
	old := append([]byte(nil), binding.Raw...) // as RFC 3489 has it, without the cookie
	old[4]++
	answer := w.raw([][]byte{
		{}, {0}, {0x40}, []byte("GET / HTTP/1.1\r\n\r\n"), {0x40, 0, 0, 4, 1, 2, 3, 4}, make([]byte, 1500), long, answered.Raw, old,
	}, binding.Raw)
	got := &stun.Message{Raw: answer}
	if err := got.Decode(); err != nil || got.TransactionID != binding.TransactionID {
		t.Errorf("%x: %v", answer, err)
	}
	var mapped stun.XORMappedAddress
	if err := mapped.GetFrom(got); err != nil || mapped.IP.String() != "127.0.0.1" {
		t.Errorf("%v: %v", mapped, err)
	}
	if len(answer) > 40 {
		t.Errorf("%d bytes for %d", len(answer), len(binding.Raw))
	}
	if n := w.Stats().Refused.Malformed; n != 6 {
		t.Errorf("%d malformed", n)
	}

	allocate := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest),
		stun.RawAttribute{Type: stun.AttrRequestedTransport, Length: 4, Value: []byte{17, 0, 0, 0}})
	answer = w.raw(nil, allocate.Raw)
	var code stun.ErrorCodeAttribute
	got = &stun.Message{Raw: answer}
	if err := errors.Join(got.Decode(), code.GetFrom(got)); err != nil || code.Code != stun.CodeUnauthorized || len(answer) > 80 {
		t.Errorf("%d bytes, %v, %v", len(answer), code, err)
	}

	c := w.Credentials()
	stale := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest),
		stun.RawAttribute{Type: stun.AttrRequestedTransport, Length: 4, Value: []byte{17, 0, 0, 0}},
		stun.NewUsername(c.User), stun.NewRealm("starling"), stun.NewNonce("of my own"),
		stun.NewLongTermIntegrity(c.User, "starling", c.Password))
	answer = w.raw(nil, stale.Raw)
	got = &stun.Message{Raw: answer}
	if err := errors.Join(got.Decode(), code.GetFrom(got)); err != nil || code.Code != stun.CodeStaleNonce || len(answer) > 80 {
		t.Errorf("%d bytes, %v, %v", len(answer), code, err)
	}
}

// On TCP a length that cannot be ends the connection, and one that is too long is left out.
func TestStreams(t *testing.T) {
	w := listen(t, options())
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
	tooLong := append([]byte{0, 1, 0x40, 0}, binding[4:]...)
	tooLong = append(tooLong, make([]byte, 0x4000)...)
	for _, c := range []struct {
		name    string
		sent    []byte
		answers int
	}{
		{"whole", binding, 1},
		{"several at once", append(append([]byte(nil), binding...), binding...), 2},
		{"after small ChannelData", append([]byte{0x40, 0, 0, 1, 9, 0, 0, 0}, binding...), 1},
		{"after empty ChannelData", append([]byte{0x40, 0, 0, 0}, binding...), 1},
		{"after one that is too long", append(tooLong, binding...), 1},
		{"after ChannelData whose length wraps around", append(append([]byte{0x40, 0, 0xff, 0xff}, make([]byte, 0x10000)...), binding...), 1},
		{"a length that wraps around", append([]byte{0, 1, 0xff, 0xec}, binding[4:]...), 0},
		{"no cookie", append([]byte{0, 1, 0, 0, 1, 2, 3, 4}, binding[8:]...), 0},
		{"odd length", append([]byte{0, 1, 0, 1}, binding[4:]...), 0},
		{"neither", append([]byte{0x80}, binding...), 0},
	} {
		conn, err := net.Dial("tcp", w.at)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := conn.Write(c.sent); err != nil && c.answers > 0 {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		got, err := io.ReadAll(conn)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) || len(got) != 40*c.answers {
			t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
		}
		_ = conn.Close()
	}
	w.until("none left", func(s relay.Stats) bool { return s.Streams == 0 })
}

// Nobody has more connections than allowed, all together do not either, and one that ends makes room for just one.
func TestTooManyStreams(t *testing.T) {
	for _, c := range []struct{ all, each int }{{2, 10}, {10, 2}} {
		o := options()
		o.MaxAllocations, o.MaxPerAddress = c.all, c.each
		w := listen(t, o)
		dial := func() net.Conn {
			t.Helper()
			conn, err := net.Dial("tcp", w.at)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		}
		full := func(refused uint64) {
			t.Helper()
			conn := dial()
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			if n, err := conn.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%+v: one too many: %d bytes, %v", c, n, err)
			}
			w.until("refused", func(s relay.Stats) bool { return s.Refused.Quota == refused })
		}
		first, _ := dial(), dial()
		w.until("two", func(s relay.Stats) bool { return s.Streams == 2 })
		full(1)
		_ = first.Close()
		w.until("room", func(s relay.Stats) bool { return s.Streams == 1 })
		dial()
		w.until("two again", func(s relay.Stats) bool { return s.Streams == 2 })
		full(2)
	}
}

// Strangers who send without end are not heard any more, and those who have an allocation at the same address are.
func TestFloodOfStrangers(t *testing.T) {
	w := listen(t, options())
	one, two := w.allocate("udp"), w.allocate("tcp")
	_, _ = two.WriteTo([]byte("permit"), one.LocalAddr())
	carry(t, one, two, "before")
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw

	conn, err := net.Dial("tcp", w.at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const many = 5000
	go func() { _, _ = conn.Write(bytes.Repeat(binding, many)) }() // it ends midway
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if got, err := io.ReadAll(conn); len(got) >= 40*many || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes of answers, %v", len(got), err)
	}
	before := w.Stats().Refused.Flood
	if before == 0 {
		t.Error("a flood by TCP was heard to its end")
	}

	stranger, err := net.Dial("udp", w.at)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	w.until("a flood by UDP", func(s relay.Stats) bool {
		for range 500 {
			_, _ = stranger.Write(binding)
		}
		return s.Refused.Flood > before
	})
	carry(t, one, two, "after")
	carry(t, two, one, "and back")
}
