package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/starling-p2p/starling/internal/load"
)

type benchCmd struct {
	Tracker benchTracker `cmd:"" help:"Measure a tracker of yours: act as many peers at once."`
}

type benchTracker struct {
	URL         string        `arg:"" help:"The announce URL: ws:, wss:, http:, https: or udp:."`
	Connections int           `default:"1000" placeholder:"N" help:"Peers, each with a connection of its own (default ${default})."`
	Rate        float64       `default:"500" placeholder:"N" help:"Announces per second, of all together; 0: join, and measure the memory only (default ${default})."`
	Duration    time.Duration `default:"10s" placeholder:"DURATION" help:"How long the load lasts (default ${default})."`
	Offers      int           `default:"3" placeholder:"N" help:"Offers in each announce by WebSocket (default ${default})."`
	Hot         float64       `default:"0.5" placeholder:"SHARE" help:"Share of the peers that are in one hot swarm; the others are in a long tail of small ones (default ${default})."`
	Swarms      int           `default:"0" placeholder:"N" help:"Have the other peers share so many swarms evenly, in place of the long tail."`
	Seed        uint32        `default:"0" placeholder:"N" help:"Make the same infohashes again, for trackers that serve only those they know."`
	Settle      time.Duration `default:"2s" placeholder:"DURATION" help:"How long to wait before idle memory is read (default ${default})."`
	PID         int           `name:"pid" placeholder:"N" help:"The tracker's process, where it is on this machine: measure its CPU time and memory."`
	Metrics     string        `placeholder:"URL" help:"The tracker's metrics, of Starling or another program in Go: tell of the pauses of its garbage collector."`
	JSON        bool          `name:"json" help:"Print JSON."`
}

func (c *benchTracker) options() load.Options {
	return load.Options{
		URL: c.URL, Connections: c.Connections, Rate: c.Rate, Duration: c.Duration,
		Offers: c.Offers, Hot: c.Hot, Swarms: c.Swarms, Seed: c.Seed, Settle: c.Settle,
		PID: c.PID, Metrics: c.Metrics,
	}
}

// Validate says what is out of bounds.
func (c *benchTracker) Validate() error { return c.options().Validate() }

// Run measures, and ends by itself.
func (c *benchTracker) Run(ctx context.Context, s streams) error {
	ctx, free := tied(ctx)
	defer free()
	report, err := load.Run(ctx, c.options())
	if errors.Is(err, context.Canceled) {
		return failure{exitStopped, errors.New("stopped: nothing was measured")}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(s.out).Encode(report)
	}
	if report.Problem != "" {
		fmt.Fprintln(s.err, "The first thing that went wrong:", safe(report.Problem))
	}
	return report.Print(s.out)
}
