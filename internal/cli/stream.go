package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/starling-p2p/starling/peer"
)

type stream struct {
	Link string `arg:"" help:"A Starling link (in quotes), a magnet link, an infohash, or a .torrent file or its URL. - reads it from stdin."`
	Pick string `placeholder:"FILE" help:"Which file of several, by its number or path in 'starling info'. Default: the largest that players play."`
	Port int    `placeholder:"N" help:"The port on this machine (default: any free one)."`
	patience
	network
}

// Help is what stream --help says besides.
func (stream) Help() string {
	return `Prints a URL that players on this machine can open at once, and seek in, while it still comes. Runs until it is stopped
(Ctrl-C); what was fetched is kept till then, unless --data-dir names a folder for it.

Example:
  starling stream 'https://share.example.org/f#08ada5a7…'
  starling stream 'magnet:?xt=urn:btih:08ada5a7…' | xargs -n 1 mpv`
}

// streaming is what is printed as JSON once it can be played.
type streaming struct {
	Event string          `json:"event"`
	URL   string          `json:"url"`
	Name  string          `json:"name"`
	Bytes int64           `json:"bytes"`
	Type  string          `json:"type,omitempty"`
	Files []streamingFile `json:"files"`
}

type streamingFile struct {
	URL   string `json:"url"`
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	Type  string `json:"type,omitempty"`
}

// Validate says what is wrong, and with which flag.
func (c *stream) Validate() error {
	if c.Port < 0 || c.Port > 65535 {
		return fmt.Errorf("--port %d is none: 0 to 65535", c.Port)
	}
	return errors.Join(c.patience.validate(), c.network.Validate())
}

// Run serves until the context ends.
func (c *stream) Run(ctx context.Context, s streams) error {
	ctx, free := tied(ctx)
	defer free()
	f, err := c.find(ctx, s, "stream", c.Link, "-", c.Timeout)
	if err != nil {
		return err
	}
	return errors.Join(c.serve(ctx, s, f), f.close(true))
}

func (c *stream) serve(ctx context.Context, s streams, f *found) error {
	files := f.torrent.Files()
	i, err := choose(f.torrent, c.Pick, func() (int, error) { return largest(files), nil })
	if err != nil {
		return err
	}
	served := make([]localFile, len(files))
	for j, file := range files {
		served[j] = localFile{file.Path, file.Size, file.Type, func(ctx context.Context) io.ReadSeekCloser { return file.NewReader(ctx) }}
	}
	l, err := listenLocal(c.Port, hexHash(f.torrent), served)
	if err != nil {
		return failure{exitMachine, err}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- l.serve(ctx)
		stop()
	}()

	if c.JSON {
		e := streaming{"streaming", l.url(i), files[i].Path, files[i].Size, files[i].Type, nil}
		for j, file := range files {
			e.Files = append(e.Files, streamingFile{l.url(j), file.Path, file.Size, file.Type})
		}
		err = printJSON(s.out, e)
	} else {
		_, err = fmt.Fprintln(s.out, l.url(i))
		f.view.say("Open it in mpv, VLC or ffplay: %s, %s.", safe(files[i].Path), size(files[i].Size))
		if len(files) > 1 {
			f.view.say("All %d files: %s", len(files), l.url(-1))
		}
	}
	if err == nil {
		seed(ctx, f.view, streamingLook(), f.torrent)
	}
	stop()
	return errors.Join(err, <-ended)
}

// largest is the biggest file for players, or the biggest of all.
func largest(files []peer.File) (best int) {
	for i, f := range files {
		if a, b := playable(f.Type), playable(files[best].Type); a && !b || a == b && f.Size > files[best].Size {
			best = i
		}
	}
	return best
}
