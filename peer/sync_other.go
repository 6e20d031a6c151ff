//go:build !linux

package peer

import (
	"errors"
	"os"
)

// syncAll would put on disk all that was written to the file system that a folder is in.
func syncAll(*os.Root) error { return errors.ErrUnsupported }
