package httpd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// snapshotEvery is how much is lost when the program is killed.
const snapshotEvery = 5 * time.Minute

// snapshots keep the peers of a tracker over a restart, in a file.
type snapshots struct {
	path  string
	store *tracker.Store[ws.Handle]
	log   *slog.Logger
	ended chan struct{} // closed when none is being written any more
}

// openSnapshots takes in what is there. A snapshot that is damaged is a warning: peers announce again, with it or without.
// What is none is an error, for it would be written over.
func openSnapshots(path string, store *tracker.Store[ws.Handle], log *slog.Logger) (*snapshots, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--snapshot %s: there is no folder %s", path, filepath.Dir(path))
	}
	// Sooner than when there is something to lose.
	probe, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		return nil, fmt.Errorf("--snapshot cannot be written: %w", err)
	}
	switch err := store.LoadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		log.Info("there is no snapshot yet", "file", path)
	case errors.Is(err, tracker.ErrForeign), errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("--snapshot: %w: name another file", err)
	case err != nil:
		log.Warn("the tracker begins without its snapshot", "error", err)
	default:
		n := store.Stats()
		log.Info("read a snapshot", "file", path, "peers", n.Peers, "swarms", n.Swarms)
	}
	return &snapshots{path: path, store: store, log: log, ended: make(chan struct{})}, nil
}

// run writes one now and then until the context ends.
func (s *snapshots) run(ctx context.Context) {
	defer close(s.ended)
	t := time.NewTicker(snapshotEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.write()
		}
	}
}

// close writes the last one, when nobody announces any more.
func (s *snapshots) close() {
	if s == nil {
		return
	}
	<-s.ended
	s.write()
}

func (s *snapshots) write() {
	if err := s.store.SaveFile(s.path); err != nil {
		s.log.Error("peers will have to announce again after a restart", "error", err)
	}
}
