package testnet

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Opcodes of RFC 6455.
const (
	Continuation = 0x0
	Text         = 0x1
	Binary       = 0x2
	CloseFrame   = 0x8
	Ping         = 0x9
	Pong         = 0xa
)

// Frame is one WebSocket frame as it came.
type Frame struct {
	Opcode  byte
	Payload []byte
}

// Message is a JSON object as it came.
type Message map[string]any

// Socket is the client's end of a WebSocket, made by hand so that tests can see and send anything. It answers pings
// unless it is Mute, and keeps what it receives until it is taken.
type Socket struct {
	t        testing.TB
	conn     net.Conn
	Response *http.Response

	mu      sync.Mutex
	came    *sync.Cond
	mute    bool
	discard bool
	held    chan struct{}
	frames  []Frame
	code    uint16
	ended   bool
}

// Connect does the handshake; extra are lines for its header. Without a WebSocket at the end of it, only Response and
// Close are of use.
func Connect(t testing.TB, conn net.Conn, extra ...string) *Socket {
	t.Helper()
	s := &Socket{t: t, conn: conn}
	s.came = sync.NewCond(&s.mu)
	t.Cleanup(s.Close)
	request := "GET /announce HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	for _, line := range extra {
		request += line + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Response = response
	if response.StatusCode == http.StatusSwitchingProtocols {
		go s.read(r)
	}
	return s
}

func (s *Socket) read(r *bufio.Reader) {
	for {
		s.mu.Lock()
		held := s.held
		s.mu.Unlock()
		if held != nil {
			<-held
			continue
		}
		f, err := readFrame(r)
		s.mu.Lock()
		switch {
		case err != nil:
			s.ended = true
		case s.code != 0:
			s.t.Errorf("a frame came after the close frame: opcode %d, %q", f.Opcode, f.Payload)
		case f.Opcode == CloseFrame && len(f.Payload) >= 2:
			s.code = binary.BigEndian.Uint16(f.Payload)
		case !s.discard:
			s.frames = append(s.frames, f)
		}
		answer := err == nil && f.Opcode == Ping && !s.mute
		s.came.Broadcast()
		s.mu.Unlock()
		if err != nil {
			return
		}
		if answer {
			s.Frame(true, Pong, f.Payload)
		}
	}
}

func readFrame(r *bufio.Reader) (f Frame, err error) {
	var head [10]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return f, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		return f, fmt.Errorf("a server's frame begins with % x", head[:2])
	}
	n, least := uint64(head[1]), uint64(0)
	switch n {
	case 126:
		_, err = io.ReadFull(r, head[2:4])
		n, least = uint64(binary.BigEndian.Uint16(head[2:])), 126
	case 127:
		_, err = io.ReadFull(r, head[2:10])
		n, least = binary.BigEndian.Uint64(head[2:]), 1<<16
	}
	if err != nil {
		return f, err
	}
	if n < least {
		return f, fmt.Errorf("a length that would fit into less: %d", n)
	}
	f = Frame{head[0] & 0xf, make([]byte, n)}
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

// Header returns the header of a client's frame, with a mask of zeros, so that payloads go as they are.
func Header(fin bool, opcode byte, length uint64) []byte {
	if fin {
		opcode |= 0x80
	}
	b := []byte{opcode}
	switch {
	case length <= 125:
		b = append(b, 0x80|byte(length))
	case length <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), length)
	}
	return append(b, 0, 0, 0, 0)
}

// Raw writes bytes; the other end may be gone.
func (s *Socket) Raw(b []byte) { _, _ = s.conn.Write(b) }

// Frame sends one frame.
func (s *Socket) Frame(fin bool, opcode byte, payload []byte) {
	s.Raw(append(Header(fin, opcode, uint64(len(payload))), payload...))
}

// Send sends one text message.
func (s *Socket) Send(message string) { s.Frame(true, Text, []byte(message)) }

// Hold stops reading until Release.
func (s *Socket) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = make(chan struct{})
}

// Release reads on.
func (s *Socket) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		close(s.held)
		s.held = nil
	}
}

// Mute answers no more pings.
func (s *Socket) Mute() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = true
}

// Discard keeps nothing that comes from now on.
func (s *Socket) Discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.discard = true
}

// Frames takes what has come so far.
func (s *Socket) Frames() []Frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.frames
	s.frames = nil
	return f
}

// Messages takes the JSON objects that have come so far.
func (s *Socket) Messages() (all []Message) {
	s.t.Helper()
	for _, f := range s.Frames() {
		if f.Opcode == Text {
			all = append(all, s.decode(f))
		}
	}
	return all
}

// One takes the only JSON object that has come so far. It ends the test where there are none, or several.
func (s *Socket) One() Message {
	s.t.Helper()
	all := s.Messages()
	if len(all) != 1 {
		s.t.Fatalf("got %d messages %v, want one", len(all), all)
	}
	return all[0]
}

// Next waits for the next JSON object; nil when the socket ends before.
func (s *Socket) Next() Message {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.frames) > 0 {
			f := s.frames[0]
			s.frames = s.frames[1:]
			if f.Opcode == Text {
				return s.decode(f)
			}
		}
		if s.ended {
			return nil
		}
		s.came.Wait()
	}
}

func (s *Socket) decode(f Frame) (m Message) {
	s.t.Helper()
	if err := json.Unmarshal(f.Payload, &m); err != nil {
		s.t.Errorf("the server sent %q: %v", f.Payload, err)
	}
	return m
}

// Ended says whether the server has closed the connection, and with which code, 0 if it gave none.
func (s *Socket) Ended() (code uint16, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code, s.ended
}

// WaitEnd waits until the server has closed the connection.
func (s *Socket) WaitEnd() (code uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended {
		s.came.Wait()
	}
	return s.code
}

// Close cuts the connection off.
func (s *Socket) Close() {
	s.Release()
	_ = s.conn.Close()
}
