package testnet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreePorts are so many that nobody has, neither for TCP nor for UDP, for programs that have to be told theirs. The system
// gives none of these to who names none, so nobody has them either when a program that takes its time gets to them.
func FreePorts(t testing.TB, n int) (ports []string) {
	t.Helper()
	for tries := 0; len(ports) < n; tries++ {
		if tries == 100*n {
			t.Fatal("no port is free")
		}
		port := fmt.Sprint(10_000 + rand.IntN(20_000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }()
		c, err := net.ListenPacket("udp4", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		defer func() { _ = c.Close() }()
		ports = append(ports, port)
	}
	return ports
}
