package ws_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
	"github.com/starling-p2p/starling/tracker"
	"github.com/starling-p2p/starling/tracker/ws"
)

// BenchmarkIdleConnection runs the real server as a process of its own and opens real sockets, each of which announces
// one peer and then says nothing. B/conn is the whole resident memory of the process divided by the sockets; B/more
// is what the sockets added to it.
//
//	go test ./tracker/ws -run '^$' -bench IdleConnection -benchtime 1x
func BenchmarkIdleConnection(b *testing.B) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip("the memory of a process is read from /proc, which is Linux's")
	}
	const connections = 5_000
	program := filepath.Join(b.TempDir(), "starling")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/starling").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for b.Loop() {
		addr, pid := start(b, program)
		before := resident(b, pid)
		var wg sync.WaitGroup
		sockets := make([]*testnet.Socket, connections)
		for g := range 8 {
			wg.Go(func() {
				for i := g; i < connections; i += 8 {
					conn, err := net.Dial("tcp", addr)
					if err != nil {
						b.Error(err)
						return
					}
					sockets[i] = testnet.Connect(b, conn)
					sockets[i].Send(fmt.Sprintf(`{"action":"announce","info_hash":"%020d","peer_id":"%020d","left":1}`, i/10, i))
					if sockets[i].Next() == nil {
						b.Error("no reply")
						return
					}
				}
			})
		}
		wg.Wait()
		after := resident(b, pid)
		b.ReportMetric(float64(after)/connections, "B/conn")
		b.ReportMetric(float64(after-before)/connections, "B/more")
		for _, s := range sockets {
			if s != nil {
				s.Close()
			}
		}
	}
}

func start(b *testing.B, program string) (addr string, pid int) {
	b.Helper()
	cmd := exec.Command(program, "serve", "--addr", "127.0.0.1:0")
	out, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	found := regexp.MustCompile(`Starling is at http://localhost(:\d+)`).FindStringSubmatch(line)
	if found == nil {
		b.Fatalf("the server says %q", line)
	}
	return "127.0.0.1" + found[1], cmd.Process.Pid
}

// resident is the memory of a process, in bytes.
func resident(b *testing.B, pid int) int {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				b.Fatal(err)
			}
			return n << 10
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// BenchmarkAnnounce has 50 peers of one swarm announce with five offers of 1.2 kB, over connections without a kernel
// in between: what the tracker itself costs. out/s counts replies and offers.
func BenchmarkAnnounce(b *testing.B) {
	pipes := testnet.NewPipes()
	server := ws.New(tracker.New[ws.Handle](tracker.Options{Expiry: time.Hour}), ws.Options{})
	web := &http.Server{Handler: server}
	go web.Serve(pipes)
	defer func() {
		_ = server.Close(context.Background())
		_ = web.Close()
	}()
	offer := make([]string, 5)
	for i := range offer {
		offer[i] = fmt.Sprintf(`{"offer":{"type":"offer","sdp":%q},"offer_id":"%020d"}`, strings.Repeat("a=candidate:1 1 udp 2122260223 192.168.1.2 54400 typ host\r\n", 20), i)
	}
	const peers = 50
	var conns [peers]net.Conn
	var frames [peers][]byte
	for i := range peers {
		conns[i] = pipes.Dial(b, fmt.Sprintf("192.0.2.%d", i))
		testnet.Connect(b, conns[i]).Discard()
		message := fmt.Sprintf(`{"action":"announce","info_hash":%q,"peer_id":"%020d","left":1,"offers":[%s]}`, hash, i, strings.Join(offer, ","))
		frames[i] = append(testnet.Header(true, testnet.Text, uint64(len(message))), message...)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := conns[n%peers].Write(frames[n%peers]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	s := server.Stats()
	b.ReportMetric(float64(s.Messages+s.Offers-s.Dropped)/b.Elapsed().Seconds(), "out/s")
	b.ReportMetric(float64(s.Dropped)/float64(s.Offers), "dropped/offer")
}
