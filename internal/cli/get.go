package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/starling-p2p/starling/peer"
)

type get struct {
	Link    string        `arg:"" help:"A Starling link (in quotes), a magnet link, an infohash, or a .torrent file or its URL. - reads it from stdin."`
	Output  string        `short:"o" placeholder:"PATH" help:"Where to: a folder that exists or ends in /, or the name to give it. - writes to stdout, in order, while it still comes. Default: this folder."`
	Pick    string        `placeholder:"FILE" help:"With -o -: which file of several, by its number or path in 'starling info'."`
	Seed    bool          `help:"When all is there, go on sharing it until it is stopped (Ctrl-C)."`
	SeedFor time.Duration `placeholder:"DURATION" help:"The same, for so long."`
	patience
	network
}

// patience is how long a command waits.
type patience struct {
	Timeout time.Duration `default:"2m" placeholder:"DURATION" help:"Give up when nothing has come for so long; 0: never (default ${default})."`
}

func (p *patience) validate() error {
	if p.Timeout < 0 {
		return fmt.Errorf("--timeout %s: it cannot be negative; 0 never gives up", p.Timeout)
	}
	return nil
}

// Help is what get --help says besides.
func (get) Help() string {
	return `Fetches what was shared, from all who have it at once: browsers and BitTorrent peers. What was stopped goes on where it
was when the same command is run again. Its path is printed when all of it is there and verified. Who may list this
machine's processes sees the link and its key, unless it comes from stdin.

Exit codes: 0 done, 2 wrong flags, 3 nobody has it at the moment, 4 the link is no good, 5 no space, no permission or a name that is taken,
6 stopped before it was done, 1 anything else.

Examples:
  starling get 'https://share.example.org/f#08ada5a7…'
  starling get -o backup.tar 'magnet:?xt=urn:btih:08ada5a7…'
  starling get -o - 'https://share.example.org/f#08ada5a7…' | tar x
  starling get - < link.txt`
}

// done is what is printed as JSON at the end.
type done struct {
	Event string `json:"event"`
	Path  string `json:"path,omitempty"`
	Bytes int64  `json:"bytes"`
}

// Validate says what is wrong, and with which flag.
func (c *get) Validate() error {
	switch {
	case c.Output == "-" && c.JSON:
		return errors.New("--json and -o - would both write to stdout: leave one of them out")
	case c.Output != "-" && c.Pick != "":
		return errors.New("--pick goes with -o - only: the other way, all files are fetched")
	case c.Output == "-" && (c.Seed || c.SeedFor > 0):
		return errors.New("-o - keeps no file that could be shared: leave out --seed")
	}
	if c.SeedFor < 0 {
		return fmt.Errorf("--seed-for %s: it cannot be negative", c.SeedFor)
	}
	return errors.Join(c.patience.validate(), c.network.Validate())
}

// Run returns when all is there, or has been shared on as long as it is to be.
func (c *get) Run(ctx context.Context, s streams) error {
	ctx, free := tied(ctx)
	defer free()
	f, err := c.find(ctx, s, "get", c.Link, c.Output, c.Timeout)
	if err != nil {
		return err
	}
	if c.Output == "-" {
		signal.Ignore(syscall.SIGPIPE) // it would end the program before what was fetched is removed
		err = c.pipe(ctx, s, f)
		return errors.Join(err, f.close(true))
	}
	torrents, err := c.fetch(ctx, s, f)
	if err == nil {
		f.done()
		if c.Seed || c.SeedFor > 0 {
			c.seed(ctx, f, torrents)
		}
	}
	return errors.Join(err, f.close(false))
}

// fetch waits until all is in its place, and prints where. A link to several things is followed to each of them.
func (c *get) fetch(ctx context.Context, s streams, f *found) (all []*peer.Torrent, err error) {
	if err := c.wait(ctx, f, f.torrent); err != nil {
		return nil, err
	}
	parts, err := partsOf(f.torrent)
	if err != nil {
		return nil, ofLink(err)
	}
	if parts == nil {
		return []*peer.Torrent{f.torrent}, c.print(s, f.torrent)
	}
	list, called := f.torrent.Root(), f.options.Name != ""
	if called { // the folder is, in which they are to lie
		_ = f.torrent.Close() // not to be shared from where it was
		if err := os.Remove(list); err != nil {
			return nil, onMachine(err)
		}
		f.options.Dir, f.options.Name, f.options.Exact = list, "", false
	}
	for _, part := range parts {
		t, err := f.add(ctx, f.linkTo(part))
		if err == nil {
			err = c.wait(ctx, f, t)
		}
		if err == nil {
			err = c.print(s, t)
		}
		if err != nil {
			return nil, ofLink(err)
		}
		all = append(all, t)
	}
	if called {
		return all, nil
	}
	return all, os.Remove(list) // nobody needs it any more
}

func (c *get) wait(ctx context.Context, f *found, t *peer.Torrent) error {
	name := t.Name()
	if name == "" {
		name = nameOf(peer.Ref{InfoHash: t.InfoHash()})
	}
	err := watch(ctx, t, f.view, fetchingLook(name), c.Timeout, nil, t.Done)
	return ending(ctx, err, "run the same command again to go on from here")
}

func (c *get) print(s streams, t *peer.Torrent) error {
	path := relative(t.Root())
	if c.JSON {
		return printJSON(s.out, done{"done", path, bytesOf(t)})
	}
	_, err := fmt.Fprintln(s.out, safe(path))
	return err
}

func (c *get) seed(ctx context.Context, f *found, torrents []*peer.Torrent) {
	if c.SeedFor > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.SeedFor)
		defer cancel()
	}
	seed(ctx, f.view, sharingLook(), torrents...)
}

// pipe writes one file to stdout.
func (c *get) pipe(ctx context.Context, s streams, f *found) error {
	files := f.torrent.Files()
	i, err := choose(f.torrent, c.Pick, func() (int, error) {
		if len(files) == 1 {
			return 0, nil
		}
		return 0, failure{exitUsage, fmt.Errorf("there are %s: say which with --pick ('starling info' lists them)", count(len(files), "file"))}
	})
	if err != nil {
		return err
	}
	out := &holding{Writer: s.out}
	err = watch(ctx, f.torrent, f.view, fetchingLook(f.torrent.Name()), c.Timeout, &out.held, func(ctx context.Context) error {
		r := files[i].NewReader(ctx)
		defer r.Close()
		_, err := io.Copy(out, r)
		return err
	})
	if errors.Is(err, syscall.EPIPE) {
		return stopped("nobody reads stdout any more")
	}
	return ending(ctx, err, "stdout has only the beginning of it")
}

// holding knows whether whoever reads what is written lets it wait.
type holding struct {
	io.Writer
	held atomic.Bool
}

// Write is io.Writer.
func (h *holding) Write(p []byte) (int, error) {
	h.held.Store(true)
	defer h.held.Store(false)
	return h.Writer.Write(p)
}

// choose returns the file that is meant by a number (from 1 on) or a path.
func choose(t *peer.Torrent, pick string, otherwise func() (int, error)) (int, error) {
	if isBundle(t) {
		return 0, failure{exitUsage, errors.New("this link leads to several memos: 'starling get' fetches all of them")}
	}
	if pick == "" {
		return otherwise()
	}
	for i, f := range t.Files() {
		if pick == fmt.Sprint(i+1) || pick == f.Path {
			return i, nil
		}
	}
	return 0, failure{exitUsage, fmt.Errorf("there is no file %q: 'starling info' lists them", pick)}
}

// ending says that it was a signal, where it was.
func ending(ctx context.Context, err error, what string) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return stopped(what)
	}
	return onMachine(err)
}

// place tells the folder that something goes to, and what to call it there; "": as it is called.
func place(output string) (dir, name string, err error) {
	info, err := os.Stat(output)
	switch {
	case output == "":
		dir = "."
	case err == nil && info.IsDir(), strings.HasSuffix(output, "/"), strings.HasSuffix(output, string(filepath.Separator)):
		dir = output
	default:
		dir, name = filepath.Split(output)
	}
	dir, err = filepath.Abs(dir)
	return dir, name, err
}

// relative is a path as it is shortest to write from here.
func relative(path string) string {
	if here, err := os.Getwd(); err == nil {
		if r, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(r, "..") {
			return r
		}
	}
	return path
}
