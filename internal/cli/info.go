package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/starling-p2p/starling/peer"
)

type info struct {
	Link string `arg:"" help:"A Starling link (in quotes), a magnet link, an infohash, or a .torrent file or its URL. - reads it from stdin."`
	patience
	network
}

// Help is what info --help says besides.
func (info) Help() string {
	return `Asks those who have it what it is, and fetches none of the files.

Example:
  starling info 'https://share.example.org/f#08ada5a7…'
  starling info --json image.iso.torrent`
}

// Validate says what is wrong, and with which flag.
func (c *info) Validate() error { return errors.Join(c.patience.validate(), c.network.Validate()) }

// about is what info prints as JSON.
type about struct {
	Event    string         `json:"event"`
	InfoHash string         `json:"infoHash"`
	Name     string         `json:"name"`
	Private  bool           `json:"private"`
	Bytes    int64          `json:"bytes"`
	Files    []aboutFile    `json:"files"`
	Trackers []aboutTracker `json:"trackers"`
	Peers    peerCounts     `json:"peers"`
}

type aboutFile struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	Type  string `json:"type,omitempty"`
}

type aboutTracker struct {
	URL      string `json:"url"`
	Answers  bool   `json:"answers"`
	Error    string `json:"error,omitempty"`
	Seeders  int    `json:"seeders"`
	Leechers int    `json:"leechers"`
}

// Run prints what is known.
func (c *info) Run(ctx context.Context, s streams) error {
	ctx, free := tied(ctx)
	defer free()
	f, err := c.find(ctx, s, "info", c.Link, "-", c.Timeout)
	if err != nil {
		return err
	}
	answered(ctx, f.torrent, "")
	a := aboutOf(f.torrent)
	if c.JSON {
		err = printJSON(s.out, a)
	} else {
		_, err = fmt.Fprint(s.out, a)
	}
	return errors.Join(err, f.close(true))
}

func aboutOf(t *peer.Torrent) about {
	a := about{Event: "info", InfoHash: hexHash(t), Name: safe(t.Name()), Private: t.Private(), Bytes: bytesOf(t), Peers: figuresOf(t).Peers, Trackers: []aboutTracker{}}
	for _, f := range t.Files() {
		a.Files = append(a.Files, aboutFile{f.Path, f.Size, f.Type})
	}
	trackers := t.Stats().Trackers
	for _, r := range trackers {
		// A server's tracker is asked in two ways; people need to hear of it once.
		if slices.ContainsFunc(trackers, func(o peer.Tracker) bool { return r.URL == strings.Replace(o.URL, "ws", "http", 1) && o.URL != r.URL }) {
			continue
		}
		to := aboutTracker{URL: safe(r.URL), Answers: r.Connected, Seeders: r.Seeders, Leechers: r.Leechers}
		if r.Err != nil {
			to.Error = safe(r.Err.Error())
		}
		a.Trackers = append(a.Trackers, to)
	}
	return a
}

// String is for people.
func (a about) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	kind := "public"
	if a.Private {
		kind = "private: it travels sealed"
	}
	fmt.Fprintf(w, "Name:\t%s\n", safe(a.Name))
	fmt.Fprintf(w, "Kind:\t%s\n", kind)
	fmt.Fprintf(w, "Size:\t%s in %s\n", size(a.Bytes), count(len(a.Files), "file"))
	fmt.Fprintf(w, "Infohash:\t%s\n", a.InfoHash)
	fmt.Fprintf(w, "Peers:\t%s connected\n", a.Peers)
	for _, t := range a.Trackers {
		switch {
		case t.Error != "":
			fmt.Fprintf(w, "Tracker:\t%s does not answer: %s\n", t.URL, t.Error)
		case !t.Answers:
			fmt.Fprintf(w, "Tracker:\t%s has not answered yet\n", t.URL)
		default:
			fmt.Fprintf(w, "Tracker:\t%s knows %s, %d fetching\n", t.URL, count(t.Seeders, "seeder"), t.Leechers)
		}
	}
	_ = w.Flush()
	b.WriteByte('\n')
	w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, f := range a.Files {
		fmt.Fprintf(w, "%d\t%s\t  %s\n", i+1, size(f.Bytes), safe(f.Path))
	}
	_ = w.Flush()
	return b.String()
}
