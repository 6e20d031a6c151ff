package tracker

// AnnounceCompact is AnnounceAddr for those who need no peer_ids: it appends addresses and ports to compact, as BEP 23
// and BEP 7 pack them. Each is 6 bytes where the peer itself is at an IPv4 address, or 18.
func (s *Store[C]) AnnounceCompact(a *AddrAnnounce, compact []byte) (Counts, []byte, error) {
	t := told{compact: compact, packed: true}
	counts, err := s.announceAddr(a, &t)
	return counts, t.compact, err
}

// told is where those go that are chosen: to compact if that is wanted, else to picks.
type told struct {
	picks   []AddrPeer
	compact []byte
	packed  bool
}

// tell leaves out those who cannot be reached from a scope.
func tell[K address[K]](t *told, g *group[K], from scope, places []int32) {
	if t.packed {
		// Not by methods of K: those would be called through a table, twice for each peer.
		switch g := any(g).(type) {
		case *group[addr4]:
			t.compact = pack4(t.compact, g, from, places)
		case *group[addr6]:
			t.compact = pack6(t.compact, g, from, places)
		}
		return
	}
	for _, p := range places {
		if r := &g.peers[p]; r.contact.scope() <= from {
			t.picks = append(t.picks, AddrPeer{ID: r.id, Contact: r.contact.addrPort()})
		}
	}
}

func pack4(b []byte, g *group[addr4], from scope, places []int32) []byte {
	for _, p := range places {
		if c := &g.peers[p].contact; from == machine || c.scope() <= from {
			b = append(b, c.ip[0], c.ip[1], c.ip[2], c.ip[3], byte(c.port>>8), byte(c.port))
		}
	}
	return b
}

func pack6(b []byte, g *group[addr6], from scope, places []int32) []byte {
	for _, p := range places {
		if c := &g.peers[p].contact; from == machine || c.scope() <= from {
			b = append(append(b, c.ip[:]...), byte(c.port>>8), byte(c.port))
		}
	}
	return b
}
