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

// deal gives n peers their places: that share of them in one swarm, the others in a long tail, or evenly in so many
// swarms. No two runs share ids.
func deal(n int, share float64, even int) (places []*place, swarms, hot int) {
	run := rand.Uint32()
	hot = int(share*float64(n) + 0.5)
	for small := 0; len(places) < n; swarms++ {
		size := hot
		if swarms > 0 || hot == 0 {
			size = tail[small%len(tail)]
			if even > 0 {
				size = max(1, (n-hot+small)/even)
			}
			small++
		}
		s := &swarm{hash: fmt.Sprintf("%08x%012d", run, swarms)}
		for range min(size, n-len(places)) {
			i := len(places)
			places = append(places, &place{swarm: s, id: fmt.Sprintf("-SL0000-%08x%04x", run, i), port: 1024 + i})
		}
	}
	return places, swarms, hot
}
