package load

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
)

// tail are the sizes of small swarms, in turn: most have few peers, and most peers are in those that have more.
var tail = [...]int{1, 2, 4, 8, 16}

// swarm is one torrent.
type swarm struct {
	hash string       // 20 bytes of ASCII
	size atomic.Int64 // peers that have joined
}

// place is who one peer is.
type place struct {
	*swarm
	id   string // 20 bytes of ASCII
	port int    // where it says that it listens
}

// others is how many peers an announcement of this one can be passed on to.
func (p *place) others() int { return max(0, int(p.size.Load())-1) }

// Infohash is that of a run's swarm, 20 bytes of ASCII; the hot one is number 0.
func Infohash(seed uint32, swarm int) string { return fmt.Sprintf("%08x%012d", seed, swarm) }

// deal gives the peers their places. No two runs share ids, nor infohashes unless they are asked to.
func deal(o Options) (places []*place, swarms, hot int) {
	n, run, seed := o.Connections, rand.Uint32(), o.Seed
	if seed == 0 {
		seed = run
	}
	hot = int(o.Hot*float64(n) + 0.5)
	for small := 0; len(places) < n; swarms++ {
		size := hot
		if swarms > 0 || hot == 0 {
			size = tail[small%len(tail)]
			if o.Swarms > 0 {
				size = max(1, (n-hot+small)/o.Swarms) // differs by one, where it must
			}
			small++
		}
		s := &swarm{hash: Infohash(seed, swarms)}
		for range min(size, n-len(places)) {
			i := len(places)
			places = append(places, &place{swarm: s, id: fmt.Sprintf("-SL0000-%08x%04x", run, i), port: 1024 + i})
		}
	}
	return places, swarms, hot
}
