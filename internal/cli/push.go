package cli

import (
	"context"
	"errors"
	"fmt"
)

type push struct {
	Path  []localPath `arg:"" help:"Files and folders."`
	Until int         `placeholder:"N" help:"End when N others have all of it, as the server's tracker counts them. Default: when it is stopped."`
	sharing
	network
}

// Help is what push --help says besides.
func (push) Help() string {
	return `Shares a build, an image or a data set with many machines that fetch it at once: each passes on what it has, so that
this machine need not send it once for each. It is "share" without what is for people and for the internet: no QR code,
no DHT, and no uTP unless --dht and --utp ask for them.

On one machine:
  starling serve --addr :8080 &
  starling push --server http://build.example.org:8080 --until 20 image.tar
On each of the others (they go on passing it to one another for a minute after they have it):
  starling get --seed-for 1m -o image.tar 'http://build.example.org:8080/f#08ada5a7…'`
}

// Validate says what is wrong, and with which flag.
func (c *push) Validate() error {
	no := false
	for _, flag := range []**bool{&c.DHT, &c.UTP} {
		if *flag == nil {
			*flag = &no
		}
	}
	if c.Until < 0 {
		return errors.New("--until must be at least 1: how many others are to have it")
	}
	return errors.Join(c.validate(), c.network.Validate())
}

// Run shares until the context ends, or enough others have it.
func (c *push) Run(ctx context.Context, s streams) error {
	return c.sharing.run(ctx, s, &c.network, "push", paths(c.Path), c.Until, func(link string) error {
		_, err := fmt.Fprintf(s.err, "On each machine: starling get --seed-for 1m '%s'\n", link)
		return err
	})
}
