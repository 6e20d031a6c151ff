package peer

import (
	"encoding/binary"
	"io/fs"

	"github.com/starling-p2p/starling/internal/ctime"
)

// stamp is how a file looks from outside. A file that is written to looks different: its size, or one of its times.
type stamp struct {
	exists       bool
	size         int64
	mtime, ctime int64 // nanoseconds since 1970, as the file system has it; only compared
	inode        uint64
}

const stampLength = 33

func stampOf(info fs.FileInfo, err error) stamp {
	if err != nil || !info.Mode().IsRegular() {
		return stamp{}
	}
	s := stamp{exists: true, size: info.Size(), mtime: info.ModTime().UnixNano()}
	s.ctime, s.inode = ctime.Of(info)
	return s
}

func (s stamp) append(b []byte) []byte {
	exists := byte(0)
	if s.exists {
		exists = 1
	}
	b = append(b, exists)
	for _, v := range []uint64{uint64(s.size), uint64(s.mtime), uint64(s.ctime), s.inode} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func readStamp(b []byte) stamp {
	at := func(i int) uint64 { return binary.BigEndian.Uint64(b[1+8*i:]) }
	return stamp{exists: b[0] == 1, size: int64(at(0)), mtime: int64(at(1)), ctime: int64(at(2)), inode: at(3)}
}
