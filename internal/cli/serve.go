package cli

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/web"
)

type serve struct {
	httpd.Config
	File     kong.ConfigFlag `name:"config" placeholder:"FILE" help:"A JSON file of settings: {\"addr\": \":8080\", \"ice-server\": [\"stun:…\"]}."`
	LogLevel logLevel        `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (default ${default})."`
}

// collectOften has garbage collected at a quarter of Go's default. Nearly all memory is what idle connections need, and
// little is allocated while they are idle, so collecting four times as often costs next to nothing. Not so in a cluster,
// where what servers tell one another is garbage right away. GOGC in the environment goes first.
func collectOften(clustered bool) {
	if os.Getenv("GOGC") == "" && !clustered {
		debug.SetGCPercent(25)
	}
}

// Run serves until the context ends.
func (c *serve) Run(ctx context.Context, s streams) error {
	ctx, free := attached(ctx)
	defer free()
	collectOften(c.Clustered())
	log := c.LogLevel.logger(s.err)
	server, err := httpd.Listen(c.Config, web.Built(), log)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.err, "Starling is at", server.URL())
	return server.Serve(ctx)
}
