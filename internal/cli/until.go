package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/starling-p2p/starling/peer"
)

// downloads are those who have fetched a torrent since it is shared, as its server's tracker counts them: each that had
// something left, and then all of it.
type downloads struct {
	server   server
	infoHash [20]byte
	was      int // when the tracker was asked last
	sum      int
}

// begin asks for the first time.
func (d *downloads) begin(ctx context.Context) (err error) {
	if d.was, err = d.ask(ctx); err != nil {
		return fmt.Errorf("--until needs a server that counts downloads, and %s does not: %w", d.server, err)
	}
	return nil
}

// more asks again, and says whether somebody has come.
func (d *downloads) more(ctx context.Context) bool {
	now, err := d.ask(ctx)
	if err != nil {
		return false // it may be back the next time
	}
	if now < d.was {
		d.was = 0 // it was started anew
	}
	come := now - d.was
	d.was, d.sum = now, d.sum+come
	return come > 0
}

func (d *downloads) ask(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, asking)
	defer cancel()
	c, err := peer.Scrape(ctx, d.server.JoinPath("announce").String(), d.infoHash)
	return c.Downloads, err
}

// countEvery is how often the tracker is asked.
const countEvery = time.Second

// sharedUntil shares until so many others have all of a torrent. The error says that it was stopped before.
func sharedUntil(ctx context.Context, view *screen, t *peer.Torrent, others *downloads, until int) error {
	counting, enough := context.WithCancel(ctx)
	defer enough()
	counted := make(chan error, 1)
	go func() {
		tick := time.NewTicker(countEvery)
		defer tick.Stop()
		for others.sum < until {
			select {
			case <-ctx.Done():
				counted <- stopped(fmt.Sprintf("%d of %d others have it all", others.sum, until))
				return
			case <-tick.C:
			}
			if others.more(counting) {
				view.say("%d of %d have it all.", others.sum, until)
			}
		}
		counted <- nil
		enough()
	}()
	seed(counting, view, sharingLook(), t)
	return <-counted
}
