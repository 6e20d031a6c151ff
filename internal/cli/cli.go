// Package cli is the command line: one file per command, each a thin layer over the package that does the work.
//
//	starling serve      the server (serve.go); tracker is its tracker alone (tracker.go)
//	starling share      seeds files, and prints their link (share.go); push is the same for a fleet (push.go)
//	starling get        fetches what was shared (get.go)
//	starling stream     serves it to a player on this machine (stream.go, local.go)
//	starling info       says what it is (info.go)
//	starling edge       a site whose visitors carry it (edge.go)
//	starling bench      measures a tracker (bench.go)
//	starling version    which Starling this is (version.go)
//
// A command is a struct that kong fills from flags, from STARLING_… in the environment, and from the JSON file that
// --config names, in this order of precedence. An error is one line, `starling: error: …`, and says what to do.
//
// What strangers chose (names, paths, errors from afar) goes through names.Text before it is printed (text.go). Those
// commands that meet other peers have the flags of network.go; what they are doing is shown by progress.go.
//
//	the command line   usage.go: what is wrong with it; config.go: the file of settings; path.go: files that it names
//	a link             find.go: until its files are known ─ bundle.go: several links in one; server.go: whose link it is
//	on the way         transfer.go: until all is there, or nothing comes; until.go: who has fetched it; qr.go
//
// Exit codes: 0 done, or what runs until it is stopped was stopped by a signal; 1 it failed; 2 the command line, the
// environment or the file is wrong; exit.go has the rest.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

type commands struct {
	Serve   serve        `cmd:"" help:"Serve the pages and the tracker."`
	Tracker trackerAlone `cmd:"" help:"Introduce peers to one another, and serve no pages."`
	Share   share        `cmd:"" help:"Share files, from this machine to browsers and BitTorrent peers."`
	Push    push         `cmd:"" help:"Share files with many machines at once."`
	Get     get          `cmd:"" help:"Fetch what was shared."`
	Stream  stream       `cmd:"" help:"Play what was shared while it comes."`
	Info    info         `cmd:"" help:"Say what a link leads to."`
	Edge    edgeCmd      `cmd:"" help:"Serve a site whose visitors carry its images and videos."`
	Bench   benchCmd     `cmd:"" help:"Measure how fast a tracker is."`
	Version version      `cmd:"" help:"Print the version."`
}

// streams are where a command writes.
type streams struct{ out, err io.Writer }

// Run executes one command and returns the exit code. Commands that run on end with the context.
func Run(ctx context.Context, args []string, out, stderr io.Writer) (code int) {
	fail := func(code int, err error) int {
		fmt.Fprintf(stderr, "starling: error: %s\n", safe(strings.ReplaceAll(err.Error(), "\n", "; ")))
		return code
	}
	var c commands
	// kong ends the program after --help; a panic with this takes us back here instead.
	type exit int
	defer func() {
		switch v := recover().(type) {
		case nil:
		case exit:
			code = int(v)
		default:
			panic(v)
		}
	}()
	parser, err := kong.New(&c,
		kong.Name("starling"),
		kong.Description("Share straight with others: from browser to browser, and from any machine.\n\nEvery flag is also an environment variable (--addr is STARLING_ADDR) and a key of the JSON file that --config names."),
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
	// What people try first.
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(slices.Clone(args[1:]), "--help")
	case args[0] == "--version":
		args = []string{"version"}
	}
	k, err := parser.Parse(args)
	if err != nil {
		return fail(exitUsage, usage(err))
	}
	if err := k.Run(); err != nil {
		return fail(exitCode(err), err)
	}
	return 0
}

// Main is Run for the process itself: SIGINT and SIGTERM end the context, and a second one the process. SIGHUP ends those
// commands that are tied to their terminal; servers read their files again (httpd), and end when theirs was closed.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // it would end the process before anybody listens
	}
	return Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// tied ends with the terminal too, which says by SIGHUP, more than once, that it was closed.
func tied(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// closing is how long after a SIGHUP its terminal may still be there: some send it first.
const closing = 2 * time.Second

// attached ends with the terminal that a server was started in. SIGHUP says so, and alone would mean to read files again: it
// is the terminal that must be gone.
func attached(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	terminals := slices.DeleteFunc([]*os.File{os.Stdin, os.Stdout}, closed)
	if len(terminals) == 0 || signal.Ignored(syscall.SIGHUP) {
		return ctx, cancel
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-hangup:
			case <-ctx.Done():
				return
			}
			for since := time.Now(); time.Since(since) < closing; {
				if slices.ContainsFunc(terminals, closed) {
					cancel()
					return
				}
				select {
				case <-time.After(closing / 20):
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return ctx, cancel
}

// closed: it is no terminal, or none any more.
func closed(f *os.File) bool { return !isTerminal(f) }
