package tracker

// kind is a way to reach a peer.
type kind uint8

const (
	web  kind = iota // over a connection that a front end holds: WebRTC, by offers that are passed on
	four             // at an IPv4 address
	six              // at an IPv6 address
	kinds
)

// standing is what a peer is in a swarm. Of two, the greater one counts.
type standing uint8

const (
	absent standing = iota
	leecher
	seeder
)

// swarm is the peers of one torrent, in a group for each way to reach them:
//
//	web:  [ S S │ L L L ]      chosen for one another only,
//	four: [ S │ L L ]          as none can reach those
//	six:  [ │ L ]              of the other groups
//
// Most swarms have one group only, so the others are nil. A peer that announces itself in several ways is in several
// groups, and counted once.
type swarm[C comparable] struct {
	web        *group[C]
	four       *group[addr4]
	six        *group[addr6]
	count      [3]int32 // of peers, by standing; that of the absent has no meaning
	downloaded int32
}

func (w *swarm[C]) counts() Counts {
	if w == nil {
		return Counts{}
	}
	return Counts{
		Seeders: int(w.count[seeder]), Leechers: int(w.count[leecher]), Downloaded: int(w.downloaded),
		WebRTC: w.web.part(), IPv4: w.four.part(), IPv6: w.six.part(),
	}
}

func (w *swarm[C]) ipv4() **group[addr4] { return &w.four }
func (w *swarm[C]) ipv6() **group[addr6] { return &w.six }

func (w *swarm[C]) empty() bool { return w.web.len() == 0 && w.four.len() == 0 && w.six.len() == 0 }

// change counts a peer anew that becomes something else in one of the groups, and says whether this makes a seeder of
// one that was none anywhere.
func (w *swarm[C]) change(id PeerID, in kind, from, to standing) (seeds bool) {
	if from == to {
		return false
	}
	elsewhere := absent
	if in != web && w.web.len() > 0 {
		elsewhere = w.web.standing(w.web.find(id))
	}
	if in != four && w.four.len() > 0 {
		elsewhere = max(elsewhere, w.four.standing(w.four.find(id)))
	}
	if in != six && w.six.len() > 0 {
		elsewhere = max(elsewhere, w.six.standing(w.six.find(id)))
	}
	from, to = max(from, elsewhere), max(to, elsewhere)
	w.count[from]--
	w.count[to]++
	return from != seeder && to == seeder
}

// place records a peer in a group, at i or as a new one at -1, and returns its place.
func place[C, K comparable](w *swarm[C], g *group[K], in kind, i int, r record[K], left Left, event Event) int {
	from := g.standing(i)
	if i < 0 {
		i = g.add(r)
	} else {
		g.peers[i] = r
	}
	to := max(from, leecher)
	switch {
	case left == Nothing || left == Unsaid && event == Completed:
		to = seeder
	case left == Some:
		to = leecher
	}
	i = g.seed(i, to == seeder)
	if w.change(r.id, in, from, to) && event == Completed {
		w.downloaded++
	}
	return i
}
