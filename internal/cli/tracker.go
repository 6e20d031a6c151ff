package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/web"
)

type trackerAlone struct {
	httpd.Front
	httpd.Tracker
	httpd.Private
	Sign     string          `placeholder:"USER" help:"Print this user's announce URLs, and do nothing else."`
	File     kong.ConfigFlag `name:"config" placeholder:"FILE" help:"A JSON file of settings: {\"addr\": \":8080\", \"deny-list\": \"denied.txt\"}."`
	LogLevel logLevel        `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (default ${default})."`
}

func (c *trackerAlone) config() httpd.Config {
	return httpd.Config{Front: c.Front, Tracker: c.Tracker, Private: c.Private, NoPages: true}
}

// Validate says what is wrong, and with which flag.
func (c *trackerAlone) Validate() error {
	if c.Sign != "" {
		if err := c.CheckSign(c.Sign); err != nil {
			return err
		}
	}
	config := c.config()
	return config.Validate()
}

// Run introduces peers until the context ends, and serves no pages.
func (c *trackerAlone) Run(ctx context.Context, s streams) error {
	if c.Sign != "" {
		config := c.config()
		urls, err := config.SignedURLs(c.Sign)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, strings.Join(urls, "\n"))
		return nil
	}
	ctx, free := attached(ctx)
	defer free()
	collectOften(c.Clustered())
	log := c.LogLevel.logger(s.err)
	server, err := httpd.Listen(c.config(), web.Built(), log)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.err, "Starling is at", server.URL())
	if c.Private.Private != "" {
		fmt.Fprintln(s.err, "Each user announces at URLs of their own: the same command with --sign USER prints them")
	} else {
		fmt.Fprintln(s.err, "Peers announce at", strings.Join(server.AnnounceURLs(), " and "))
	}
	fmt.Fprintln(s.err, "Its figures are at", server.StatsURL())
	return server.Serve(ctx)
}
