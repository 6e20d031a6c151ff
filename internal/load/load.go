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
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	// queued is how many messages one peer has waiting before further ones are counted as not sent.
	queued = 256
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
	case o.Settle < 0 || o.Settle > 10*time.Minute:
		return errors.New("settle is at most 10 minutes")
	}
	return nil
}

// peer is one connection. Its methods are called by one goroutine, and stop and close may be called once.
type peer interface {
	// announce queues an announce that is due then, in time since the start, unless too much is queued already.
	announce(due time.Duration)
	// stop takes back what the tracker knows of the peer, where closing does not.
	stop(context.Context)
	close()
}

// kind connects a peer and has it announce for the first time.
type kind func(ctx context.Context, r *run, u *url.URL, place *place) (peer, error)

var kinds = map[string]kind{"ws": joinSocket, "wss": joinSocket, "http": joinHTTP, "https": joinHTTP, "udp": joinUDP}

// run is what all peers share.
type run struct {
	Options
	start time.Time
	ended atomic.Bool
	sdp   []byte

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
	r := &run{Options: o, start: time.Now(), sdp: sdp()}
	places, swarms, hot := deal(o.Connections, o.Hot)
	report := &Report{URL: o.URL, Connections: o.Connections, Swarms: swarms, HotSwarm: hot}

	before, err := measure(o.PID)
	if err != nil {
		return nil, err
	}
	peers := r.join(ctx, u, places)
	defer r.leave(peers)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	report.Connected = len(peers)
	if len(peers) == 0 {
		return nil, fmt.Errorf("nobody could join: %s", r.first())
	}
	if err := sleep(ctx, o.Settle); err != nil {
		return nil, err
	}
	idle, err := measure(o.PID)
	if err != nil {
		return nil, err
	}

	began := r.since()
	if err := r.load(ctx, peers); err != nil {
		return nil, err
	}
	loaded := r.since() - began
	busy, err := measure(o.PID)
	if err != nil {
		return nil, err
	}
	r.drain(ctx)
	after, err := measure(o.PID)
	if err != nil {
		return nil, err
	}
	report.fill(r, loaded, before, idle, busy, after)
	return report, ctx.Err()
}

// join returns those peers that the tracker has taken.
func (r *run) join(ctx context.Context, u *url.URL, places []*place) (peers []peer) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan *place)
	for range min(dialing, len(places)) {
		wg.Go(func() {
			for place := range next {
				p, err := kinds[u.Scheme](ctx, r, u, place)
				if err != nil {
					r.fail("connecting", err)
					continue
				}
				place.swarm.size.Add(1)
				mu.Lock()
				peers = append(peers, p)
				mu.Unlock()
			}
		})
	}
	for _, place := range places {
		select {
		case next <- place:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return peers
}

// load has announces made when they are due.
func (r *run) load(ctx context.Context, peers []peer) error {
	if r.Rate == 0 {
		return nil
	}
	began := r.since()
	total := int(r.Rate * r.Duration.Seconds())
	for i := range total {
		due := began + time.Duration(float64(i)/r.Rate*float64(time.Second))
		if ahead := due - r.since(); ahead > 0 {
			if err := sleep(ctx, ahead); err != nil {
				return err
			}
		} else if ctx.Err() != nil {
			return ctx.Err()
		}
		r.due.Add(1)
		peers[rand.IntN(len(peers))].announce(due)
	}
	return sleep(ctx, began+r.Duration-r.since())
}

// drain returns when all has come that can, or nothing more is to be waited for.
func (r *run) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for r.replies.Load()+r.failures.Load() < r.due.Load() || r.offered.Load() < r.expected.Load() || r.answered.Load() < r.offered.Load() {
		if sleep(ctx, 5*time.Millisecond) != nil {
			return
		}
	}
}

// leave takes all peers back, so that a tracker that goes on running does not keep them.
func (r *run) leave(peers []peer) {
	r.ended.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	var wg sync.WaitGroup
	next := make(chan peer)
	for range min(dialing, len(peers)) {
		wg.Go(func() {
			for p := range next {
				if ctx.Err() == nil {
					p.stop(ctx)
				}
				p.close()
			}
		})
	}
	for _, p := range peers {
		next <- p
	}
	close(next)
	wg.Wait()
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
