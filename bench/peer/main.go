// Command peer measures Go peers for `node bench/run.mjs peer…`; each of its modes prints figures, one to a line, as
// "name value".
//
//	peer tcp TRACKER FILE           one process: a peer fetches FILE from another over TCP
//	peer fleet TRACKER FILE N RATE  N peers fetch FILE at once from one that is limited to RATE bytes/s, and one another
//	peer idle TRACKER N             one peer shares N torrents, and waits on its standard input
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/starling-p2p/starling/peer"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 4 {
		log.Fatal("usage: peer tcp|fleet|idle TRACKER …")
	}
	dir, err := os.MkdirTemp("", "starling-bench-")
	must(err)
	defer os.RemoveAll(dir)
	b := bench{dir: dir, tracker: os.Args[2]}
	switch mode, rest := os.Args[1], os.Args[3:]; mode {
	case "tcp":
		b.fleet(rest[0], 1, 0)
	case "fleet":
		b.fleet(rest[0], number(rest[1]), int64(number(rest[2])))
	case "idle":
		b.idle(number(rest[0]))
	default:
		log.Fatalf("no mode %s", mode)
	}
}

type bench struct{ dir, tracker string }

// peer starts one that stays on this machine and talks TCP alone.
func (b bench) peer(name string, upload int64) *peer.Peer {
	o := peer.Defaults(filepath.Join(b.dir, name))
	o.Listen, o.LinkListen = "127.0.0.1:0", "127.0.0.1:0"
	o.Trackers = []string{b.tracker}
	o.WebRTC = strings.HasPrefix(b.tracker, "ws")
	o.UTP, o.LSD, o.DHT.Enabled = false, false, false
	o.UploadLimit = upload
	p, err := peer.New(o)
	must(err)
	return p
}

// fleet prints the seconds from the moment when all have the metadata's link in hand until all have all data, and the
// seconds from the first byte.
func (b bench) fleet(file string, n int, rate int64) {
	ctx := context.Background()
	seeder := b.peer("seeder", rate)
	defer seeder.Close()
	shared, err := seeder.Share(ctx, peer.ShareOptions{Paths: []string{file}})
	must(err)
	info, err := os.Stat(file)
	must(err)

	var all sync.WaitGroup
	var first sync.Once
	var begun time.Time
	start := time.Now()
	for i := range n {
		p := b.peer("getter"+strconv.Itoa(i), 0)
		defer p.Close()
		all.Go(func() {
			t, err := p.Add(ctx, shared.Magnet(), peer.AddOptions{Dir: filepath.Join(b.dir, "out"+strconv.Itoa(i))})
			must(err)
			must(t.Ready(ctx))
			first.Do(func() { begun = time.Now() })
			must(t.Done(ctx))
			if s := t.Stats(); s.BytesDone != info.Size() {
				log.Fatalf("getter %d has %d of %d bytes", i, s.BytesDone, info.Size())
			}
		})
	}
	all.Wait()
	fmt.Printf("seconds %.3f\n", time.Since(start).Seconds())
	fmt.Printf("transfer %.3f\n", time.Since(begun).Seconds())
}

// idle prints its memory and goroutines whenever a line comes, and ends with its standard input.
func (b bench) idle(n int) {
	ctx := context.Background()
	p := b.peer("seeder", 0)
	defer p.Close()
	files := filepath.Join(b.dir, "files")
	must(os.Mkdir(files, 0o700))
	for i := range n {
		file := filepath.Join(files, strconv.Itoa(i)+".txt")
		must(os.WriteFile(file, fmt.Appendf(nil, "torrent %d\n", i), 0o600))
		t, err := p.Share(ctx, peer.ShareOptions{Paths: []string{file}})
		must(err)
		fmt.Printf("infohash %x\n", t.InfoHash())
	}
	fmt.Println("shared", n)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		runtime.GC()
		status, err := os.ReadFile("/proc/self/status")
		must(err)
		for line := range strings.Lines(string(status)) {
			if rss, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				fmt.Println("rss", strings.Fields(rss)[0])
			}
		}
		fmt.Println("goroutines", runtime.NumGoroutine())
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	must(err)
	return n
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
