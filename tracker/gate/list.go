package gate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/starling-p2p/starling/internal/watched"
	"github.com/starling-p2p/starling/tracker"
)

// maxEntries is the most infohashes of one file, some two gigabytes of memory.
const maxEntries = 20_000_000

// List is which torrents a tracker serves: those in a file, or all but those in a file. A file has one infohash in hex
// on each line; empty lines are left out, and what follows a #.
type List struct {
	allow, deny *watched.Files[set[tracker.InfoHash]] // nil: none
}

// OpenList reads the files; an empty name is no file. Errors name the file and the line.
func OpenList(allow, deny string, log *slog.Logger) (*List, error) {
	allowed, err := openSet(allow, infoHashes, log)
	denied, err2 := openSet(deny, infoHashes, log)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	return &List{allow: allowed, deny: denied}, nil
}

// Allow says whether a torrent is served: it is in the allow list, if there is one, and not in the deny list. Safe for
// concurrent use, also on nil.
func (l *List) Allow(h tracker.InfoHash) bool {
	if l == nil {
		return true
	}
	return (l.allow == nil || has(l.allow, h)) && (l.deny == nil || !has(l.deny, h))
}

// Watch reads files again when they have changed, and when now says so, until the context ends; then it calls changed.
// A file that cannot be read, or not understood, leaves things as they are, and the log says so.
func (l *List) Watch(ctx context.Context, now <-chan os.Signal, changed func()) {
	watched.Watch(ctx, now, func(force bool) {
		allow, deny := l.allow.Again(force), l.deny.Again(force)
		if allow || deny {
			changed()
		}
	})
}

func infoHashes(r io.Reader) (set[tracker.InfoHash], error) {
	all := set[tracker.InfoHash]{}
	err := eachLine(r, func(line []byte) error {
		var h tracker.InfoHash
		if len(line) != hex.EncodedLen(len(h)) {
			return errors.New("is not an infohash of 40 hex digits")
		}
		if _, err := hex.Decode(h[:], line); err != nil {
			return errors.New("is not an infohash of 40 hex digits")
		}
		if all[h] = struct{}{}; len(all) > maxEntries {
			return fmt.Errorf("is one too many: at most %d", maxEntries)
		}
		return nil
	})
	return all, err
}
