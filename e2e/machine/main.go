// Command machine is one Go peer with several torrents, for tests with browsers: it shares what it is told to, fetches
// the rest, and says on stdout, one JSON object to a line, what it shares, what has come, and whenever that changes how
// many links and channels it has. It meets others over links alone, fetches no data before the file at GO is there, and
// ends with a signal.
//
//	machine [-private] -tracker URL -into DIR -go GO [-share PATH]… [LINK…]
//
//	{"shared": "link"}   {"path": "what came", "link": "by which"}   {"links": 1, "channels": 4, "made": 1}
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/starling-p2p/starling/peer"
)

type list []string

func (l *list) String() string        { return "" }
func (l *list) Set(text string) error { *l = append(*l, text); return nil }

func main() {
	log.SetFlags(0)
	var share list
	private := flag.Bool("private", false, "seal what is shared")
	tracker := flag.String("tracker", "", "where to announce")
	into := flag.String("into", "", "where data goes")
	start := flag.String("go", "", "the file to wait for")
	flag.Var(&share, "share", "a file or folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	o := peer.Defaults(filepath.Join(*into, "data"))
	o.Listen = "127.0.0.1:0"
	o.Trackers = []string{*tracker}
	o.TCP, o.UTP, o.LSD, o.DHT.Enabled = false, false, false, false
	p, err := peer.New(o)
	must(err)
	defer p.Close()

	for _, path := range share {
		t, err := p.Share(ctx, peer.ShareOptions{Paths: []string{path}, Private: *private})
		must(err)
		say(map[string]any{"shared": t.Link("https://test")})
	}
	for _, link := range flag.Args() {
		_, err := p.Add(ctx, link, peer.AddOptions{Dir: *into, Lazy: true})
		must(err)
	}
	go fetch(ctx, p, flag.Args(), peer.AddOptions{Dir: *into}, *start)
	for last := (peer.Links{Open: -1}); ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if now := p.Links(); now != last {
			last = now
			say(map[string]any{"links": now.Open, "channels": now.Channels, "made": now.Made})
		}
	}
}

// fetch waits for the file, and then for all data.
func fetch(ctx context.Context, p *peer.Peer, links []string, o peer.AddOptions, start string) {
	for _, err := os.Stat(start); err != nil; _, err = os.Stat(start) {
		time.Sleep(20 * time.Millisecond)
	}
	for _, link := range links {
		t, err := p.Add(ctx, link, o)
		must(err)
		err = t.Done(ctx)
		if ctx.Err() != nil {
			return
		}
		must(err)
		say(map[string]any{"path": t.Root(), "link": link})
	}
}

var saying sync.Mutex

func say(what any) {
	saying.Lock()
	defer saying.Unlock()
	must(json.NewEncoder(os.Stdout).Encode(what))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
