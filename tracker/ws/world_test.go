package ws_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

const interval = 120 * time.Second

// world is a tracker on a network of pipes, inside a bubble with a clock of its own: synctest.Wait returns when all
// that follows from what was sent has happened.
type world struct {
	*testing.T
	pipes   *testnet.Pipes
	store   *tracker.Store[ws.Handle]
	tracker *ws.Server
}

func inWorld(t *testing.T, o ws.Options, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, pipes: testnet.NewPipes(), store: tracker.New[ws.Handle](tracker.Options{Expiry: 2 * interval})}
		w.tracker = ws.New(w.store, o)
		server := &http.Server{Handler: w.tracker, ReadHeaderTimeout: 10 * time.Second}
		ctx, stop := context.WithCancel(t.Context())
		go w.store.Run(ctx)
		go server.Serve(w.pipes)
		defer func() {
			stop()
			if err := w.tracker.Close(context.Background()); err != nil {
				t.Error(err)
			}
			_ = server.Close()
			if n := w.tracker.Stats().Sockets; n != 0 {
				t.Errorf("%d sockets are left", n)
			}
			if s := w.store.Stats(); s.Peers != 0 || s.Swarms != 0 {
				t.Errorf("left in the store: %+v", s)
			}
		}()
		test(w)
	})
}

// connect returns a socket from an address of its own.
func (w *world) connect() *testnet.Socket {
	w.Helper()
	return w.from(fmt.Sprintf("192.0.2.%d", w.tracker.Stats().Sockets+1))
}

func (w *world) from(address string) *testnet.Socket {
	w.Helper()
	return testnet.Connect(w, w.pipes.Dial(w, address))
}

// got waits until everything has happened, and takes what came.
func (w *world) got(s *testnet.Socket) []testnet.Message {
	w.Helper()
	synctest.Wait()
	return s.Messages()
}

// one takes the only message that came.
func (w *world) one(s *testnet.Socket) testnet.Message {
	w.Helper()
	synctest.Wait()
	return s.One()
}

func (w *world) nothing(sockets ...*testnet.Socket) {
	w.Helper()
	for _, s := range sockets {
		if got := w.got(s); len(got) > 0 {
			w.Fatalf("got %v, want nothing", got)
		}
	}
}

// counts announces and returns what the reply says.
func (w *world) counts(s *testnet.Socket, message string) (complete, incomplete int) {
	w.Helper()
	s.Send(message)
	m := w.one(s)
	if m["failure reason"] != nil {
		w.Fatalf("failure: %v", m["failure reason"])
	}
	return int(m["complete"].(float64)), int(m["incomplete"].(float64))
}

func (w *world) wantCounts(s *testnet.Socket, message string, complete, incomplete int) {
	w.Helper()
	if c, i := w.counts(s, message); c != complete || i != incomplete {
		w.Fatalf("%s: %d complete and %d incomplete, want %d and %d", message, c, i, complete, incomplete)
	}
}

func (w *world) wantFailure(s *testnet.Socket, message, action, hash, reason string) {
	w.Helper()
	s.Send(message)
	m := w.one(s)
	if m["action"] != action || m["info_hash"] != hash || !strings.Contains(fmt.Sprint(m["failure reason"]), reason) {
		w.Fatalf("%.100s: got %v, want a failure of %s for %q: %s", message, m, action, hash, reason)
	}
}

func of(kind string, all []testnet.Message) (some []testnet.Message) {
	for _, m := range all {
		if m[kind] != nil {
			some = append(some, m)
		}
	}
	return some
}

const zeros = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

var hash = testnet.ID('h')

// announce is a message of the peer with this letter, with more members at the end.
func announce(peer byte, more ...string) string { return testnet.Announce(hash, peer, more...) }

func answer(peer, to, offer byte) string { return testnet.Answer(hash, peer, to, offer) }
