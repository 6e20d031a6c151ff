package peer

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// namelen is how long names may be in the file system that a folder is in, or will be once it is made, bytes; 0 where it does
// not say.
func namelen(dir string) int {
	var s unix.Statfs_t
	for unix.Statfs(dir, &s) != nil {
		above := filepath.Dir(dir)
		if above == dir {
			return 0
		}
		dir = above
	}
	return int(s.Namelen)
}
