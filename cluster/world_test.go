package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/cluster"
	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// air is a bus of its own, with a delay. What one node's bus sends may be kept from some of the others.
type air struct {
	delay time.Duration

	mu   sync.Mutex
	subs map[string][]*subscription
	// cut says which nodes do not hear each other.
	cut func(from, to string) bool
	// seen gets all that is sent.
	seen func(from, subject string, data []byte)
}

type subscription struct {
	of    string
	f     func([]byte)
	queue chan packet
	done  chan struct{}
}

type packet struct {
	due  time.Time
	data []byte
}

// radio is one node's bus.
type radio struct {
	air  *air
	name string

	mu  sync.Mutex
	off bool
}

var errOff = errors.New("the radio is off")

func (r *radio) Connected() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.off
}

func (r *radio) turn(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.off = !on
}

func (r *radio) Publish(subject string, data []byte) error {
	if !r.Connected() {
		return errOff
	}
	a := r.air
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen != nil {
		a.seen(r.name, subject, data)
	}
	for _, s := range a.subs[subject] {
		if a.cut == nil || !a.cut(r.name, s.of) {
			s.queue <- packet{time.Now().Add(a.delay), slices.Clone(data)}
		}
	}
	return nil
}

func (r *radio) Subscribe(subject string, f func([]byte)) (func(), error) {
	a, s := r.air, &subscription{of: r.name, f: f, queue: make(chan packet, 100_000), done: make(chan struct{})}
	go func() {
		for {
			select {
			case p := <-s.queue:
				time.Sleep(time.Until(p.due))
				if r.Connected() {
					f(p.data)
				}
			case <-s.done:
				return
			}
		}
	}()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.subs == nil {
		a.subs = map[string][]*subscription{}
	}
	a.subs[subject] = append(a.subs[subject], s)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if i := slices.Index(a.subs[subject], s); i >= 0 {
			a.subs[subject] = slices.Delete(a.subs[subject], i, i+1)
			close(s.done)
		}
	}, nil
}

// interval is short, so that a test is too where it counts what is sent.
const interval = 30 * time.Second

// machine is one node, with all that a tracker has.
type machine struct {
	name   string
	node   *cluster.Node
	store  *tracker.Store[ws.Handle]
	socket *ws.Server
	radio  *radio
	log    *strings.Builder

	pipes *testnet.Pipes
	http  *http.Server
	stop  context.CancelFunc
}

// world is some machines, in a bubble with a clock of its own.
type world struct {
	*testing.T
	air      *air
	machines []*machine
	people   int
}

func inWorld(t *testing.T, machines int, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, air: &air{delay: 5 * time.Millisecond}}
		for range machines {
			w.add()
		}
		defer func() {
			for _, m := range w.machines {
				m.close()
			}
			w.pass(time.Second)
		}()
		w.pass(2 * time.Second)
		test(w)
	})
}

// add has one more machine join.
func (w *world) add() *machine { return w.addWith(cluster.Options{}) }

func (w *world) addWith(o cluster.Options) *machine {
	w.Helper()
	m := &machine{name: fmt.Sprint("machine ", len(w.machines)+1), pipes: testnet.NewPipes(), log: new(strings.Builder)}
	m.radio = &radio{air: w.air, name: m.name}
	o.Host, o.Log = m.name, slog.New(slog.NewTextHandler(m.log, nil))
	m.store = tracker.New[ws.Handle](tracker.Options{Expiry: 2 * interval, AddrExpiry: 2 * interval})
	m.node = cluster.New(m.store, m.radio, o)
	m.socket = ws.New(m.store, ws.Options{Cluster: m.node, Interval: interval})
	m.http = &http.Server{Handler: m.socket}
	if err := m.node.Start(m.socket); err != nil {
		w.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	go m.store.Run(ctx)
	go m.http.Serve(m.pipes)
	w.machines = append(w.machines, m)
	return m
}

// close ends a machine as SIGTERM does, which leaves it ten seconds.
func (m *machine) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = m.socket.Close(ctx)
	m.node.Close(ctx)
	m.stop()
	_ = m.http.Close()
}

// pass lets time go by, and all happen that is due.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// connect returns a socket to a machine, from an address of its own.
func (w *world) connect(to *machine) *testnet.Socket {
	w.Helper()
	w.people++
	return testnet.Connect(w, to.pipes.Dial(w, fmt.Sprintf("192.0.2.%d", w.people)))
}

// got takes what came within a moment.
func (w *world) got(s *testnet.Socket) []testnet.Message {
	w.Helper()
	w.pass(100 * time.Millisecond)
	return s.Messages()
}

func (w *world) one(s *testnet.Socket) testnet.Message {
	w.Helper()
	w.pass(100 * time.Millisecond)
	return s.One()
}

// wantCounts announces, and looks at what comes back.
func (w *world) wantCounts(s *testnet.Socket, message string, complete, incomplete int) {
	w.Helper()
	s.Send(message)
	m := w.one(s)
	if fmt.Sprint(m["complete"], m["incomplete"]) != fmt.Sprint(complete, incomplete) {
		w.Fatalf("%.120s: got %v, want %d complete and %d incomplete", message, m, complete, incomplete)
	}
}

// owner is the machine that keeps a swarm; nil where none or several do.
func (w *world) owner(hash string) (of *machine) {
	for _, m := range w.machines {
		if m.store.Counts(tracker.InfoHash([]byte(hash))) != (tracker.Counts{}) {
			if of != nil {
				return nil
			}
			of = m
		}
	}
	return of
}

// many swarms are so many that each of three machines owns some: nodes draw their numbers at random, and with 12 swarms
// one machine is without any in one run of 40, with 60 in one of 10^10.
const many = 60

func hashes(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%02d-swarm-swarm-swarm", i)
	}
	return all
}
