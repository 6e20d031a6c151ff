// Command relay loads a TURN server for `node bench/run.mjs relay`: clients send through it to a peer that sends each
// datagram back, and every echo lets the client send another, so that as much is under way as the window allows.
//
//	client ──ChannelData──▶ server ──▶ echo
//	       ◀──ChannelData──        ◀──
//
// It prints the bytes of payload that the server carried, both ways, in the measured time.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"net"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v5"
)

func main() {
	server := flag.String("server", "", "address of the TURN server")
	user := flag.String("user", "", "user name")
	password := flag.String("password", "", "password")
	clients := flag.Int("clients", 8, "allocations at once")
	window := flag.Int("window", 32, "datagrams of a client under way at once")
	size := flag.Int("size", 1200, "bytes of a datagram's payload")
	warm := flag.Duration("warm", time.Second, "time before it counts")
	wait := flag.Duration("time", 3*time.Second, "time that counts")
	flag.Parse()

	peer, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	go echo(peer)

	var carried atomic.Int64
	for range *clients {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		client, err := turn.NewClient(&turn.ClientConfig{TURNServerAddr: *server, Username: *user, Password: *password, Conn: conn})
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
		go run(relayed, peer.LocalAddr(), *window, *size, &carried)
	}

	time.Sleep(*warm)
	fmt.Println("begin")
	before, began := carried.Load(), time.Now()
	time.Sleep(*wait)
	fmt.Println(carried.Load()-before, time.Since(began).Seconds())
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

// run keeps a window of datagrams under way. What is lost is made up for when nothing has come for a moment.
func run(relayed net.PacketConn, peer net.Addr, window, size int, carried *atomic.Int64) {
	out, in := make([]byte, size), make([]byte, 2048)
	var serial uint64
	send := func() {
		serial++
		binary.BigEndian.PutUint64(out, serial)
		if _, err := relayed.WriteTo(out, peer); err != nil {
			log.Fatal(err)
		}
	}
	send()
	under := 1
	for {
		_ = relayed.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, _, err := relayed.ReadFrom(in)
		if err != nil {
			under = 0
		} else {
			carried.Add(2 * int64(n))
			under--
		}
		for ; under < window; under++ {
			send()
		}
	}
}
