//go:build !linux

package peer

import "os"

// renameNew renames, and gives os.ErrExist where something has that name already.
func renameNew(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return os.ErrExist
	}
	return os.Rename(from, to)
}
