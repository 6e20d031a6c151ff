package peer

import "encoding/binary"

// progress is what is written down of a torrent's data: the pieces that are verified, and how the files looked then.
// Later it is believed of those pieces alone whose files look the same still; all others are hashed again. So it may
// be written at any time, and a process may end at any time.
//
//	+---------+------------------+----------------------+----------
//	| 01 (1)  | number of files  | stamps, 33 bytes for | bitfield
//	|         | (4)              | each (stamp.go)      |
//	+---------+------------------+----------------------+----------
type progress struct {
	done   bitset
	stamps []stamp
}

func (p progress) encode() []byte {
	b := binary.BigEndian.AppendUint32([]byte{1}, uint32(len(p.stamps)))
	for _, s := range p.stamps {
		b = s.append(b)
	}
	return append(b, p.done...)
}

// parseProgress returns nothing where it is not of these files and pieces.
func parseProgress(b []byte, files, pieces int) (p progress, ok bool) {
	if len(b) != 5+stampLength*files+len(newBitset(pieces)) || b[0] != 1 || binary.BigEndian.Uint32(b[1:]) != uint32(files) {
		return p, false
	}
	b = b[5:]
	p.stamps = make([]stamp, files)
	for i := range p.stamps {
		p.stamps[i] = readStamp(b[stampLength*i:])
	}
	p.done = bitset(b[stampLength*files:])
	return p, true
}
