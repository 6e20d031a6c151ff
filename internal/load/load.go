// Package load measures a tracker from outside: it acts as many peers at once, and says how fast, how reliably and at
// what price the tracker served them. It works against any tracker of WebTorrent, and of BitTorrent by HTTP and UDP.
//
//	join     each peer connects and announces once, without offers; memory is read when all is quiet: idle
//	load     announces at a fixed rate, each by a peer chosen at random; memory is read again at the end: busy
//	drain    what is still on its way may arrive
//
// The load is open-loop: announce i is due at i/rate, whether or not the tracker has kept up, and its latency counts
// from then. A tracker that stalls for a second is charged with every announce of that second, not with one.
//
//	peer A ─ announce, offers ─► tracker ─ reply ──► A            announce: due → reply
//	                                └───── offer ──► B, C, …      each answers at once
//	A ◄─ answer ──────────────── tracker ◄─ answer ─ B, C, …      offer → answer: due → answer
//
// An offer_id is the time at which its announce was due, so nothing is looked up when an answer comes (message.go).
// Peers are dealt to one hot swarm and a long tail of small ones (swarms.go). By HTTP and UDP there are announces only.
//
// Nothing is refused in silence: what could not be connected, was not sent or did not come back is counted in the
// report, with the first reason.
//
// Where to look:
//
//	when          plan.go ─ nap_linux.go: to the microsecond
//	by WebSocket  socket.go ─ websocket.go: its frames ┐
//	by HTTP       http.go ─────────────────────────────┴ tcp.go: a connection each ─ reactor_linux.go, or pump.go
//	by UDP        udp.go
//	figures       report.go ─ histogram.go; process.go: the tracker's memory and CPU, pauses.go: its garbage collector's
//	who disturbs  own.go: this program itself; others.go: all else that runs. files_raise.go: so many connections
package load

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxConnections is how many local ports Linux gives out for one destination, about.
	MaxConnections = 28_000
	// MaxAnnounces bounds rate times duration.
	MaxAnnounces = 100_000_000
	// MaxOffers is the most offers of one announce.
	MaxOffers = 20

	dialTimeout = 10 * time.Second
	joinTimeout = 2 * time.Minute
	// drainTimeout is how long late messages may take after the last announce.
	drainTimeout = 5 * time.Second
	// dialing is how many connections are being made at once.
	dialing = 32
)

// Options say what to measure. There are no defaults here.
type Options struct {
	// URL is the announce URL: ws:, wss:, http:, https: or udp:.
	URL string
	// Connections is the number of peers, each with a connection of its own; at most MaxConnections.
	Connections int
	// Rate is announces per second of all peers together; 0: they only join, and memory is measured.
	Rate float64
	// Duration is how long the load lasts.
	Duration time.Duration
	// Offers in each announce by WebSocket; at most MaxOffers.
	Offers int
	// Hot is the share of peers in the hot swarm, 0 to 1.
	Hot float64
	// Swarms is how many swarms the other peers share evenly; 0: a long tail of small ones.
	Swarms int
	// Seed makes the infohashes of this run, for trackers that serve only those they know: see Infohash; 0: a random one.
	Seed uint32
	// Metrics is the URL of the tracker's /metrics, for the pauses of its garbage collector; empty: not read.
	Metrics string
	// Settle is how long the tracker has before idle memory is read.
	Settle time.Duration
	// PID is the tracker's process on this machine, for its CPU time and memory; 0: not measured.
	PID int
}

// Validate says what is out of bounds.
func (o Options) Validate() error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%q is not an announce URL, such as ws://localhost:8080/announce", o.URL)
	case kinds[u.Scheme] == nil:
		return fmt.Errorf("%q is no scheme of trackers: there are ws, wss, http, https and udp", u.Scheme)
	case o.Connections < 1 || o.Connections > MaxConnections:
		return fmt.Errorf("connections: %d is not within 1 to %d", o.Connections, MaxConnections)
	case !(o.Rate >= 0) || o.Duration < 0 || !(o.Rate*o.Duration.Seconds() <= MaxAnnounces):
		return fmt.Errorf("rate and duration: neither may be negative, and together at most %d announces", MaxAnnounces)
	case o.Offers < 0 || o.Offers > MaxOffers:
		return fmt.Errorf("offers: %d is not within 0 to %d", o.Offers, MaxOffers)
	case !(o.Hot >= 0 && o.Hot <= 1):
		return errors.New("hot is a share, 0 to 1")
	case o.Swarms < 0 || o.Swarms > MaxConnections:
		return fmt.Errorf("swarms: %d is not within 0 to %d", o.Swarms, MaxConnections)
	case o.Settle < 0 || o.Settle > 10*time.Minute:
		return errors.New("settle is at most 10 minutes")
	}
	return nil
}

// crowd is all peers of a run, by one protocol.
type crowd interface {
	// join connects a peer and has it announce for the first time. For concurrent use.
	join(context.Context, *place) error
	// load has those that joined announce, each time another one that is chosen at random, and returns when all
	// announces have been made.
	load(context.Context, plan) error
	// leave takes back what the tracker knows of a peer. For concurrent use.
	leave(context.Context, *place)
	close()
}

type protocol func(*run, *url.URL) (crowd, error)

var kinds = map[string]protocol{"ws": newSockets, "wss": newSockets, "http": newRequesters, "https": newRequesters, "udp": newSenders}

// run is what all peers share.
type run struct {
	Options
	start  time.Time
	over   atomic.Bool // peers leave
	living context.Context
	sdp    []byte

	due, sent, replies, failures atomic.Int64
	made, expected, offered      atomic.Int64 // offers: sent, to be passed on, received
	answers, answered            atomic.Int64 // answers: sent, received
	lost                         atomic.Int64

	announceTime, answerTime, lateness histogram

	mu      sync.Mutex
	problem string // the first
}

func (r *run) since() time.Duration { return time.Since(r.start) }

// first returns what went wrong first.
func (r *run) first() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.problem
}

// fail keeps the first reason.
func (r *run) fail(what string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem == "" {
		r.problem = fmt.Sprintf("%s: %v", what, err)
	}
}

// Run measures. It ends by itself: after two minutes for joining, the time to settle, the duration and a few seconds;
// or with the context, with its error. An error means that there is nothing to report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := allowFiles(o.Connections); err != nil {
		return nil, err
	}
	u, _ := url.Parse(o.URL) // Validate has
	living, die := context.WithCancel(context.Background())
	defer die()
	r := &run{Options: o, start: time.Now(), living: living, sdp: sdp()}
	places, swarms, hot := deal(o)
	report := &Report{URL: o.URL, Connections: o.Connections, Swarms: swarms, HotSwarm: hot}
	crowd, err := kinds[u.Scheme](r, u)
	if err != nil {
		return nil, err
	}
	defer crowd.close()

	others := watch(o.PID)
	before, err := measure(o.PID)
	if err != nil {
		return nil, err
	}
	places = r.join(ctx, crowd, places)
	defer r.leave(crowd, places)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	report.Connected = len(places)
	if len(places) == 0 {
		return nil, fmt.Errorf("nobody could join: %s", r.first())
	}
	if err := sleep(ctx, o.Settle); err != nil {
		return nil, err
	}
	idle, err := r.look(ctx)
	if err != nil {
		return nil, err
	}

	loaded, err := r.load(ctx, crowd)
	if err != nil {
		return nil, err
	}
	busy, err := measure(o.PID)
	if err != nil {
		return nil, err
	}
	r.drain(ctx)
	after, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	report.fill(r, loaded, before, idle.process, busy, after.process)
	report.Own = own(idle, after, report.Lateness)
	report.Pauses = paused(idle.pauses, after.pauses)
	report.Others = others()
	return report, ctx.Err()
}

// join returns the places of those peers that the tracker has taken.
func (r *run) join(ctx context.Context, crowd crowd, places []*place) (taken []*place) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	var mu sync.Mutex
	each(places, func(place *place) {
		if ctx.Err() != nil {
			return
		}
		if err := crowd.join(ctx, place); err != nil {
			r.fail("connecting", err)
			return
		}
		place.swarm.size.Add(1)
		mu.Lock()
		taken = append(taken, place)
		mu.Unlock()
	})
	return taken
}

// each works on some at once.
func each(places []*place, do func(*place)) {
	var wg sync.WaitGroup
	next := make(chan *place)
	for range min(dialing, len(places)) {
		wg.Go(func() {
			for p := range next {
				do(p)
			}
		})
	}
	for _, p := range places {
		next <- p
	}
	close(next)
	wg.Wait()
}

// load has announces made when they are due, and returns how long that took.
func (r *run) load(ctx context.Context, crowd crowd) (time.Duration, error) {
	p := r.plan()
	if p.total == 0 {
		return 0, nil
	}
	r.due.Store(int64(p.total))
	if err := crowd.load(ctx, p); err != nil {
		return 0, err
	}
	if err := sleep(ctx, p.began+r.Duration-r.since()); err != nil {
		return 0, err
	}
	return r.since() - p.began, nil
}

// drain returns when all has come that can, or nothing more is to be waited for.
func (r *run) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for r.replies.Load()+r.failures.Load() < r.sent.Load() || r.offered.Load() < r.expected.Load() || r.answered.Load() < r.answers.Load() {
		if sleep(ctx, 5*time.Millisecond) != nil {
			return
		}
	}
}

// leave takes all peers back, so that a tracker that goes on running does not keep them.
func (r *run) leave(crowd crowd, places []*place) {
	r.over.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	each(places, func(p *place) {
		if ctx.Err() == nil {
			crowd.leave(ctx, p)
		}
	})
}

// record counts what came of a measured announce.
func (r *run) record(due time.Duration, err error) {
	if err != nil {
		r.failures.Add(1)
		r.fail("an announce failed", err)
		return
	}
	r.replies.Add(1)
	r.announceTime.add(r.since() - due)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
