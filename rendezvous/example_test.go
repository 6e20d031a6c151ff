package rendezvous_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/starling-p2p/starling/link"
	"github.com/starling-p2p/starling/rendezvous"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// Two programs that know the name of a room meet at a tracker, and speak what they like over a channel, which is a net.Conn.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	sockets := ws.New(tracker.New[ws.Handle](tracker.Options{Expiry: 4 * time.Minute}), ws.Options{})
	server := httptest.NewServer(sockets) // any tracker of WebTorrent's does
	defer server.Close()
	defer func() { _ = sockets.Close(ctx) }()
	trackers := []string{"ws" + strings.TrimPrefix(server.URL, "http") + "/announce"}
	room := sha1.Sum([]byte("the name of a room"))

	join := func(id string, met func(*link.Channel)) (leave func()) {
		me := [20]byte([]byte(id))
		links, err := link.New(link.Options{PeerID: me, Listen: "127.0.0.1:0", Channel: func(c *link.Channel) { go met(c) }})
		if err != nil {
			log.Fatal(err)
		}
		links.Want(room, true)
		client := rendezvous.New(rendezvous.Options{PeerID: me, Links: links})
		// Nobody here ever has all there is: so both look for others.
		client.Add(room, trackers, func() (left, uploaded, downloaded int64) { return -1, 0, 0 })
		return func() {
			_ = client.Close()
			_ = links.Close()
		}
	}
	heard := make(chan string, 1)
	defer join("-XX0001-alice-alice-", func(c *link.Channel) {
		_, _ = fmt.Fprintln(c, "Here is Alice.")
		_ = c.Close() // sends that before
	})()
	defer join("-XX0001-bob-bob-bob-", func(c *link.Channel) {
		line, err := bufio.NewReader(c).ReadString('\n')
		_ = c.Close()
		if err == nil {
			select {
			case heard <- line:
			default:
			}
		}
	})()
	fmt.Print(<-heard)
	// Output:
	// Here is Alice.
}
