package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/starling-p2p/starling/peer"
)

// longestLink is in bytes: with a link may come many trackers.
const longestLink = 1 << 20

// found is a torrent of which the files are known.
type found struct {
	peer    *peer.Peer
	torrent *peer.Torrent
	view    *screen
	own     string // the data folder of this task alone
	link    string
	options peer.AddOptions
	// trackers are the link's server's, besides those that it names.
	trackers []string
}

// add adds a link, as the first one was.
func (f *found) add(ctx context.Context, link string) (*peer.Torrent, error) {
	ref, err := peer.ParseRef(link)
	if err != nil {
		return nil, err
	}
	ref.Trackers = append(ref.Trackers, f.trackers...)
	return f.peer.AddRef(ctx, ref, f.options)
}

// done notes that all has come.
func (f *found) done() {
	if f.own != "" {
		_ = os.WriteFile(filepath.Join(f.own, doneMark), nil, 0o600)
	}
}

// close ends it all. finished: there is nothing left to go on with, so what was kept for that may go.
func (f *found) close(finished bool) error {
	f.view.close()
	err := f.peer.Close()
	if finished && f.own != "" {
		err = errors.Join(err, os.RemoveAll(f.own))
	}
	return err
}

// find starts a peer, adds a link and waits until its files are known. output is as in get; "-" keeps the data in the
// task's own folder.
func (n *network) find(ctx context.Context, s streams, command, link, output string, patience time.Duration) (f *found, err error) {
	if link == "-" {
		if link, err = readLink(ctx, s); err != nil {
			return nil, err
		}
	}
	ref, err := peer.ParseRef(link)
	if err != nil {
		return nil, failure{exitLink, err}
	}
	dir, name, err := place(output)
	if err != nil {
		return nil, err
	}
	words := []string{command, fmt.Sprintf("%x", ref.InfoHash), absolute(ref.TorrentFile), dir, name}
	if output == "-" {
		words = words[:3]
	}
	f = &found{view: &screen{streams: s, json: n.JSON}, link: link}
	servers := n.serversFor(link)
	f.peer, f.own, err = n.start(task{name: words, public: ref.Key == nil, servers: servers, log: f.view})
	if err != nil {
		return nil, err
	}
	if output == "-" {
		dir, name = filepath.Join(f.dataDir(n), "data"), ""
	}
	f.options = peer.AddOptions{Dir: dir, Name: name, Exact: name != "", Lazy: output == "-", ToRead: output == "-"}
	for _, s := range servers {
		switch {
		case s.own:
			f.options.Trackers = append(f.options.Trackers, s.trackers()...)
		case n.Server != "" || slices.Contains(ref.Trackers, s.tracker()):
			f.trackers = append(f.trackers, s.trackers()...)
		}
	}
	f.options.Trackers = append(f.options.Trackers, n.Tracker...)
	f.torrent, err = f.add(ctx, link)
	if away := (*url.Error)(nil); errors.As(err, &away) && ctx.Err() == nil {
		err = failure{exitNobody, fmt.Errorf("%w: is the address right, and its server up? Then run the same command again", err)}
	}
	if err == nil {
		err = watch(ctx, f.torrent, f.view, fetchingLook(nameOf(ref)), patience, nil, f.torrent.Ready)
	}
	if err != nil {
		_ = f.close(errors.Is(err, peer.ErrTaken))
		return nil, unfound(ctx, err, output)
	}
	if files := f.torrent.Files(); ref.Key == nil && len(files) == 1 && files[0].Path == "sealed" {
		f.view.say("This looks like sealed data whose link has lost its key, which stands behind a dot: ask for the whole link.")
	}
	return f, nil
}

// unfound says why the files are not known, and what to do.
func unfound(ctx context.Context, err error, output string) error {
	switch {
	case errors.Is(err, peer.ErrTaken):
		return failure{exitMachine, fmt.Errorf("%s is there already, with other contents: move it away, or choose another name with -o", output)}
	case errors.Is(err, peer.ErrBusy):
		err = failure{exitMachine, errors.New("another starling fetches it to the same folder: wait until that one has it, or name another folder with -o")}
	}
	return ending(ctx, ofLink(err), "run the same command again to go on")
}

// readLink takes a link from stdin, where nobody sees its key: all users of a machine see what is an argument.
func readLink(ctx context.Context, s streams) (string, error) {
	if isTerminal(os.Stdin) {
		fmt.Fprintln(s.err, "Paste the link, and press Enter:")
	}
	read := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(os.Stdin, longestLink)).ReadString('\n')
		read <- strings.TrimSpace(line)
	}()
	select {
	case link := <-read:
		if link == "" {
			return "", failure{exitUsage, errors.New("there is no link on stdin, where - reads it from")}
		}
		return link, nil
	case <-ctx.Done():
		return "", stopped("no link has come from stdin")
	}
}

func (f *found) dataDir(n *network) string {
	if f.own != "" {
		return f.own
	}
	return n.DataDir
}

// nameOf is what to call it as long as only the link is known.
func nameOf(r peer.Ref) string {
	switch {
	case r.Name != "":
		return r.Name
	case r.TorrentFile != "":
		return filepath.Base(r.TorrentFile)
	}
	return fmt.Sprintf("%x", r.InfoHash[:4])
}

func absolute(path string) string {
	if path == "" || strings.Contains(path, "://") {
		return path
	}
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}
