package watched_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-p2p/starling/internal/watched"
)

// A pair of files that belong together: the second says how long the first is.
func TestWatch(t *testing.T) {
	text, length := filepath.Join(t.TempDir(), "text"), filepath.Join(t.TempDir(), "length")
	age := 50 * time.Minute
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		// Each is newer than the last, whatever the file system's clock can tell apart.
		age -= time.Minute
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (*string, error) {
		a, err := os.ReadFile(text)
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(length)
		if err != nil {
			return nil, err
		}
		if s := string(a); fmt.Sprint(len(s)) == string(b) {
			return &s, nil
		}
		return nil, errors.New("they do not fit")
	}
	var log strings.Builder
	source := watched.Source[string]{
		What: "a text", Paths: []string{text, length}, Read: read,
		About: func(s *string) []any { return []any{"begins", (*s)[:1]} },
	}

	if _, err := watched.Open(source, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without files: %v", err)
	}
	write(text, "one")
	write(length, "3")
	synctest.Test(t, func(t *testing.T) {
		f, err := watched.Open(source, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		now, changes := make(chan os.Signal), 0
		go watched.Watch(ctx, now, func(force bool) {
			if f.Again(force) {
				changes++
			}
		})
		check := func(what, want string, wantChanges, wantErrors int) {
			t.Helper()
			synctest.Wait()
			if got, errors := *f.Get(), strings.Count(log.String(), "a text stays as it was"); got != want || changes != wantChanges || errors != wantErrors {
				t.Errorf("%s: %q after %d changes and %d errors, want %q, %d and %d", what, got, changes, errors, want, wantChanges, wantErrors)
			}
		}
		later := func(what, want string, wantChanges, wantErrors int) {
			t.Helper()
			time.Sleep(11 * time.Second)
			check(what, want, wantChanges, wantErrors)
		}
		later("nothing new", "one", 0, 0)
		write(text, "two")
		later("another of the same size", "two", 1, 0)
		write(text, "three")
		later("half of a pair", "two", 1, 1)
		later("complained about once", "two", 1, 1)
		write(length, "5")
		later("the other half", "three", 2, 1)
		if err := os.Remove(length); err != nil {
			t.Fatal(err)
		}
		later("one is missing", "three", 2, 1)
		now <- os.Interrupt
		check("asked for while it is missing", "three", 2, 2)
		write(length, "5")
		later("it is back", "three", 3, 2)
		now <- os.Interrupt
		check("asked for", "three", 4, 2)
		if !strings.Contains(log.String(), `msg="read a text" file=`+text+` begins=t`) {
			t.Errorf("the log says\n%s", log.String())
		}
		stop()
		synctest.Wait()
	})
	if (*watched.Files[string])(nil).Again(true) {
		t.Error("news without files")
	}
}
