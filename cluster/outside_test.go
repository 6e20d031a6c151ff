//go:build linux

package cluster_test

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/starling-p2p/starling/internal/testnet"
)

// natsServer is one that was there before, with a password, as somebody's company has one.
func natsServer(t *testing.T, port string) *server.Server {
	t.Helper()
	number, _ := strconv.Atoi(port)
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: number, Username: "starling", Password: "a password", NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server did not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

// Two servers find one another by a NATS server that is not theirs, again when that has been restarted, and not those of
// another cluster.
func TestANATSServerOfSomebodyElse(t *testing.T) {
	t.Parallel()
	program, ports := binary(t), testnet.FreePorts(t, 4)
	bus := natsServer(t, ports[3])
	one := func(port, name string) *process {
		cmd := exec.Command(program, "tracker", "--addr", net.JoinHostPort("127.0.0.1", port), "--udp-tracker", "off",
			"--announce-interval", processInterval.String(), "--cluster-name", name)
		cmd.Env = append(os.Environ(), "STARLING_NATS=nats://starling:a%20password@127.0.0.1:"+ports[3])
		cmd.Stderr = t.Output()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return &process{T: t, cmd: cmd, addr: "127.0.0.1:" + port, in: func(f func()) { f() }}
	}
	first, second, other := one(ports[0], "ours"), one(ports[1], "ours"), one(ports[2], "another")
	first.sees(2)
	second.sees(2)
	other.sees(1)
	a, b, x := first.connect(), second.connect(), other.connect()
	meet := func(hash string) {
		says(t, x, testnet.Announce(hash, 'x', seeder), 1, 0)
		says(t, b, testnet.Announce(hash, 'b', seeder), 1, 0)
		says(t, a, testnet.Announce(hash, 'a', testnet.Offers(1)), 1, 1)
		comes(t, b, "offer")
		b.Send(testnet.Answer(hash, 'b', 'a', 'A'))
		comes(t, a, "answer")
	}
	all := hashes(8)
	for _, hash := range all[:4] {
		meet(hash)
	}
	bus.Shutdown()
	bus.WaitForShutdown()
	natsServer(t, ports[3])
	first.sees(2)
	second.sees(2)
	for _, hash := range all[4:] {
		meet(hash)
	}
}
