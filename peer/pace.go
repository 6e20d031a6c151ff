package peer

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// slack is how many bytes are asked for over a link beyond what is on the way; and at first.
	slack = 256 << 10
	// dawdling is how long a block takes at least, as browsers dawdle, and queueing how much longer than the quickest the
	// next one may.
	dawdling = 60 * time.Millisecond
	queueing = 25 * time.Millisecond
	// turn is how many blocks are asked for until it is another torrent's turn.
	turn = 4
	// patience is how long it may take until something comes of what a torrent asked for. Then that is not counted any
	// more, and it asks for one block at a time.
	patience = 30 * time.Second
)

// block is what a request is for.
type block struct{ piece, begin, length uint32 }

// paces are those of all links, by who is at the other end.
type paces struct {
	mu  sync.Mutex
	all map[string]*pace
}

// pace is how much is asked for over one link, by all its torrents together: what is on the way, and little more. What
// else they would ask for is held back (docs/protocol.md, "How much is asked for").
type pace struct {
	mu     sync.Mutex
	askers map[*asker]bool
	// waiting are those that hold something back, in the order of their turns.
	waiting []*asker
	owed    int // bytes that were asked for and have not come
	speed   speed
	window  int           // bytes that may be owed while it is found out how many; then 0
	quick   time.Duration // of the quickest block, from request to arrival
}

// asker is one torrent's channel of the link. The pace's lock guards it.
type asker struct {
	pace  *pace
	who   string
	held  []block
	ready []block // are to go out now: flush is called, or somebody is about to take them
	flush func()
	// flushing: it was called, and has taken nothing yet.
	flushing bool
	owed     map[block]time.Time
	since    time.Time // something came last, or was asked for when nothing was owed
	deaf     bool
}

// join makes an asker of the link to who. flush is to take what is ready; it is called on a goroutine of its own.
func (p *paces) join(who string, flush func()) *asker {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.all[who]
	if one == nil {
		one = &pace{askers: map[*asker]bool{}, window: slack, quick: math.MaxInt64}
		if p.all == nil {
			p.all = map[string]*pace{}
		}
		p.all[who] = one
	}
	a := &asker{pace: one, who: who, flush: flush, owed: map[block]time.Time{}}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.askers[a] = true
	return a
}

// leave ends an asker. What it was owed others may ask for. Safe to call again.
func (p *paces) leave(a *asker, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := a.pace
	one.mu.Lock()
	defer one.mu.Unlock()
	if !one.askers[a] {
		return
	}
	delete(one.askers, a)
	a.held, a.ready = nil, nil
	a.forget()
	one.waiting = without(one.waiting, a)
	one.give(nil, now)
	if len(one.askers) == 0 {
		delete(p.all, a.who)
	}
}

// hold takes a request.
func (a *asker) hold(b block) {
	if !a.pace.askers[a] {
		return
	}
	if a.held = append(a.held, b); len(a.held) == 1 {
		a.pace.waiting = append(a.pace.waiting, a)
	}
}

// withdraw says whether a request was held back, and lets go of it.
func (a *asker) withdraw(b block) bool {
	i := slices.Index(a.held, b)
	if i < 0 {
		return false
	}
	if a.held = slices.Delete(a.held, i, i+1); len(a.held) == 0 {
		a.pace.waiting = without(a.pace.waiting, a)
	}
	return true
}

// take is what is ready.
func (a *asker) take() []block {
	ready := a.ready
	a.ready, a.flushing = nil, false
	return ready
}

// ask counts a request that goes out.
func (a *asker) ask(b block, now time.Time) {
	if len(a.owed) == 0 {
		a.since = now
	}
	if _, again := a.owed[b]; !again {
		a.pace.owed += int(b.length)
	}
	a.owed[b] = now
}

// answered says whether it was owed this. came: it was no reject.
func (a *asker) answered(b block, came bool, now time.Time) bool {
	at, owed := a.owed[b]
	if !owed {
		return false
	}
	p := a.pace
	delete(a.owed, b)
	p.owed -= int(b.length)
	a.since = now
	if !came {
		return true
	}
	a.deaf = false
	took := now.Sub(at)
	p.speed.add(int(b.length), now)
	p.quick = min(p.quick, took)
	if p.window > slack*3/2 && took > p.quick+p.quick/4+10*time.Millisecond {
		p.window = 0
	} else if p.window > 0 {
		p.window += int(b.length) / 2
	}
	return true
}

// forget does not count any more what it is owed.
func (a *asker) forget() {
	for b := range a.owed {
		a.pace.owed -= int(b.length)
	}
	clear(a.owed)
}

// give makes ready what may go out. Who is about to take its own needs no flush.
func (p *pace) give(taker *asker, now time.Time) {
	most := p.most(now)
	if p.owed > most*3/4 {
		for a := range p.askers {
			if len(a.owed) > 0 && now.Sub(a.since) > patience {
				a.deaf = true
				a.forget()
			}
		}
		if p.owed > most*3/4 { // several at once, as they travel as one message
			return
		}
	}
	for skipped := 0; p.owed < most && skipped < len(p.waiting); {
		a := p.waiting[0]
		p.waiting = p.waiting[1:]
		n := min(turn, len(a.held))
		if a.deaf {
			n = min(n, max(1-len(a.owed), 0))
		}
		for _, b := range a.held[:n] {
			a.ask(b, now)
		}
		a.ready = append(a.ready, a.held[:n]...)
		if a.held = a.held[n:]; len(a.held) > 0 {
			p.waiting = append(p.waiting, a)
		}
		if skipped++; n > 0 {
			skipped = 0
		}
		if len(a.ready) > 0 && a != taker && !a.flushing {
			a.flushing = true
			go a.flush()
		}
	}
}

func without(all []*asker, a *asker) []*asker {
	return slices.DeleteFunc(all, func(one *asker) bool { return one == a })
}

// most is how many bytes may be owed.
func (p *pace) most(now time.Time) int {
	if p.window > 0 {
		return p.window
	}
	return int(p.speed.at(now)*max(p.quick+queueing, dawdling).Seconds()) + slack
}
