// Package cli is the command line: one file per command, each a thin layer over the package that does the work.
//
//	starling serve      the server (serve.go)
//	starling version    which Starling this is (version.go)
//
// A command is a struct that kong fills from flags, from STARLING_… in the environment, and from the JSON file that
// --config names, in this order of precedence. An error is one line, `starling: error: …`, and says what to do.
//
// Exit codes: 0 done, or stopped by SIGINT or SIGTERM; 1 it failed; 2 the command line, the environment or the file is
// wrong.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

type commands struct {
	Serve   serve        `cmd:"" help:"Serve the pages and the tracker."`
	Tracker trackerAlone `cmd:"" help:"Introduce peers to one another, and serve no pages."`
	Version version      `cmd:"" help:"Print the version."`
}

// streams are where a command writes.
type streams struct{ out, err io.Writer }

// Run executes one command and returns the exit code. Commands that run on end with the context.
func Run(ctx context.Context, args []string, out, stderr io.Writer) (code int) {
	fail := func(code int, err error) int {
		fmt.Fprintf(stderr, "starling: error: %v\n", err)
		return code
	}
	var c commands
	// kong ends the program after --help; a panic with this takes us back here instead.
	type exit int
	defer func() {
		if e, ok := recover().(exit); ok {
			code = int(e)
		}
	}()
	parser, err := kong.New(&c,
		kong.Name("starling"),
		kong.Description("Share what is in a browser straight with other browsers.\n\nEvery flag is also an environment variable (--addr is STARLING_ADDR) and a key of the JSON file that --config names."),
		kong.Writers(out, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.DefaultEnvars("STARLING"),
		kong.Configuration(configFile),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams{out, stderr}),
	)
	if err != nil {
		return fail(exitFailed, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if err != nil {
		return fail(exitUsage, fmt.Errorf("%w (see starling --help)", err))
	}
	if err := k.Run(); err != nil {
		return fail(exitFailed, err)
	}
	return 0
}

// Main is Run for the process itself: SIGINT and SIGTERM end the context, and a second one the process.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}
