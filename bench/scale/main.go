// Command scale simulates the traffic of a tracker of many nodes, for docs/scale.md: `make scale`, or
//
//	go run ./bench/scale [-viewers N] [-nodes N,N…] [-hot N] [-seconds N] …
//
// It is about where messages go, not how long they take: swarms whose sizes follow Zipf's law are given to owners with the
// hashing of package cluster, viewers to the nodes of their sockets at random, as a balancer would, and announces come at
// random times. Each is followed along the way that cluster draws, and what it costs each node is counted by the second:
//
//	world.go     who is where
//	traffic.go   announces, offers and answers, second by second
//	change.go    what moves when a node comes or goes
//
// Bytes are those of the messages, without what TCP, TLS and the bus add.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
)

// setup is what is simulated.
type setup struct {
	viewers, nodes, hot, seconds int
	interval, stay               float64 // seconds between announces, and until a viewer leaves
	offers, sdp                  int
	zipf                         float64
	seed                         uint64
}

// Bounds that keep a simulation within this machine's memory, and the numbers of nodes within 16 bits.
const (
	maxViewers = 100_000_000
	maxNodes   = 10_000
)

func (s setup) check() error {
	switch {
	case s.viewers < 2 || s.viewers > maxViewers:
		return fmt.Errorf("-viewers: %d is not within 2 to %d", s.viewers, maxViewers)
	case s.nodes < 1 || s.nodes > maxNodes:
		return fmt.Errorf("-nodes: %d is not within 1 to %d", s.nodes, maxNodes)
	case s.hot < 1 || s.hot > s.viewers:
		return fmt.Errorf("-hot: %d is not within 1 to %d", s.hot, s.viewers)
	case s.seconds < 1 || s.seconds > 3600 || s.offers < 0 || s.offers > 20 || s.sdp < 0:
		return errors.New("-seconds is 1 to 3600, -offers 0 to 20, -sdp not negative")
	case !(s.interval > 0) || !(s.stay > 0) || !(s.zipf >= 0):
		return errors.New("-interval and -stay are more than 0, -zipf not negative")
	}
	return nil
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("scale: ")
	var s setup
	nodes := flag.String("nodes", "10,100,1000", "numbers of nodes, one simulation each")
	flag.IntVar(&s.viewers, "viewers", 10_000_000, "viewers, each with a socket and in one swarm")
	flag.IntVar(&s.hot, "hot", 1_000_000, "viewers in the greatest swarm")
	flag.IntVar(&s.seconds, "seconds", 20, "how long to look, in the tracker's time")
	flag.Float64Var(&s.interval, "interval", 120, "seconds between a viewer's announces")
	flag.Float64Var(&s.stay, "stay", 1800, "seconds until a viewer leaves and another one comes, on average")
	flag.IntVar(&s.offers, "offers", 3, "offers in each announce, all of which are answered")
	flag.IntVar(&s.sdp, "sdp", 1200, "bytes of an offer's or answer's SDP")
	flag.Float64Var(&s.zipf, "zipf", 1, "the swarm of rank r has hot/r^zipf viewers")
	flag.Uint64Var(&s.seed, "seed", 1, "of what is random")
	flag.Parse()
	var all []result
	for _, n := range strings.Split(*nodes, ",") {
		var err error
		if s.nodes, err = strconv.Atoi(n); err == nil {
			err = s.check()
		}
		if err != nil {
			log.Fatal(err)
		}
		all = append(all, simulate(s))
	}
	if err := write(os.Stdout, all); err != nil {
		log.Fatal(err)
	}
}

// result is one column of the table.
type result struct {
	setup
	swarms, smallest   int
	announces          float64 // per second
	crossing           float64 // share of offers and answers that go to another node
	rows               [rows]spread
	hotShare           float64 // of all questions, the share that the busiest node was asked
	death, worst, join moved
}

func simulate(s setup) result {
	w := newWorld(s)
	t := w.run()
	r := result{setup: s, swarms: len(w.swarms), smallest: w.swarms[len(w.swarms)-1].size, announces: float64(t.announces) / float64(s.seconds)}
	if t.relayed > 0 {
		r.crossing = float64(t.crossed) / float64(t.relayed)
	}
	for i := range r.rows {
		r.rows[i] = t.spread(i)
	}
	r.hotShare = t.busiest()
	r.death, r.worst, r.join = w.change()
	return r
}

// write makes a table in Markdown that can be read as it is.
func write(to io.Writer, all []result) error {
	t := tabwriter.NewWriter(to, 0, 0, 1, ' ', 0)
	line := func(what string, of func(r *result) string) {
		fmt.Fprintf(t, "| %s\t", what)
		for i := range all {
			fmt.Fprintf(t, "| %s\t", of(&all[i]))
		}
		fmt.Fprintln(t, "|")
	}
	line("nodes", func(r *result) string { return count(float64(r.nodes)) })
	line("---", func(*result) string { return "---" })
	line("viewers, swarms", func(r *result) string { return count(float64(r.viewers)) + ", " + count(float64(r.swarms)) })
	line("announces per second, all nodes", func(r *result) string { return count(r.announces) })
	line("offers and answers to another node", func(r *result) string { return fmt.Sprintf("%.1f %%", 100*r.crossing) })
	line("**for each node: mean, p99, most**", func(*result) string { return "" })
	for i, name := range names {
		line(name, func(r *result) string { return r.rows[i].String() })
	}
	line("of all questions, to the busiest node", func(r *result) string { return fmt.Sprintf("%.1f %%", 100*r.hotShare) })
	line("a node dies: sockets that come again", func(r *result) string { return count(r.death.sockets) })
	line("… swarms, peers that change owners", func(r *result) string { return count(r.death.swarms) + ", " + count(r.death.peers) })
	line("… where it has the greatest swarm", func(r *result) string { return count(r.worst.swarms) + ", " + count(r.worst.peers) })
	line("a node comes: swarms, peers, MB handed over", func(r *result) string {
		return fmt.Sprintf("%s, %s, %.1f", count(r.join.swarms), count(r.join.peers), r.join.bytes/1e6)
	})
	return t.Flush()
}

// count is a number with commas, or with two digits where it is small.
func count(v float64) string {
	if v < 10 && v != float64(int(v)) {
		return fmt.Sprintf("%.2g", v)
	}
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
