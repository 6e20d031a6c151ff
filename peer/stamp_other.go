//go:build !linux

package peer

import "io/fs"

func systemStamp(fs.FileInfo) (ctime int64, inode uint64) { return 0, 0 }
