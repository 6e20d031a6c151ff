// Command edge is many visitors of a site in one process, who behave as the script of web/edge does: pictures that would
// be in view come over HTTP, the rest from other visitors, with a deadline, then over HTTP; a film is played at its pace,
// its first second over HTTP; every piece is verified, and given to others for as long as this runs.
//
//	main ── one after another ──▶ visitor.go ── what is wanted, and when ──▶ torrent.go ── requests ──▶ wire.go ──▶ link
//	                                 │  ▲ pieces                                ▲ verified pieces            │
//	                                 └──┴── site.go: lookup, HTTP, beacon ──────┘◀───────── pieces ──────────┘
//
// Usage: edge ORIGIN N EVERY SECONDS, for N visitors of ORIGIN's front page, one each EVERY (as 500ms), whose film lasts
// SECONDS. It prints
//
//	done N PEERS HTTP WRONG STALLS
//
// once that visitor has all: bytes from peers and over HTTP, assets that are not what the manifest says, and how often the
// film waited. It ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 5 {
		log.Fatal("usage: edge ORIGIN N EVERY SECONDS")
	}
	n, every, seconds := must(strconv.Atoi(os.Args[2])), must(time.ParseDuration(os.Args[3])), must(strconv.ParseFloat(os.Args[4], 64))
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that matters
		stop()
	}()
	s := newSite(os.Args[1])
	tick := time.NewTicker(every)
	defer tick.Stop()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := visit(ctx, s, i, seconds); err != nil && ctx.Err() == nil {
				log.Printf("visitor %d: %v", i, err)
				fmt.Println("done", i, 0, 0, 1, 0)
			}
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	all.Wait()
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
