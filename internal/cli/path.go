package cli

import (
	"errors"

	"github.com/alecthomas/kong"
)

// localPath is a file or folder of this machine, from its root on. An empty one, which a shell makes of a variable that is
// not set, is refused: kong takes it for the folder that the command runs in, which would be given away.
type localPath string

// UnmarshalText is for kong.
func (p *localPath) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("it is empty: say which file or folder")
	}
	*p = localPath(kong.ExpandPath(string(text)))
	return nil
}

func paths(of []localPath) []string {
	all := make([]string, len(of))
	for i, p := range of {
		all[i] = string(p)
	}
	return all
}
