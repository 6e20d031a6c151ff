package peer

import (
	"errors"
	"net"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
)

// packets hands on those packets of the DHT (BEP 5) that the engine can be given: others it takes memory for, as much as
// they say, prints, counts for ever under their names, or ends the program at.
type packets struct{ net.PacketConn }

func (p packets) ReadFrom(b []byte) (n int, addr net.Addr, err error) {
	for {
		n, addr, err = p.PacketConn.ReadFrom(b)
		if err != nil || isKRPC(b[:n]) {
			return n, addr, err
		}
	}
}

// isKRPC reads a packet as the engine does. Of the queries those of BEP 5 pass, with their arguments.
func isKRPC(b []byte) (ok bool) {
	if _, err := skim(b); err != nil {
		return false
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	var m krpc.Msg
	err := bencode.Unmarshal(b, &m)
	if trailing := (bencode.ErrUnusedTrailingBytes{}); err != nil && !errors.As(err, &trailing) {
		return false
	}
	if m.Y != "q" {
		return true
	}
	switch m.Q {
	case "ping", "find_node", "get_peers", "announce_peer":
		return m.A != nil
	}
	return false
}
