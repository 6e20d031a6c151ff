package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/web"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"starling": func() { os.Exit(Main()) }})
}

// world is what a script has started, and the environment of all that.
type world struct {
	env     *testscript.Env
	running map[string]*process
}

type process struct {
	cmd    *exec.Cmd
	ended  chan error
	mu     sync.Mutex
	more   *sync.Cond // something was printed, or it has ended
	over   bool
	stdout bytes.Buffer
	stderr bytes.Buffer
}

type worldKey struct{}

// The scripts in testdata have $BUSY and $UDP_BUSY, addresses in use for TCP and UDP, and commands of their own. Peers in them listen on this machine
// alone, and look for others only where a script says.
//
//	status N COMMAND…           runs a command; fails unless its exit code is N and it prints one line of error
//	start [NAME=VALUE…] ARGS…   runs a server until it says where it is; sets $URL, and prints that line
//	get PATH                    prints what $URL/PATH answers; a whole URL is taken as it is
//	range FROM-TO URL           prints those bytes of what the URL answers
//	interrupt                   sends the server SIGINT and waits; fails unless the exit code is 0
//	run NAME ARGS…              runs starling until it prints its first line, which becomes $NAME
//	end NAME [N]                sends that one SIGINT and waits; prints its output, fails unless the exit code is N [0]
//	hangup NAME [N]             the same as when its terminal is closed: by SIGHUP, twice
//	reread                      sends the server SIGHUP
//	await NAME [N]              the same for one that ends by itself
//	says NAME REGEXP            waits until it has printed that, be it to stdout or stderr
//	noise FILE N                makes a file of N bytes
//
// [built] says whether the web part is in the program, as after make build; where make or CI runs the tests it must be.
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
			// Free for TCP, and that stays so. Another test may be there first.
			var datagrams net.PacketConn
			for datagrams == nil {
				datagrams, _ = net.ListenPacket("udp4", "127.0.0.1:"+testnet.FreePorts(t, 1)[0])
			}
			e.Defer(func() { _ = datagrams.Close() })
			e.Setenv("UDP_BUSY", datagrams.LocalAddr().String())
			for name, value := range map[string]string{
				"XDG_DATA_HOME": e.WorkDir + "/data", "STARLING_LISTEN": "127.0.0.1:0", "STARLING_LAN": "false", "STARLING_DHT": "false",
			} {
				e.Setenv(name, value)
			}
			e.Values[worldKey{}] = &world{e, map[string]*process{}}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "built" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			_, err := fs.Stat(web.Built(), "edge/edge.js")
			if err != nil && (os.Getenv("CI") != "" || os.Getenv("MAKELEVEL") != "") {
				return false, errors.New("the web part is not built, so nothing tests it: run make build, and then go test again")
			}
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "start": start, "get": visit, "range": ranges, "interrupt": interrupt, "run": run, "end": end, "hangup": hangup, "await": await, "noise": noise, "says": says, "reread": reread,
		},
	})
}

// command is starling or another program, in the script's folder and environment.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	w := ts.Value(worldKey{}).(*world)
	env := w.env.Vars
	for len(args) > 0 && strings.Contains(args[0], "=") {
		env, args = append(env[:len(env):len(env)], args[0]), args[1:]
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), env
	return cmd
}

func status(ts *testscript.TestScript, _ bool, args []string) {
	var stderr strings.Builder
	cmd := command(ts, args[1:])
	cmd.Stderr = &stderr
	_ = cmd.Run() // the exit code is what counts
	_, _ = io.WriteString(ts.Stderr(), stderr.String())
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[0] || strings.Count(stderr.String(), "\n") != 1 {
		ts.Fatalf("exit code %s, want %s; errors:\n%s", got, args[0], stderr.String())
	}
}

// launch runs a program in the background and returns the first line that it prints to the one or the other.
func launch(ts *testscript.TestScript, name string, cmd *exec.Cmd, errors bool) string {
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	p.more = sync.NewCond(&p.mu)
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill() })
	ts.Value(worldKey{}).(*world).running[name] = p

	first := make(chan string, 1)
	var copying sync.WaitGroup
	for _, from := range []struct {
		io.Reader
		to    *bytes.Buffer
		first bool
	}{{stdout, &p.stdout, !errors}, {stderr, &p.stderr, errors}} {
		copying.Go(func() {
			lines := bufio.NewReader(from)
			for said := false; ; said = true {
				line, err := lines.ReadString('\n')
				p.mu.Lock()
				from.to.WriteString(line)
				p.more.Broadcast()
				p.mu.Unlock()
				if from.first && !said {
					first <- strings.TrimSuffix(line, "\n")
				}
				if err != nil {
					return
				}
			}
		})
	}
	go func() {
		copying.Wait()
		p.mu.Lock()
		p.over = true
		p.more.Broadcast()
		p.mu.Unlock()
		p.ended <- cmd.Wait()
	}()
	line := <-first
	if line == "" {
		<-p.ended
		ts.Fatalf("it says nothing but %s", p.stderr.String())
	}
	return line
}

func start(ts *testscript.TestScript, _ bool, args []string) {
	i := 0
	for i < len(args) && strings.Contains(args[i], "=") {
		i++
	}
	words := append(append(append([]string{}, args[:i]...), "starling"), args[i:]...)
	line := launch(ts, "server", command(ts, words), true)
	_, url, ok := strings.Cut(line, "Starling is at ")
	if !ok {
		ts.Fatalf("it says %q", line)
	}
	ts.Setenv("URL", url)
	_, host, _ := strings.Cut(url, "://")
	ts.Setenv("HOST", host)
	_, _ = io.WriteString(ts.Stdout(), line+"\n")
}

func run(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], launch(ts, args[0], command(ts, append([]string{"starling"}, args[1:]...)), false))
}

func (p *process) print(ts *testscript.TestScript) {
	_, _ = ts.Stdout().Write(p.stdout.Bytes())
	_, _ = ts.Stderr().Write(p.stderr.Bytes())
}

func running(ts *testscript.TestScript, name string) *process {
	p := ts.Value(worldKey{}).(*world).running[name]
	if p == nil {
		ts.Fatalf("%s was not started", name)
	}
	return p
}

func end(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(running(ts, args[0]).cmd.Process.Signal(os.Interrupt))
	await(ts, false, args)
}

func hangup(ts *testscript.TestScript, _ bool, args []string) {
	if signal.Ignored(syscall.SIGHUP) { // and so for those that are started here
		end(ts, false, args)
		return
	}
	for range 2 {
		ts.Check(running(ts, args[0]).cmd.Process.Signal(syscall.SIGHUP))
	}
	await(ts, false, args)
}

func reread(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(running(ts, "server").cmd.Process.Signal(syscall.SIGHUP))
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	p := running(ts, args[0])
	err := <-p.ended
	p.print(ts)
	var exit *exec.ExitError
	if len(args) > 1 && errors.As(err, &exit) && strconv.Itoa(exit.ExitCode()) == args[1] {
		return
	}
	ts.Check(err)
}

func says(ts *testscript.TestScript, _ bool, args []string) {
	want, err := regexp.Compile(args[1])
	ts.Check(err)
	p := running(ts, args[0])
	p.mu.Lock()
	defer p.mu.Unlock()
	for !want.Match(p.stderr.Bytes()) && !want.Match(p.stdout.Bytes()) {
		if p.over {
			ts.Fatalf("it has said %s", p.stderr.String())
		}
		p.more.Wait()
	}
}

func noise(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // it never fails
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}

func visit(ts *testscript.TestScript, _ bool, args []string) {
	url := args[0]
	if strings.HasPrefix(url, "/") {
		url = ts.Getenv("URL") + url
	}
	request(ts, url, "")
}

func ranges(ts *testscript.TestScript, _ bool, args []string) { request(ts, args[1], "bytes="+args[0]) }

func request(ts *testscript.TestScript, url, span string) {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	ts.Check(err)
	if span != "" {
		r.Header.Set("Range", span)
	}
	response, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer response.Body.Close()
	ts.Check(response.Write(ts.Stdout()))
}

func interrupt(ts *testscript.TestScript, _ bool, _ []string) { end(ts, false, []string{"server"}) }
