package cli

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A server ends with its terminal, so that it does not hold its port where nobody sees it. Of SIGHUP alone it reads its files
// again, in a terminal too.
func TestTerminal(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("SKIPPED: what is started here ignores SIGHUP, as these tests do")
	}
	master, slave := terminal(t)
	list := filepath.Join(t.TempDir(), "allowed")
	if err := os.WriteFile(list, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("starling", "tracker", "--addr", "127.0.0.1:0", "--udp-tracker", "off", "--allow-list", list)
	cmd.Stdin, cmd.Stdout = slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	_ = slave.Close()
	said := bufio.NewScanner(stderr)
	says := func(what string) string {
		t.Helper()
		for said.Scan() {
			if _, rest, ok := strings.Cut(said.Text(), what); ok {
				return rest
			}
		}
		t.Fatalf("it has not said %q", what)
		return ""
	}
	url := says("Starling is at ")
	says("Its figures are at ")
	answers := func() {
		t.Helper()
		answer, err := http.Get(url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}

	answers() // it listens before it serves, and only then looks after its files
	_ = cmd.Process.Signal(syscall.SIGHUP)
	says("read a list")
	answers()

	_ = master.Close()
	_, _ = io.Copy(io.Discard, stderr)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// terminal is a new one: what is typed, and the program's end.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}
