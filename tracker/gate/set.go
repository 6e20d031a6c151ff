package gate

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/starling-p2p/starling/internal/watched"
)

// set is what an operator keeps in a file.
type set[K comparable] = map[K]struct{}

// openSet reads a file, and again when it changes; without a path it is nil.
func openSet[K comparable](path string, parse func(io.Reader) (set[K], error), log *slog.Logger) (*watched.Files[set[K]], error) {
	if path == "" {
		return nil, nil
	}
	return watched.Open(watched.Source[set[K]]{
		What:  "a list",
		Paths: []string{path},
		Read: func() (*set[K], error) {
			r, err := os.Open(path)
			if err != nil {
				return nil, fmt.Errorf("reading a list: %w", err)
			}
			defer r.Close()
			s, err := parse(r)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			return &s, nil
		},
		About: func(s *set[K]) []any { return []any{"entries", len(*s)} },
	}, log)
}

func has[K comparable](w *watched.Files[set[K]], k K) bool {
	_, ok := (*w.Get())[k]
	return ok
}
