package httpd

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// A machine that loses its power loses few minutes.
func TestSnapshotsAreWrittenMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	synctest.Test(t, func(t *testing.T) {
		s, err := openSnapshots(path, tracker.New[ws.Handle](tracker.Options{}), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go s.run(ctx)
		for range 2 { // and again
			time.Sleep(snapshotEvery + time.Second)
			synctest.Wait()
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		}
		stop()
		s.close()
		if _, err := os.Stat(path); err != nil {
			t.Errorf("at the end: %v", err)
		}
	})
}
