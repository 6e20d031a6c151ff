//go:build linux

package cluster_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// Whole servers, each a process. Peers announce every ten seconds there, so within two intervals is within patience.
const (
	processInterval = 10 * time.Second
	patience        = 2 * processInterval
	secret          = "a secret of at least thirty-two characters"
)

// binary builds the program.
func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "starling")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/starling").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// process is one server. In runs what is to happen on its machine.
type process struct {
	*testing.T
	cmd  *exec.Cmd
	addr string
	in   func(func())
}

// start starts a server that listens at two ports of a host, on a machine whose start and Do these are.
func start(t *testing.T, program, host, addr, cluster string, peers []string, start func(*exec.Cmd), in func(func())) *process {
	t.Helper()
	cmd := exec.Command(program, "tracker", "--addr", addr, "--udp-tracker", "off", "--announce-interval", processInterval.String(),
		"--cluster", net.JoinHostPort(host, cluster), "--cluster-peers", strings.Join(peers, ","))
	cmd.Env = append(os.Environ(), "STARLING_CLUSTER_SECRET="+secret)
	cmd.Stderr = t.Output()
	start(cmd)
	return &process{T: t, cmd: cmd, addr: addr, in: in}
}

// until polls until there is nothing to complain of.
func until(t *testing.T, what string, wrong func() string) {
	t.Helper()
	for late := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		problem := wrong()
		if problem == "" {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("%s: %s", what, problem)
		}
	}
}

// health is what the server says of itself.
func (p *process) health() string {
	var conn net.Conn
	var err error
	p.in(func() { conn, err = net.Dial("tcp", p.addr) })
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.0\r\n\r\n"); err != nil {
		return err.Error()
	}
	b, _ := io.ReadAll(conn)
	_, said, _ := strings.Cut(string(b), "\r\n\r\n")
	return said
}

// sees waits until the server knows of so many.
func (p *process) sees(servers int) {
	p.Helper()
	until(p.T, fmt.Sprintf("%s sees %d servers", p.addr, servers), func() string {
		if said := p.health(); said != fmt.Sprintf("ok\ncluster: %d servers\n", servers) {
			return said
		}
		return ""
	})
}

func (p *process) connect() *testnet.Socket {
	p.Helper()
	var conn net.Conn
	until(p.T, "connecting", func() string {
		var err error
		p.in(func() { conn, err = net.Dial("tcp", p.addr) })
		if err != nil {
			return err.Error()
		}
		return ""
	})
	return testnet.Connect(p.T, conn)
}

// says announces again and again until the counts are right, and returns all that came meanwhile.
func says(t *testing.T, s *testnet.Socket, message string, complete, incomplete int) (came []testnet.Message) {
	t.Helper()
	until(t, message, func() string {
		s.Send(message)
		var reply testnet.Message
		for late := time.Now().Add(5 * time.Second); reply == nil && time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
			for _, m := range s.Messages() {
				came = append(came, m)
				if m["interval"] != nil || m["failure reason"] != nil {
					reply = m
				}
			}
		}
		if reply == nil {
			return "no reply"
		}
		if got, want := fmt.Sprint(reply["complete"], reply["incomplete"]), fmt.Sprint(complete, incomplete); got != want {
			return fmt.Sprint(reply)
		}
		return ""
	})
	return came
}

// comes waits for a message of a kind.
func comes(t *testing.T, s *testnet.Socket, kind string) (found testnet.Message) {
	t.Helper()
	until(t, "an "+kind, func() string {
		for _, m := range s.Messages() {
			if m[kind] != nil {
				found = m
				return ""
			}
		}
		return "none came"
	})
	return found
}

func threeProcesses(t *testing.T) (all []*process) {
	t.Helper()
	program, ports := binary(t), testnet.FreePorts(t, 6)
	var peers []string
	for i := range 3 {
		peers = append(peers, "127.0.0.1:"+ports[3+i])
	}
	for i := range 3 {
		p := start(t, program, "127.0.0.1", "127.0.0.1:"+ports[i], ports[3+i], peers, func(cmd *exec.Cmd) {
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			})
		}, func(f func()) { f() })
		all = append(all, p)
	}
	for _, p := range all {
		p.sees(3)
	}
	return all
}

func (p *process) signal(s syscall.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
}

// Peers of three servers find one another; one server stops for a while, and is then killed in mid-announce.
func TestThreeProcesses(t *testing.T) {
	t.Parallel()
	all := threeProcesses(t)
	a, b, c := all[0].connect(), all[1].connect(), all[2].connect()
	swarms := hashes(9)
	for _, hash := range swarms {
		says(t, b, testnet.Announce(hash, 'b', seeder), 1, 0)
		says(t, c, testnet.Announce(hash, 'c', seeder), 2, 0)
		says(t, a, testnet.Announce(hash, 'a', testnet.Offers(2)), 2, 1)
		for peer, s := range map[byte]*testnet.Socket{'b': b, 'c': c} {
			o := comes(t, s, "offer")
			s.Send(testnet.Answer(hash, peer, 'a', o["offer_id"].(string)[0]))
			if got := comes(t, a, "answer"); got["peer_id"] != testnet.ID(peer) || got["offer_id"] != o["offer_id"] {
				t.Fatalf("a got %v", got)
			}
		}
	}

	all[1].signal(syscall.SIGSTOP)
	all[0].sees(2)
	for _, hash := range swarms {
		c.Send(testnet.Announce(hash, 'c', seeder))
		says(t, a, testnet.Announce(hash, 'a'), 1, 1)
	}
	all[1].signal(syscall.SIGCONT)
	all[0].sees(3)
	for _, hash := range swarms {
		says(t, b, testnet.Announce(hash, 'b', seeder), 2, 1)
		says(t, a, testnet.Announce(hash, 'a'), 2, 1)
	}

	for _, hash := range swarms {
		b.Send(testnet.Announce(hash, 'b', testnet.Offers(3)))
	}
	all[1].signal(syscall.SIGKILL)
	again := all[2].connect() // as pages do, which list several trackers
	for _, hash := range swarms {
		c.Send(testnet.Announce(hash, 'c', seeder))
		a.Send(testnet.Announce(hash, 'a'))
		says(t, again, testnet.Announce(hash, 'B', seeder), 2, 1)
		for _, m := range says(t, a, testnet.Announce(hash, 'a'), 2, 1) {
			if m["failure reason"] != nil {
				t.Errorf("a noticed: %v", m)
			}
		}
	}
	all[0].sees(2)

	all[2].signal(syscall.SIGTERM)
	all[0].sees(1)
	for _, hash := range swarms {
		says(t, a, testnet.Announce(hash, 'a'), 0, 1)
	}
}

// Of three machines one is cut off from the others, and comes back.
func TestPartitionOfMachines(t *testing.T) {
	t.Parallel()
	internet := testnet.NewInternet(t)
	program := binary(t)
	var machines []*testnet.Machine
	var peers []string
	for range 3 {
		m := internet.Machine()
		machines, peers = append(machines, m), append(peers, m.Addr.String()+":6222")
	}
	var all []*process
	for _, m := range machines {
		all = append(all, start(t, program, m.Addr.String(), "127.0.0.1:8080", "6222", peers, m.Start, m.Do))
	}
	for _, p := range all {
		p.sees(3)
	}
	a, c := all[0].connect(), all[2].connect()
	swarms := hashes(6)
	for _, hash := range swarms {
		says(t, a, testnet.Announce(hash, 'a', seeder), 1, 0)
		says(t, c, testnet.Announce(hash, 'c', seeder), 2, 0)
	}
	machines[2].Plug(false)
	all[0].sees(2)
	all[2].sees(1)
	for _, hash := range swarms {
		says(t, a, testnet.Announce(hash, 'a', seeder), 1, 0)
		says(t, c, testnet.Announce(hash, 'c', seeder), 1, 0)
	}
	machines[2].Plug(true)
	all[0].sees(3)
	all[2].sees(3)
	for _, hash := range swarms {
		says(t, a, testnet.Announce(hash, 'a', seeder), 2, 0)
		says(t, c, testnet.Announce(hash, 'c', seeder), 2, 0)
	}
}
