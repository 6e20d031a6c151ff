package ws_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// The other tests have pipes for connections, and a clock of their own. These have real ones, which an event loop
// carries on Linux.

// system is a tracker on TCP.
type system struct {
	*testing.T
	address string
	store   *tracker.Store[ws.Handle]
	tracker *ws.Server
}

func onTCP(t *testing.T, o ws.Options) *system {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &system{T: t, address: listener.Addr().String(), store: tracker.New[ws.Handle](tracker.Options{Expiry: time.Hour})}
	s.tracker = ws.New(s.store, o)
	server := &http.Server{Handler: s.tracker}
	go server.Serve(listener)
	t.Cleanup(func() {
		_ = server.Close()
		_ = s.tracker.Close(context.Background()) // a test may have done so
		if n := s.tracker.Stats().Sockets; n != 0 {
			t.Errorf("%d sockets are left", n)
		}
		if n := s.store.Stats(); n.Peers != 0 || n.Swarms != 0 {
			t.Errorf("left in the store: %+v", n)
		}
	})
	return s
}

func (s *system) connect() *testnet.Socket {
	s.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.Fatal(err)
	}
	return testnet.Connect(s, conn)
}

// incomplete waits for a reply, and returns what it says of leechers. Offers of others may come before it.
func (s *system) incomplete(k *testnet.Socket) int {
	s.Helper()
	for {
		m := k.Next()
		if n, ok := m["incomplete"].(float64); ok {
			return int(n)
		}
		if _, ok := m["offer"]; !ok {
			s.Errorf("no reply but %v", m)
			return 0
		}
	}
}

func frame(opcode byte, payload string) string {
	return string(testnet.Header(true, opcode, uint64(len(payload)))) + payload
}

func TestTCP(t *testing.T) {
	scrape := func(hashes int) string {
		list := make([]string, hashes)
		for i := range list {
			list[i] = fmt.Sprintf(`"%020d"`, i)
		}
		return `{"action":"scrape","info_hash":[` + strings.Join(list, ",") + `]}`
	}
	for _, c := range []struct {
		name string
		test func(s *system)
	}{
		{"byte by byte", func(s *system) {
			a := s.connect()
			for _, b := range []byte(frame(testnet.Text, announce('a'))) {
				a.Raw([]byte{b})
			}
			s.incomplete(a)
		}},
		{"many messages at once, answered in their order", func(s *system) {
			a := s.connect()
			var all strings.Builder
			const n = 2_000
			for i := range n {
				all.WriteString(frame(testnet.Text, fmt.Sprintf(`{"action":"scrape","info_hash":"%020d"}`, i)))
			}
			go a.Raw([]byte(all.String()))
			for i := range n {
				if files, _ := a.Next()["files"].(map[string]any); files[fmt.Sprintf("%020d", i)] == nil {
					s.Fatalf("answer %d is %v", i, files)
				}
			}
		}},
		{"the longest message", func(s *system) {
			a := s.connect()
			short := announce('a', `"x":""`)
			go a.Send(strings.Replace(short, `"x":""`, `"x":"`+strings.Repeat("x", 128<<10-len(short))+`"`, 1))
			s.incomplete(a)
		}},
		{"an offer and an answer", func(s *system) {
			a, b := s.connect(), s.connect()
			b.Send(announce('b'))
			s.incomplete(b)
			a.Send(announce('a', testnet.Offers(1)))
			s.incomplete(a)
			if b.Next()["offer"] == nil {
				s.Fatal("no offer came")
			}
			b.Send(answer('b', 'a', 'A'))
			if a.Next()["answer"] == nil {
				s.Fatal("no answer came")
			}
		}},
		{"goodbyes", func(s *system) {
			for _, c := range []struct {
				raw  string
				code uint16
			}{
				{frame(testnet.CloseFrame, "\x03\xe8"), 1000},
				{frame(testnet.Ping, "?") + frame(testnet.CloseFrame, "\x03\xe9bye") + "more", 1001},
				{frame(testnet.CloseFrame, ""), 0},
				{frame(testnet.CloseFrame, "x"), 1002},
				{"\x81\x05hello" + strings.Repeat("more", 1_000), 1002},
				{frame(testnet.Text, "{") + frame(testnet.Text, "{") + frame(testnet.Text, "{") + frame(testnet.Text, announce('a')), 1008},
				{string(testnet.Header(true, testnet.Text, 128<<10+1)), 1009},
				{string(testnet.Header(true, testnet.Text, 1<<63)), 1009},
			} {
				a := s.connect()
				a.Raw([]byte(c.raw))
				if code := a.WaitEnd(); code != c.code {
					s.Errorf("% .20x: ended with %d, want %d", c.raw, code, c.code)
				}
			}
		}},
		{"one that takes nothing is not read, and loses nothing", func(s *system) {
			slow, other := s.connect(), s.connect()
			slow.Hold()
			request := []byte(frame(testnet.Text, scrape(255)))
			const n = 2_000 // 38 MB of answers, more than a kernel keeps for one connection
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range n {
					slow.Raw(request)
				}
			}()
			testnet.Until(s, "its messages are handled", func() bool { return s.tracker.Stats().Messages > 50 })
			for range 100 {
				other.Send(announce('o'))
				s.incomplete(other)
			}
			if got := s.tracker.Stats().Messages; got >= n {
				s.Errorf("%d messages of one that takes no answers were handled", got)
			}
			slow.Release()
			for range n {
				if files, _ := slow.Next()["files"].(map[string]any); len(files) != 255 {
					s.Fatalf("an answer with %d files", len(files))
				}
			}
			<-sent
		}},
		{"one that takes nothing for a while, and asks no more by then", func(s *system) {
			slow, other := s.connect(), s.connect()
			slow.Hold()
			some := []byte(strings.Repeat(frame(testnet.Text, scrape(255)), 10)) // in one read, mostly
			sent, turns := uint64(0), uint64(0)
			for patience := 1; patience > 0; {
				slow.Raw(some)
				sent += 10
				for patience = 1_000; patience > 0 && s.tracker.Stats().Messages < sent+turns; patience-- {
					other.Send(announce('o'))
					s.incomplete(other)
					turns++
				}
			}
			slow.Release()
			for range sent {
				if files, _ := slow.Next()["files"].(map[string]any); len(files) != 255 {
					s.Fatalf("an answer with %d files", len(files))
				}
			}
		}},
		{"one that never stops does not hold up others", func(s *system) {
			flood, other := s.connect(), s.connect()
			flood.Discard()
			messages := []byte(strings.Repeat(frame(testnet.Text, announce('f')), 1_000))
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					default:
						flood.Raw(messages)
					}
				}
			}()
			testnet.Until(s, "it has begun", func() bool { return s.tracker.Stats().Messages > 10_000 })
			for range 100 {
				other.Send(announce('o'))
				s.incomplete(other)
			}
			close(stop)
			flood.Close()
			<-stopped
		}},
		{"descriptors that come and go", func(s *system) {
			stay := s.connect()
			stay.Send(announce('s'))
			s.incomplete(stay)
			var wg sync.WaitGroup
			for g := range 8 {
				wg.Go(func() {
					for i := range 50 {
						a := s.connect()
						a.Send(announce(byte('A'+g), testnet.Offers(2)))
						if i%2 == 0 {
							s.incomplete(a)
						}
						a.Close()
					}
				})
			}
			wg.Wait()
			testnet.Until(s, "all have gone", func() bool { return s.tracker.Stats().Sockets == 1 && s.store.Stats().Peers == 1 })
			if code, ended := stay.Ended(); ended {
				s.Errorf("a bystander was closed with %d", code)
			}
		}},
		{"half of a connection", func(s *system) {
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				s.Fatal(err)
			}
			a := testnet.Connect(s, conn)
			a.Send(announce('a'))
			s.incomplete(a)
			_ = conn.(*net.TCPConn).CloseWrite()
			a.WaitEnd()
		}},
		{"half of a connection, right behind what it says", func(s *system) {
			for range 20 { // both are there when it is looked at, mostly
				conn, err := net.Dial("tcp", s.address)
				if err != nil {
					s.Fatal(err)
				}
				a := testnet.Connect(s, conn)
				a.Send(announce('a'))
				_ = conn.(*net.TCPConn).CloseWrite()
				a.WaitEnd()
			}
		}},
		{"close", func(s *system) {
			var all []*testnet.Socket
			for range 50 {
				all = append(all, s.connect())
			}
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				s.Fatal(err)
			}
			_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10) // else the kernel may take all that is queued in the end
			stuck, fast := testnet.Connect(s, conn), s.connect()
			stuck.Send(announce('s'))
			s.incomplete(stuck)
			stuck.Hold()
			long := announce('f', `"offers":[{"offer":{"sdp":"`+strings.Repeat("x", 100_000)+`"},"offer_id":"i"}]`)
			for s.tracker.Stats().Dropped == 0 {
				fast.Send(long)
				s.incomplete(fast)
			}
			ctx, cancel := context.WithCancel(context.Background())
			closed := make(chan error, 1)
			go func() { closed <- s.tracker.Close(ctx) }()
			for _, k := range all {
				if code := k.WaitEnd(); code != 1001 {
					s.Errorf("ended with %d, want 1001", code)
				}
			}
			cancel()
			if err := <-closed; err != context.Canceled {
				s.Errorf("got %v: one socket had to be cut off", err)
			}
			if code := s.connect().WaitEnd(); code != 1001 {
				s.Errorf("a late one ended with %d, want 1001", code)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(onTCP(t, ws.Options{})) })
	}
}

// What one address may send is bounded for all its sockets together, and nothing of it is lost.
func TestMessagesPerAddress(t *testing.T) {
	const atOnce, perSecond, sockets = 20_000, 2_000, 4
	const each = (atOnce + 2*perSecond) / sockets
	address := netip.MustParseAddr("192.0.2.1")
	s := onTCP(t, ws.Options{Address: func(*http.Request) netip.Addr { return address }})
	message := fmt.Sprintf(`{"action":"scrape","info_hash":%q}`, hash)
	began := time.Now()
	var all []*testnet.Socket
	for range sockets {
		k := s.connect()
		all = append(all, k)
		go k.Raw([]byte(strings.Repeat(frame(testnet.Text, message), each)))
	}
	for _, k := range all {
		for range each {
			if k.Next() == nil {
				t.Fatal("an answer is missing")
			}
		}
	}
	// Two seconds' worth more than at once: the last of them has to wait for a second to pass, at least.
	if d := time.Since(began); d < time.Second {
		t.Errorf("all were handled within %s", d)
	}
}
