package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// How often figures are shown: on a terminal, in JSON, and in lines for a log.
const (
	barEvery   = 250 * time.Millisecond
	eventEvery = time.Second
	lineEvery  = 10 * time.Second
)

// figures are what a task looks like at one moment; they are also the JSON of a progress event.
type figures struct {
	Event    string     `json:"event"`
	Bytes    int64      `json:"bytes"`
	Done     int64      `json:"bytesDone"`
	Down     float64    `json:"downloadSpeed"`
	Up       float64    `json:"uploadSpeed"`
	Uploaded int64      `json:"uploaded"`
	Peers    peerCounts `json:"peers"`

	came int64 // bytes, be they verified yet or not
}

func (f figures) plus(o figures) figures {
	return figures{
		Bytes: f.Bytes + o.Bytes, Done: f.Done + o.Done, Down: f.Down + o.Down, Up: f.Up + o.Up, Uploaded: f.Uploaded + o.Uploaded,
		Peers: peerCounts{
			f.Peers.Browser + o.Peers.Browser, f.Peers.TCP + o.Peers.TCP, f.Peers.UTP + o.Peers.UTP, f.Peers.WebSeed + o.Peers.WebSeed,
		},
	}
}

// peerCounts are those connected, by the way to them.
type peerCounts struct {
	Browser int `json:"browser"`
	TCP     int `json:"tcp"`
	UTP     int `json:"utp"`
	WebSeed int `json:"webSeed"`
}

func (p peerCounts) all() int { return p.Browser + p.TCP + p.UTP + p.WebSeed }

func (p peerCounts) String() string {
	var kinds []string
	for _, k := range []struct {
		n    int
		name string
	}{{p.Browser, "browser"}, {p.TCP, "TCP"}, {p.UTP, "uTP"}, {p.WebSeed, "web seed"}} {
		switch {
		case k.n == 0:
		case strings.ToUpper(k.name) == k.name || k.name == "uTP":
			kinds = append(kinds, fmt.Sprintf("%d %s", k.n, k.name))
		default:
			kinds = append(kinds, count(k.n, k.name))
		}
	}
	if kinds == nil {
		return "no peers"
	}
	return strings.Join(kinds, ", ")
}

// display shows how a task goes on. All of it may be called by several goroutines.
type display interface {
	// show is called every barEvery.
	show(figures)
	// Write prints whole lines, such as logs, beside it.
	io.Writer
	close()
}

// isTerminal says whether somebody looks at it.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// look is how a task is shown to people.
type look struct {
	name  string // of what it is about; may be a stranger's
	text  func(figures) string
	event string // in JSON
	// idle: it goes on until it is stopped, so there is no end to draw a bar to, nor to print lines about.
	idle bool
}

func fetchingLook(name string) look { return look{name: name, text: summary, event: "progress"} }
func readingLook() look             { return look{name: "reading", text: readSoFar, event: "reading"} }
func sharingLook() look             { return look{text: sentSoFar, event: "progress", idle: true} }
func streamingLook() look           { return look{text: cameSoFar, event: "progress", idle: true} }

// screen is stderr, with one display on it at a time, or none; and stdout where JSON is wanted.
type screen struct {
	streams
	json bool

	mu sync.Mutex
	d  display
}

// open shows a bar on a terminal, events where JSON is wanted, else a line from time to time; until the next one.
func (s *screen) open(l look) display {
	s.close()
	var d display
	switch {
	case s.json:
		d = &events{out: s.out, err: s.err, event: l.event, last: time.Now()}
	case isTerminal(s.err):
		d = newBar(s.err, l)
	default:
		d = &lines{w: s.err, look: l}
	}
	s.mu.Lock()
	s.d = d
	s.mu.Unlock()
	return d
}

func (s *screen) close() {
	s.mu.Lock()
	d := s.d
	s.d = nil
	s.mu.Unlock()
	if d != nil {
		d.close()
	}
}

// Write prints whole lines, beside the display if there is one.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d != nil {
		return s.d.Write(p)
	}
	return s.err.Write(p)
}

// say prints a line to people; nothing that a stranger chose but through safe.
func (s *screen) say(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// events are JSON objects, one per line, on stdout.
type events struct {
	out, err io.Writer
	event    string
	mu       sync.Mutex
	last     time.Time
}

func (e *events) show(f figures) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); now.Sub(e.last) >= eventEvery {
		e.last = now
		f.Event = e.event
		_ = printJSON(e.out, f)
	}
}

func (e *events) Write(p []byte) (int, error) { return e.err.Write(p) }
func (e *events) close()                      {}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// lines are for logs, and for people who have sent stderr somewhere.
type lines struct {
	w    io.Writer
	look look
	mu   sync.Mutex
	last time.Time
}

func (l *lines) show(f figures) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.last.IsZero() {
		l.last = now
	}
	if l.look.idle || now.Sub(l.last) < lineEvery {
		return
	}
	l.last = now
	_, _ = fmt.Fprintln(l.w, l.look.text(f))
}

func sentSoFar(f figures) string {
	return fmt.Sprintf("%s sent, %s, %s", size(f.Uploaded), rate(f.Up), f.Peers)
}

func readSoFar(f figures) string {
	if f.Bytes == 0 {
		return "nothing yet"
	}
	return fmt.Sprintf("%d%% of %s", int64(100*float64(f.Done)/float64(f.Bytes)), size(f.Bytes))
}

// cameSoFar has no time that is left: of a stream comes what its player asks for.
func cameSoFar(f figures) string {
	return fmt.Sprintf("%s, %s, %s", readSoFar(f), rate(f.Down), f.Peers)
}

func summary(f figures) string {
	if l := left(f.Bytes-f.Done, f.Down); l != "" {
		return cameSoFar(f) + ", " + l
	}
	return cameSoFar(f)
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
func (l *lines) close() {}

// bar is one line on a terminal that changes.
type bar struct {
	progress *mpb.Progress
	bar      *mpb.Bar
	mu       sync.Mutex
	figures  figures
}

func newBar(w io.Writer, l look) *bar {
	b := &bar{progress: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(barEvery))}
	if l.idle {
		b.bar = b.progress.New(0, mpb.NopStyle(), mpb.PrependDecorators(b.text(l.text)))
		return b
	}
	b.bar = b.progress.New(1, mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("┄"), mpb.BarWidth(24),
		mpb.PrependDecorators(decor.Name(short(l.name, 28))), mpb.AppendDecorators(b.text(l.text)))
	return b
}

func (b *bar) text(f func(figures) string) decor.Decorator {
	return decor.Any(func(decor.Statistics) string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return f(b.figures)
	})
}

func (b *bar) show(f figures) {
	b.mu.Lock()
	b.figures = f
	b.mu.Unlock()
	if f.Bytes > 0 {
		b.bar.SetTotal(f.Bytes, false)
		b.bar.SetCurrent(f.Done)
	}
}

// Write prints above the bar.
func (b *bar) Write(p []byte) (int, error) { return b.progress.Write(p) }

func (b *bar) close() {
	b.bar.Abort(false)
	b.progress.Wait()
}
