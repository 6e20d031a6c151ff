package cli

import (
	"io"
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		limit time.Duration
		after figures // for as long as nothing comes
		held  bool
		ends  bool
	}{
		"nothing at all":              {time.Minute, figures{}, false, true},
		"nothing more":                {time.Minute, figures{Bytes: 100, Done: 99}, false, true},
		"for ever":                    {0, figures{}, false, false},
		"put in its place":            {time.Minute, figures{Bytes: 100, Done: 100}, false, false},
		"nobody reads what is passed": {time.Minute, figures{Bytes: 100, Done: 99}, true, false},
	} {
		now := time.Now()
		w := wait{limit: c.limit, since: now, asked: now}
		ended := false
		for range 1000 {
			now = now.Add(barEvery)
			ended = ended || w.over(now, c.after, c.held)
		}
		if ended != c.ends {
			t.Errorf("%s: ended %v", name, ended)
		}
	}

	// A second before the end, something comes: a piece, or a part of one.
	now := time.Now()
	w := wait{limit: time.Minute, since: now, asked: now}
	f := figures{Bytes: 100}
	for i := range 10 * 59 {
		now = now.Add(time.Second)
		if i%(2*59) == 0 {
			f.Done++
		} else if i%59 == 0 {
			f.came++
		}
		if w.over(now, f, false) {
			t.Fatalf("it ended after %d s", i)
		}
	}
	// Nobody asked for an hour.
	now = now.Add(time.Hour)
	if w.over(now, f, false) {
		t.Error("it ended when the program went on")
	}
	ended := false
	for range 61 {
		now = now.Add(time.Second)
		ended = w.over(now, f, false)
	}
	if !ended {
		t.Error("it did not end")
	}

	r, out := io.Pipe()
	h := &holding{Writer: out}
	wrote := make(chan error, 1)
	go func() {
		_, err := h.Write([]byte("ab"))
		wrote <- err
	}()
	if _, err := r.Read(make([]byte, 1)); err != nil || !h.held.Load() {
		t.Errorf("while half of it was read: held %v, %v", h.held.Load(), err)
	}
	_, _ = r.Read(make([]byte, 1))
	if err := <-wrote; err != nil || h.held.Load() {
		t.Errorf("when all of it was read: held %v, %v", h.held.Load(), err)
	}
	for d, want := range map[time.Duration]string{2 * time.Minute: "2m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Second: "10s", 500 * time.Millisecond: "500ms"} {
		if got := duration(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
