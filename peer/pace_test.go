package peer

import (
	"testing"
	"testing/synctest"
	"time"
)

const kiB = 1 << 10

var noFlush = func() {}

// at is a time of the tests' own.
func at(d time.Duration) time.Time { return time.Unix(1_000_000, 0).Add(d) }

func blockNo(i int) block { return block{uint32(i / 16), uint32(i%16) * blockSize, blockSize} }

// asks has an asker hold n requests back, from the first on, and gives what may go out.
func asks(a *asker, first, n int, now time.Time) []block {
	a.pace.mu.Lock()
	defer a.pace.mu.Unlock()
	for i := range n {
		a.hold(blockNo(first + i))
	}
	a.pace.give(a, now)
	return a.take()
}

func comes(a *asker, b block, now time.Time) []block {
	a.pace.mu.Lock()
	defer a.pace.mu.Unlock()
	a.answered(b, true, now)
	a.pace.give(a, now)
	return a.take()
}

// A line of 50 Mbit/s and 100 ms there and back is filled, and what waits before it does not run over.
func TestPaceLongLine(t *testing.T) {
	const (
		rate   = 6_250_000
		way    = 50 * time.Millisecond
		queue  = 600 * kiB
		blocks = 20_000_000 / blockSize
	)
	var p paces
	a := p.join("somebody", noFlush)
	type sent struct {
		block
		at time.Duration
	}
	var line []sent
	now, free, longest := time.Duration(0), time.Duration(0), time.Duration(0)
	send := func(all []block) {
		for _, b := range all {
			free = max(free, now+way)
			longest = max(longest, free-(now+way))
			free += time.Duration(float64(b.length) / rate * 1e9)
			line = append(line, sent{b, free + way})
		}
	}
	send(asks(a, 0, blocks, at(now)))
	for i := range blocks {
		if len(line) == i {
			t.Fatalf("after %d of %d blocks nothing more is asked for", i, blocks)
		}
		now = line[i].at
		send(comes(a, line[i].block, at(now)))
	}
	if waited := int(longest.Seconds() * rate); waited > queue {
		t.Errorf("%d KiB waited before the line, want at most %d", waited/kiB, queue/kiB)
	}
	if ideal := time.Duration(float64(blocks) * blockSize / rate * 1e9); now > ideal*5/4 {
		t.Errorf("it took %v, want hardly more than %v", now, ideal)
	}
}

// What is asked for first is little; requests go out in order, and those of several torrents in turns.
func TestPaceTurns(t *testing.T) {
	var p paces
	a, b := p.join("somebody", noFlush), p.join("somebody", noFlush)
	if other := p.join("somebody else", noFlush); other.pace == a.pace || a.pace != b.pace {
		t.Fatal("who is one link?")
	}
	first := asks(a, 0, 100, at(0))
	if len(first) != slack/blockSize {
		t.Fatalf("%d blocks are asked for at first, want %d", len(first), slack/blockSize)
	}
	if n := len(asks(b, 0, 100, at(0))); n != 0 {
		t.Fatalf("%d blocks more are asked for than may be", n)
	}
	for i, one := range first {
		if one != blockNo(i) {
			t.Fatalf("request %d is for %v", i, one)
		}
		comes(a, one, at(100*time.Millisecond))
	}
	b.pace.mu.Lock()
	n := len(b.take())
	b.pace.mu.Unlock()
	if n < 2*turn || n > 4*turn {
		t.Errorf("the other torrent's turns were for %d blocks", n)
	}
}

// What was asked for by a channel that is gone does not keep others of the link from asking.
func TestPaceLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p paces
		flushed := make(chan bool, 1)
		a, b := p.join("somebody", noFlush), p.join("somebody", func() { flushed <- true })
		asks(a, 0, 100, at(0))
		asks(b, 0, 100, at(0))
		p.leave(a, at(0))
		p.leave(a, at(0))
		<-flushed
		b.pace.mu.Lock()
		n, owed := len(b.take()), b.pace.owed
		b.pace.mu.Unlock()
		if n != slack/blockSize || owed != slack {
			t.Errorf("%d blocks, %d KiB are asked for, want %d", n, owed/kiB, slack/blockSize)
		}
		if n := len(asks(a, 0, 10, at(0))); n > 0 || b.pace.owed != slack {
			t.Errorf("%d blocks are asked for by who left", n)
		}
		p.leave(b, at(0))
		if len(p.all) > 0 {
			t.Error("the link is not forgotten")
		}
	})
}

// A torrent of which nothing comes keeps the others from asking for a while only.
func TestPaceDeaf(t *testing.T) {
	var p paces
	a, b := p.join("somebody", noFlush), p.join("somebody", noFlush)
	asks(a, 0, 100, at(0))
	if n := len(asks(b, 0, 100, at(time.Second))); n > 0 {
		t.Fatalf("%d blocks more are asked for than may be", n)
	}
	now := patience + time.Second
	if n := len(asks(b, 100, 0, at(now))); n < slack/blockSize-1 {
		t.Fatalf("%d blocks are asked for, want %d", n, slack/blockSize)
	}
	a.pace.mu.Lock()
	n := len(a.take())
	a.pace.mu.Unlock()
	if n > 1 {
		t.Fatalf("%d blocks are asked of who is silent, want one", n)
	}
	for i := range 200 { // b goes on by itself
		comes(b, blockNo(i), at(now+time.Duration(i+1)*10*time.Millisecond))
	}
	if len(b.held) > 0 {
		t.Errorf("%d requests are held back still", len(b.held))
	}
}

// Rejects make room, and say nothing of how quick the line is.
func TestPaceRejects(t *testing.T) {
	var p paces
	a := p.join("somebody", noFlush)
	next := asks(a, 0, 100, at(0))
	total := len(next)
	for len(next) > 0 {
		one := next[0]
		a.pace.mu.Lock()
		if !a.answered(one, false, at(0)) || a.answered(one, false, at(0)) {
			t.Fatal("a request is answered once")
		}
		a.pace.give(a, at(0))
		more := a.take()
		a.pace.mu.Unlock()
		next, total = append(next[1:], more...), total+len(more)
	}
	if total != 100 || a.pace.owed != 0 || a.pace.window != slack {
		t.Errorf("%d requests went out, %d bytes are owed, the window is %d", total, a.pace.owed, a.pace.window)
	}
}
