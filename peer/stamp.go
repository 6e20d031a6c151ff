package peer

import (
	"encoding/binary"
	"io/fs"

	"github.com/starling-p2p/starling/internal/ctime"
)

// stamp is how a file looks from outside. A file that is written to looks different: its size, or one of its times. So does
// one that takes its place: that is a change of the file's own (ctime). Its number does not count: FAT, exFAT, sshfs and other
// file systems have none to keep, and number a file anew each time that they come to know it.
type stamp struct {
	exists       bool
	size         int64
	mtime, ctime int64 // nanoseconds since 1970, as the file system has it; only compared
}

const stampLength = 33

func stampOf(info fs.FileInfo, err error) stamp {
	if err != nil || !info.Mode().IsRegular() {
		return stamp{}
	}
	return stamp{exists: true, size: info.Size(), mtime: info.ModTime().UnixNano(), ctime: ctime.Of(info)}
}

func (s stamp) append(b []byte) []byte {
	exists := byte(0)
	if s.exists {
		exists = 1
	}
	b = append(b, exists)
	for _, v := range []int64{s.size, s.mtime, s.ctime, 0} { // the last was the number
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func readStamp(b []byte) stamp {
	at := func(i int) uint64 { return binary.BigEndian.Uint64(b[1+8*i:]) }
	return stamp{exists: b[0] == 1, size: int64(at(0)), mtime: int64(at(1)), ctime: int64(at(2))}
}
