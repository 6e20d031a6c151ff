package peer

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAll puts on disk all that was written to the file system that a folder is in.
func syncAll(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return unix.Syncfs(int(dir.Fd()))
}
