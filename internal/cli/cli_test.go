package cli

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"starling": func() { os.Exit(Main()) }})
}

// process is a server that a script has started.
type process struct {
	cmd *exec.Cmd
	err chan error
}

type processKey struct{}

// The scripts in testdata have $BUSY, an address in use, and commands of their own:
//
//	status N COMMAND…           runs a command; fails unless its exit code is N and it prints one line of error
//	start [NAME=VALUE…] ARGS…   runs starling until it says where it is; sets $URL, and prints that line
//	get PATH                    prints what $URL/PATH answers
//	interrupt                   sends SIGINT and waits; fails unless the exit code is 0
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			e.Defer(func() { _ = l.Close() })
			e.Setenv("BUSY", l.Addr().String())
			e.Values[processKey{}] = &process{err: make(chan error, 1)}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "start": start, "get": visit, "interrupt": interrupt},
	})
}

func status(ts *testscript.TestScript, _ bool, args []string) {
	var stderr strings.Builder
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir, cmd.Stderr = ts.MkAbs("."), &stderr
	_ = cmd.Run() // the exit code is what counts
	_, _ = io.WriteString(ts.Stderr(), stderr.String())
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[0] || strings.Count(stderr.String(), "\n") != 1 {
		ts.Fatalf("exit code %s, want %s; errors:\n%s", got, args[0], stderr.String())
	}
}

func start(ts *testscript.TestScript, _ bool, args []string) {
	env := os.Environ()
	for len(args) > 0 && strings.Contains(args[0], "=") {
		env, args = append(env, args[0]), args[1:]
	}
	p := ts.Value(processKey{}).(*process)
	p.cmd = exec.Command("starling", args...)
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), env
	stderr, err := p.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	r := bufio.NewReader(stderr)
	line, err := r.ReadString('\n')
	go func() {
		_, _ = io.Copy(io.Discard, r)
		p.err <- p.cmd.Wait()
	}()
	ts.Defer(func() { _ = p.cmd.Process.Kill() })
	ts.Check(err)
	_, url, ok := strings.Cut(strings.TrimSpace(line), "Starling is at ")
	if !ok {
		ts.Fatalf("it says %q", line)
	}
	ts.Setenv("URL", url)
	_, _ = io.WriteString(ts.Stdout(), line)
}

func visit(ts *testscript.TestScript, _ bool, args []string) {
	response, err := http.Get(ts.Getenv("URL") + args[0])
	ts.Check(err)
	defer response.Body.Close()
	ts.Check(response.Write(ts.Stdout()))
}

func interrupt(ts *testscript.TestScript, _ bool, _ []string) {
	p := ts.Value(processKey{}).(*process)
	ts.Check(p.cmd.Process.Signal(os.Interrupt))
	ts.Check(<-p.err)
}
