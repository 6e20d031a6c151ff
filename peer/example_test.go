package peer_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/starling-p2p/starling/peer"
)

// One peer shares a file privately; another reads it by its link while it is fetched, and keeps it.
func Example() {
	dir, err := os.MkdirTemp("", "starling-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()

	// A real one begins with peer.Defaults(dir); these two meet on this machine alone.
	alice, err := peer.New(peer.Options{DataDir: filepath.Join(dir, "alice"), Listen: "127.0.0.1:0", TCP: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = alice.Close() }()
	bob, err := peer.New(peer.Options{DataDir: filepath.Join(dir, "bob"), Listen: "127.0.0.1:0", TCP: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = bob.Close() }()

	letter := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(letter, []byte("Dear Bob"), 0o600); err != nil {
		log.Fatal(err)
	}
	shared, err := alice.Share(ctx, peer.ShareOptions{Paths: []string{letter}, Private: true})
	if err != nil {
		log.Fatal(err)
	}
	link := shared.Link("starling.example.org") // for Bob, and nobody else

	fetched, err := bob.Add(ctx, link, peer.AddOptions{
		Dir: filepath.Join(dir, "bob's"), Peers: []string{alice.Addr().String()},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := fetched.Ready(ctx); err != nil { // now its files are known
		log.Fatal(err)
	}
	file := fetched.Files()[0]
	r := file.NewReader(ctx)
	defer func() { _ = r.Close() }()
	text := new(strings.Builder)
	if _, err := io.Copy(text, r); err != nil {
		log.Fatal(err)
	}
	fmt.Println(file.Path, file.Size, file.Type)
	fmt.Println(text)

	if err := fetched.Done(ctx); err != nil { // now it lies there
		log.Fatal(err)
	}
	kept, err := os.ReadFile(fetched.Root())
	fmt.Println(filepath.Base(fetched.Root()), string(kept), err)
	// Output:
	// letter.txt 8 text/plain
	// Dear Bob
	// letter.txt Dear Bob <nil>
}
