// Command starling is the server, and later the peer, in one program. All it can do is in internal/cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/starling-p2p/starling/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal does what it does to any program: end it at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx))
}
