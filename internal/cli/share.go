package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/starling-p2p/starling/peer"
)

type share struct {
	Path []localPath `arg:"" help:"Files and folders."`
	sharing
	QR *bool `name:"qr" negatable:"" help:"Draw the link as a QR code (default: on a terminal)."`
	network
}

// sharing is what share and push have in common.
type sharing struct {
	Name    string   `placeholder:"NAME" help:"What to call it. Default: the name of the file or folder."`
	Public  bool     `help:"Share a plain torrent, for every BitTorrent client. Whoever learns its infohash can fetch it."`
	WebSeed []string `sep:" " placeholder:"URL" help:"With --public: the same files lie on this web server too (BEP 19). May be given several times."`
}

func (c *sharing) validate() error {
	if len(c.WebSeed) > 0 && !c.Public {
		return errors.New("--web-seed goes with --public: a web server has the files as they are, and a private link is for sealed ones")
	}
	for _, seed := range c.WebSeed {
		if u, err := url.Parse(seed); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("--web-seed %q is not a URL such as https://files.example.org/film.mp4", seed)
		}
	}
	return nil
}

// Help is what share --help says besides.
func (share) Help() string {
	return `Prints a link, and shares until it is stopped (Ctrl-C). The link opens in any browser, on this server's page, and with
"starling get". Private: what travels is sealed, and the key is in the link alone. With --public any BitTorrent client
can fetch it, too.

The same command again gives the same link, without reading unchanged files anew.

Example:
  starling share film.mp4
  starling share --server https://share.example.org --limit-up 2M photos/ notes.txt
  starling share --public --tracker udp://tracker.example.org:6969 image.iso`
}

// Validate says what is wrong, and with which flag.
func (c *share) Validate() error { return errors.Join(c.validate(), c.network.Validate()) }

// Run shares until the context ends.
func (c *share) Run(ctx context.Context, s streams) error {
	draw := isTerminal(s.out)
	if c.QR != nil {
		draw = *c.QR
	}
	return c.sharing.run(ctx, s, &c.network, "share", paths(c.Path), 0, func(link string) error {
		if !draw {
			return nil
		}
		return writeQR(s.out, link)
	})
}

// shared is what is printed as JSON once it can be fetched.
type shared struct {
	Event    string `json:"event"`
	Link     string `json:"link"`
	Magnet   string `json:"magnet,omitempty"`
	InfoHash string `json:"infoHash"`
	Name     string `json:"name"`
	Bytes    int64  `json:"bytes"`
	Files    int    `json:"files"`
	Private  bool   `json:"private"`
}

// run shares until the context ends, or until so many others have all of it; 0: however many. also gets the link.
func (c *sharing) run(ctx context.Context, s streams, n *network, command string, paths []string, until int, also func(link string) error) error {
	ctx, free := tied(ctx)
	defer free()
	words := []string{command, c.Name, fmt.Sprint(c.Public)}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return failure{exitMachine, fmt.Errorf("%s cannot be shared: %w", path, cause(err))}
		}
		words = append(words, path)
	}
	host := n.server()
	view := &screen{streams: s, json: n.JSON}
	defer view.close()
	p, _, err := n.start(task{name: words, public: c.Public, servers: []server{host}, log: view})
	if err != nil {
		return err
	}
	defer p.Close()

	reading := view.open(readingLook())
	t, err := p.Share(ctx, peer.ShareOptions{
		Paths: paths, Name: c.Name, Private: !c.Public, WebSeeds: c.WebSeed,
		Trackers: append(host.trackers(), n.Tracker...),
		Progress: func(done, all int64) { reading.show(figures{Bytes: all, Done: done}) },
	})
	view.close()
	if err != nil {
		if ctx.Err() != nil {
			return stopped("nothing is shared yet")
		}
		return onReading(err)
	}
	answered(ctx, t, host.tracker()) // so that the link works when it is there
	others := downloads{server: host, infoHash: t.InfoHash()}
	if until > 0 {
		if err := others.begin(ctx); err != nil { // before anybody has the link
			return err
		}
	}
	if err := c.print(s, n.JSON, t, host); err != nil {
		return err
	}
	if err := also(t.Link(host.String())); err != nil {
		return err
	}
	if hint := host.hint(t.Stats().Trackers, command == "share"); hint != "" {
		view.say("%s", hint)
	}
	if until > 0 {
		err = sharedUntil(ctx, view, t, &others, until)
	} else {
		seed(ctx, view, sharingLook(), t)
	}
	view.close()
	return errors.Join(err, p.Close())
}

func (c *sharing) print(s streams, json bool, t *peer.Torrent, host server) (err error) {
	e := shared{
		Event: "shared", Link: t.Link(host.String()), InfoHash: hexHash(t), Name: safe(t.Name()),
		Bytes: bytesOf(t), Files: len(t.Files()), Private: t.Private(),
	}
	if c.Public {
		e.Magnet = t.Magnet()
	}
	if json {
		return printJSON(s.out, e)
	}
	if _, err = fmt.Fprintln(s.out, e.Link); err == nil && c.Public {
		_, err = fmt.Fprintln(s.out, e.Magnet)
	}
	return err
}

// cause is an error of the file system without the path, which is said already.
func cause(err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
