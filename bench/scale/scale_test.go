package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func few() setup {
	return setup{viewers: 20_000, nodes: 20, hot: 2000, seconds: 5, interval: 120, stay: 1800, offers: 3, sdp: 1200, zipf: 1, seed: 1}
}

func TestWorld(t *testing.T) {
	w := newWorld(few())
	total, last := 0, math.MaxInt
	for i := range w.swarms {
		s := &w.swarms[i]
		if s.first != total || s.size < 1 || s.size > last || w.swarmOf[s.first] != uint32(i) {
			t.Fatalf("swarm %d has %d viewers from %d on", i, s.size, s.first)
		}
		total, last = total+s.size, s.size
	}
	if total != 20_000 || w.swarms[0].size != 2000 || w.swarms[1].size != 1000 {
		t.Errorf("%d viewers; %+v", total, w.swarms[:2])
	}
	for range 1000 {
		s := &w.swarms[1]
		if v := w.other(s, s.first+5); v < s.first || v >= s.first+s.size || v == s.first+5 {
			t.Fatalf("%d is no other viewer of that swarm", v)
		}
	}
}

// What one node sends another one gets, and most goes to others.
func TestTraffic(t *testing.T) {
	w := newWorld(few())
	r := w.run()
	sum := func(row int) (n float64) {
		for i := row; i < len(r.cells); i += rows {
			n += r.cells[i]
		}
		return n
	}
	if sum(busOut) != sum(busIn) || sum(busOut) == 0 || sum(announced) != float64(r.announces) {
		t.Errorf("%v bytes sent, %v received; %v announces of %d", sum(busOut), sum(busIn), sum(announced), r.announces)
	}
	if want := 5 * 20_000 * (1/120.0 + 2/1800.0); math.Abs(float64(r.announces)-want) > want/4 {
		t.Errorf("%d announces, not %.0f", r.announces, want)
	}
	if share := float64(r.crossed) / float64(r.relayed); share < 0.9 || share > 0.99 {
		t.Errorf("%v of offers and answers crossed; with 20 nodes that should be 0.95", share)
	}
	if s := r.spread(socketIn); s.mean <= 0 || s.mean > s.p99 || s.p99 > s.most {
		t.Errorf("%+v", s)
	}
}

// One node alone has nobody to talk to.
func TestAlone(t *testing.T) {
	s := few()
	s.nodes = 1
	if r := simulate(s); r.crossing != 0 || r.rows[busOut].most != 0 || r.hotShare != 1 {
		t.Errorf("%+v", r)
	}
}

// When a node goes, only swarms that it had change owners, and their new owners are many.
func TestOwners(t *testing.T) {
	w := newWorld(few())
	gone := w.swarms[0].owner
	ids := slices.Delete(slices.Clone(w.ids), gone, gone+1)
	heirs := map[uint32]bool{}
	for i, owner := range w.owners(ids) {
		before := w.swarms[i].owner
		if before != gone && w.ids[before] != ids[owner] {
			t.Fatalf("swarm %d went from one living node to another", i)
		}
		if before == gone {
			heirs[ids[owner]] = true
		}
	}
	if len(heirs) < 5 {
		t.Errorf("%d nodes inherit", len(heirs))
	}
	death, worst, join := w.change()
	if math.Abs(death.sockets-1000) > 1e-6 || math.Abs(death.peers-1000) > 1e-6 || worst.peers < 2000 || join.swarms == 0 || join.bytes == 0 {
		t.Errorf("%+v %+v %+v", death, worst, join)
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := write(&b, []result{simulate(few())}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| nodes ", "20,000", "| bytes to other nodes, kB/s"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for v, want := range map[float64]string{0: "0", 0.5: "0.5", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(v); got != want {
			t.Errorf("%v is %q", v, got)
		}
	}
}

func TestBounds(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"-viewers": func(s *setup) { s.viewers = 1 },
		"-nodes":   func(s *setup) { s.nodes = maxNodes + 1 },
		"-hot":     func(s *setup) { s.hot = s.viewers + 1 },
		"-seconds": func(s *setup) { s.seconds = 0 },
		"-stay":    func(s *setup) { s.stay = 0 },
	} {
		s := few()
		change(&s)
		if err := s.check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
