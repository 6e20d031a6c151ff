package natsbus_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starling-p2p/starling/cluster/natsbus"
	"github.com/starling-p2p/starling/internal/testnet"
)

const secret = "0123456789abcdef0123456789abcdef"

func embed(t *testing.T, e natsbus.Embedded) *natsbus.Bus {
	t.Helper()
	e.Listen, e.Name = "127.0.0.1:0", "test"
	b, err := natsbus.Embed(e, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func subscribe(t *testing.T, b *natsbus.Bus, subject string) <-chan string {
	t.Helper()
	got := make(chan string, 1000)
	if _, err := b.Subscribe(subject, func(data []byte) { got <- string(data) }); err != nil {
		t.Fatal(err)
	}
	return got
}

// arrives publishes until somebody has heard: routes take a moment.
func arrives(t *testing.T, from *natsbus.Bus, got <-chan string, what string) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for late := time.After(20 * time.Second); ; {
		if err := from.Publish("subject", []byte(what)); err != nil {
			t.Fatal(err)
		}
		select {
		case s := <-got:
			if s != what {
				t.Fatalf("got %q", s)
			}
			return
		case <-again.C:
		case <-late:
			t.Fatal("nothing came")
		}
	}
}

func TestWithoutALog(t *testing.T) {
	embedded, err := natsbus.Embed(natsbus.Embedded{Listen: "127.0.0.1:0", Name: "test"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer embedded.Close()
	got := subscribe(t, embedded, "subject")
	arrives(t, embedded, got, "from itself")
	dialled, err := natsbus.Dial("nats://127.0.0.1:1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	dialled.Close()
}

// Of three servers each knows one other at most; all hear one another.
func TestServersFindOneAnother(t *testing.T) {
	a := embed(t, natsbus.Embedded{Secret: secret})
	b := embed(t, natsbus.Embedded{Secret: secret, Peers: []string{a.Addr()}})
	c := embed(t, natsbus.Embedded{Secret: secret, Peers: []string{a.Addr()}})
	atB, atC := subscribe(t, b, "subject"), subscribe(t, c, "subject")
	arrives(t, b, atC, "from b to c")
	arrives(t, c, atB, "from b to c") // the rest of what b said, to itself
}

// gate is where others are told that a server is: they reach it as long as the gate is open.
type gate struct {
	at, to string

	mu    sync.Mutex
	l     net.Listener
	conns []net.Conn
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{at: "127.0.0.1:0"}
	g.open(t)
	t.Cleanup(g.shut)
	return g
}

func (g *gate) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", g.at)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.l, g.at = l, l.Addr().String()
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			g.mu.Lock()
			far, err := net.Dial("tcp", g.to)
			if err != nil || g.l != l {
				_ = near.Close()
			}
			if err == nil {
				g.conns = append(g.conns, near, far)
				go pass(near, far)
				go pass(far, near)
			}
			g.mu.Unlock()
		}
	}()
}

func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.l != nil {
		_ = g.l.Close()
	}
	g.l = nil
	for _, c := range g.conns {
		_ = c.Close()
	}
	g.conns = nil
}

// Two servers that know of one another by a third alone are together again when the network between them is whole again.
func TestServersFindOneAnotherAgain(t *testing.T) {
	a := embed(t, natsbus.Embedded{Secret: secret})
	var both [2]*natsbus.Bus
	var gates [2]*gate
	for i := range both {
		gates[i] = newGate(t)
		both[i] = embed(t, natsbus.Embedded{Secret: secret, Peers: []string{a.Addr()}, Advertise: gates[i].at})
		gates[i].mu.Lock()
		gates[i].to = both[i].Addr()
		gates[i].mu.Unlock()
	}
	b, c := both[0], both[1]
	arrives(t, b, subscribe(t, c, "subject"), "before")
	testnet.Until(t, "all are connected", func() bool { return a.Routes() > 0 && b.Routes() == a.Routes() && c.Routes() == a.Routes() })
	each := uint64(a.Routes() / 2)
	before := b.Errors() + c.Errors()
	for _, g := range gates {
		g.shut()
	}
	testnet.Until(t, "each connection was tried anew, in vain", func() bool { return b.Errors()+c.Errors() >= before+each })
	for _, g := range gates {
		g.open(t)
	}
	arrives(t, b, subscribe(t, c, "subject"), "after")
}

func TestOutsidersAreRefused(t *testing.T) {
	a := embed(t, natsbus.Embedded{Secret: secret})
	inside := subscribe(t, a, ">")
	for _, outsider := range []natsbus.Embedded{
		{Peers: []string{a.Addr()}},
		{Peers: []string{a.Addr()}, Secret: strings.ToUpper(secret)},
	} {
		before := a.Errors()
		b := embed(t, outsider)
		outside := subscribe(t, b, ">")
		// It tries, and is refused.
		testnet.Until(t, "somebody is refused", func() bool { return a.Errors() > before })
		if err := b.Publish("subject", []byte("let me in")); err != nil {
			t.Fatal(err)
		}
		if err := a.Publish("subject", []byte("among us")); err != nil {
			t.Fatal(err)
		}
		if got := <-inside; got != "among us" {
			t.Errorf("inside: %q", got)
		}
		if got := <-outside; got != "let me in" {
			t.Errorf("outside: %q", got)
		}
	}
	// A client is none of us either.
	conn, err := net.Dial("tcp", a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	for line := make([]byte, 1); ; { // what the server says of itself
		if _, err := conn.Read(line); err != nil || line[0] == '\n' {
			break
		}
	}
	stranger := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	_ = stranger.Handshake() // of TLS 1.3: the server's part succeeds
	if _, err := io.WriteString(stranger, "CONNECT {}\r\nSUB > 1\r\nPING\r\n"); err == nil {
		if n, err := stranger.Read(make([]byte, 100)); err == nil {
			t.Errorf("a stranger got %d bytes", n)
		}
	}
}

func TestWhatIsWrong(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	a := embed(t, natsbus.Embedded{})
	for _, c := range []struct {
		e    natsbus.Embedded
		want string
	}{
		{natsbus.Embedded{Listen: "nowhere"}, "is not HOST:PORT"},
		{natsbus.Embedded{Listen: "127.0.0.1:0", Peers: []string{"x"}}, "is not HOST:PORT"},
		{natsbus.Embedded{Listen: "127.0.0.1:0", Secret: "short"}, "too short"},
		{natsbus.Embedded{Listen: a.Addr()}, "address already in use"},
	} {
		if b, err := natsbus.Embed(c.e, log); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.e, err, c.want)
			if b != nil {
				b.Close()
			}
		}
	}
	for _, open := range []string{":0", "0.0.0.0:0", "192.0.2.1:6222", "tracker.example.org:6222"} {
		if _, err := natsbus.Embed(natsbus.Embedded{Listen: open}, log); !errors.Is(err, natsbus.ErrNoSecret) {
			t.Errorf("%s without a secret: %v", open, err)
		}
	}
	if _, err := natsbus.Dial("nats://127.0.0.1:1", "/there/is/none", log); err == nil {
		t.Error("credentials that are not there were taken")
	}
}

// A bus that is not there yet does not keep a node from starting, and is missed.
func TestDialLater(t *testing.T) {
	log, said := io.Pipe()
	defer func() { _ = log.Close() }()
	b, err := natsbus.Dial("nats://127.0.0.1:1", "", slog.New(slog.NewTextHandler(said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Connected() {
		t.Error("connected to nobody")
	}
	if err := b.Publish("subject", []byte("x")); err == nil {
		t.Error("something was sent to nobody")
	}
	subscribe(t, b, "subject")
	line, err := bufio.NewReader(log).ReadString('\n')
	if err != nil || !strings.Contains(line, "the bus is not connected: ") {
		t.Errorf("the log has %q, %v", line, err)
	}
}
