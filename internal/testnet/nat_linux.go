package testnet

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Internet is one of its own: network namespaces, a machine in each, joined by a switch. It is gone when the test ends,
// and with the process in any case, for nothing of it has a name.
//
//	machine 10.0.2.2 ── NAT 5.5.0.2 ──┐
//	machine 10.0.3.2 ── NAT 5.5.0.3 ──┼── switch
//	machine ───────────────── 5.5.0.4 ┘
type Internet struct {
	t      testing.TB
	tools  map[string]string
	middle *space
	count  int
}

// NAT is how a router translates addresses.
type NAT string

const (
	// Ordinary keeps a machine's port whatever it sends to, so that what STUN tells is true for all; it lets in only
	// answers. RFC 4787 calls that endpoint-independent mapping, and address and port-dependent filtering.
	Ordinary NAT = "masquerade"
	// Symmetric takes another port for each address that a machine sends to, so that what STUN tells is of no use.
	Symmetric NAT = "masquerade fully-random"
)

// Machine is in a namespace of its own.
type Machine struct {
	// Addr is its own address; Public is that with which others see it.
	Addr, Public netip.Addr

	t        testing.TB
	internet *Internet
	space    *space
}

// NewInternet skips the test, and says why, where namespaces or the tools for them are not to be had.
func NewInternet(t testing.TB) *Internet {
	t.Helper()
	i := &Internet{t: t, count: 1, tools: map[string]string{}}
	for _, tool := range []string{"ip", "nft"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			path, err = exec.LookPath("/usr/sbin/" + tool) // which not everybody has in PATH
		}
		if err != nil {
			t.Skipf("SKIPPED: NATs are made with iproute2 and nftables, and %v", err)
		}
		i.tools[tool] = path
	}
	middle, err := newSpace()
	if err != nil {
		t.Skipf("SKIPPED: NATs need the right to make network namespaces (root): %v", err)
	}
	i.middle = middle
	t.Cleanup(func() { _ = middle.file.Close() })
	i.ip(middle, "link add switch type bridge", "link set switch up")
	return i
}

// Machine is one with a public address.
func (i *Internet) Machine() *Machine {
	i.t.Helper()
	space, addr := i.join()
	return &Machine{Addr: addr, Public: addr, t: i.t, internet: i, space: space}
}

// Behind is one behind a router of its own.
func (i *Internet) Behind(nat NAT) *Machine {
	i.t.Helper()
	m := &Machine{t: i.t, internet: i, space: i.space()}
	i.ip(m.space, "link set lo up")
	m.settle(nat)
	return m
}

// Move takes a machine that is behind a router to another one, as when somebody leaves the house. Its sockets stay.
func (m *Machine) Move(nat NAT) {
	m.t.Helper()
	m.IP("link delete eth0")
	m.settle(nat)
}

// settle puts it behind a new router.
func (m *Machine) settle(nat NAT) {
	i := m.internet
	i.t.Helper()
	router, public := i.join()
	inside, addr := netip.AddrFrom4([4]byte{10, 0, byte(i.count), 1}), netip.AddrFrom4([4]byte{10, 0, byte(i.count), 2})
	i.ip(router, "link add lan type veth peer name eth0 netns "+m.space.path(), "link set lan up", "address add "+inside.String()+"/24 dev lan")
	i.ip(m.space, "link set eth0 up", "address add "+addr.String()+"/24 dev eth0", "route add default via "+inside.String())
	var err error
	router.do(func() { err = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
	if err != nil {
		i.t.Fatal(err)
	}
	// What nobody asked for is dropped before it is tracked; else it would take the port from the answer it crosses.
	i.run(router, `
		table ip nat {
			chain out { type nat hook postrouting priority srcnat; oifname "eth0" `+string(nat)+`; }
		}
		table ip filter {
			chain to { type filter hook input priority filter; policy drop; ct state established,related accept; iifname { lan, lo } accept; }
			chain through { type filter hook forward priority filter; policy drop; ct state established,related accept; iifname lan accept; }
		}`, "nft", "-f", "-")
	m.Addr, m.Public = addr, public
}

// join makes a machine at the switch.
func (i *Internet) join() (*space, netip.Addr) {
	i.t.Helper()
	i.count++
	space, addr := i.space(), netip.AddrFrom4([4]byte{5, 5, 0, byte(i.count)})
	port := fmt.Sprint("port", i.count)
	i.ip(i.middle, "link add "+port+" type veth peer name eth0 netns "+space.path(), "link set "+port+" master switch up")
	i.ip(space, "link set lo up", "link set eth0 up", "address add "+addr.String()+"/16 dev eth0")
	return space, addr
}

func (i *Internet) space() *space {
	i.t.Helper()
	s, err := newSpace()
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { _ = s.file.Close() })
	return s
}

func (i *Internet) ip(in *space, commands ...string) {
	i.t.Helper()
	i.run(in, strings.Join(commands, "\n"), "ip", "-batch", "-")
}

func (i *Internet) run(in *space, input, name string, args ...string) {
	i.t.Helper()
	cmd := exec.Command(i.tools[name], args...)
	cmd.Stdin = strings.NewReader(input)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	var err error
	in.do(func() { err = cmd.Run() })
	if err != nil {
		i.t.Fatalf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, said.String(), input)
	}
}

// Do runs f on the machine: the sockets that it opens and the processes that it starts are there, and stay. Goroutines
// that it starts are not.
func (m *Machine) Do(f func()) { m.space.do(f) }

// IP has iproute2's ip do something on the machine, once for each command.
func (m *Machine) IP(commands ...string) {
	m.t.Helper()
	m.internet.ip(m.space, commands...)
}

// Plug pulls the machine's plug, or puts it back in.
func (m *Machine) Plug(in bool) {
	m.t.Helper()
	state := "down"
	if in {
		state = "up"
	}
	m.IP("link set eth0 " + state)
}

// Start starts a process on the machine. It is killed when the test ends, if it has not ended by then.
func (m *Machine) Start(cmd *exec.Cmd) {
	m.t.Helper()
	var err error
	m.Do(func() { err = cmd.Start() })
	if err != nil {
		m.t.Fatalf("starting %s: %v", cmd, err)
	}
	m.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // who has waited for it knows how it ended
	})
}

// space is a network namespace, which lasts as long as the file or something in it.
type space struct{ file *os.File }

func newSpace() (s *space, err error) {
	alone(func() {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return
		}
		var file *os.File
		if file, err = os.Open("/proc/thread-self/ns/net"); err == nil {
			s = &space{file}
		}
	})
	return s, err
}

// path is one that other processes can open.
func (s *space) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.file.Fd()) }

func (s *space) do(f func()) {
	var err error
	alone(func() {
		if err = unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET); err == nil {
			f()
		}
	})
	if err != nil {
		panic(fmt.Sprintf("entering a network namespace: %v", err))
	}
}

// alone runs f on a thread of its own, which ends with it: it may have gone elsewhere.
func alone(f func()) {
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread()
		f()
	})
	done.Wait()
}
