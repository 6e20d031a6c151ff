// Command starling is the server and the peer in one program. All it can do is in internal/cli.
package main

import (
	"os"

	"github.com/starling-p2p/starling/internal/cli"
)

func main() { os.Exit(cli.Main()) }
