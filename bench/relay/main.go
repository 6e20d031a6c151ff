//go:build linux

// Command relay starts a TURN server and loads it, for `node bench/run.mjs relay`. Clients send through the server to a
// peer that sends each datagram back, and every echo lets the client send another, so that as much is under way as the
// window allows:
//
//	client ──ChannelData──▶ server ──▶ peer
//	       ◀──ChannelData──        ◀──
//
// It prints what the server carried both ways, kB of payload, for each second of its CPU time:
//
//	kB/CPU-s 312345
//
// Usage: relay [flags] COMMAND ARG…, where {port} and {secret} in an argument stand for the port to listen on and what
// signs credentials (the scheme that coturn calls the TURN REST API). Linux only: CPU time is read from /proc.
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/turn/v5"
)

// ticks of /proc/…/stat there are in a second on any Linux.
const ticks = 100

func main() {
	clients := flag.Int("clients", 8, "allocations at once")
	window := flag.Int("window", 16, "datagrams of a client under way at once")
	size := flag.Int("size", 1200, "bytes of a datagram's payload")
	warm := flag.Duration("warm", time.Second, "time before it counts")
	wait := flag.Duration("time", 4*time.Second, "time that counts")
	flag.Parse()
	log.SetFlags(0)

	port, secret := freePort(), rand.Text()
	command := flag.Args()
	for i, a := range command {
		command[i] = strings.NewReplacer("{port}", port, "{secret}", secret).Replace(a)
	}
	server := exec.Command(command[0], command[1:]...)
	server.Stderr = os.Stderr
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	user := fmt.Sprint(time.Now().Add(time.Hour).Unix(), ":bench")
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(user))
	password := base64.StdEncoding.EncodeToString(mac.Sum(nil))

	peer, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	go echo(peer)
	var carried atomic.Int64
	for range *clients {
		go run(allocate(net.JoinHostPort("127.0.0.1", port), user, password), peer.LocalAddr(), *window, *size, &carried)
	}

	time.Sleep(*warm)
	bytes, cpu := carried.Load(), cpuTime(server.Process.Pid)
	time.Sleep(*wait)
	bytes, cpu = carried.Load()-bytes, cpuTime(server.Process.Pid)-cpu
	_ = server.Process.Kill()
	_ = server.Wait() // it was killed
	fmt.Printf("kB/CPU-s %.0f\n", float64(bytes)/1000/cpu.Seconds())
}

// freePort is one that is free for TCP, and so most likely for UDP.
func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// allocate waits for the server to listen: the client asks again for half a minute.
func allocate(server, user, password string) net.PacketConn {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	client, err := turn.NewClient(&turn.ClientConfig{TURNServerAddr: server, Username: user, Password: password, Conn: conn})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		log.Fatal(err)
	}
	relayed, err := client.Allocate()
	if err != nil {
		log.Fatalf("allocating: %v", err)
	}
	return relayed
}

func echo(peer *net.UDPConn) {
	buffer := make([]byte, 2048)
	for {
		n, from, err := peer.ReadFromUDPAddrPort(buffer)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := peer.WriteToUDPAddrPort(buffer[:n], from); err != nil {
			log.Fatal(err)
		}
	}
}

// run keeps a window of datagrams under way. What was lost is made up for when nothing has come for a moment.
func run(relayed net.PacketConn, peer net.Addr, window, size int, carried *atomic.Int64) {
	out, in := make([]byte, size), make([]byte, 2048)
	for under := 0; ; {
		for ; under < window; under++ {
			if _, err := relayed.WriteTo(out, peer); err != nil {
				log.Fatal(err)
			}
		}
		_ = relayed.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, _, err := relayed.ReadFrom(in)
		if err != nil {
			under = 0
			continue
		}
		carried.Add(2 * int64(n))
		under--
	}
}

func cpuTime(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		log.Fatalf("the server has ended: %v", err)
	}
	// After the name, which is in parentheses and may hold anything: utime and stime are the 12th and 13th.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	sum := 0
	for _, f := range fields[11:13] {
		n, _ := strconv.Atoi(f)
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks
}
