package peer

import (
	"bytes"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// No packet ends the program, and one of a few bytes that says it is a hundred megabytes long costs nothing; the next one
// is answered.
func TestPackets(t *testing.T) {
	node := start(t, func(o *Options) { o.DHT.Enabled = true })
	conn, err := net.Dial("udp", node.client.DhtServers()[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	long := slices.Repeat([]string{"d1:t99999999:x", "d1:y99999999:x", "d99999999:x", "d1:ad5:token99999999:x"}, 20)
	for _, packet := range append(long, "", "d", strings.Repeat("d1:a", 10_000),
		"d2:ip0:e", "d1:rd6:valuesl0:eee", "d1:rd5:nodes1:xee",
		"d1:q13:announce_peer1:t2:bb1:y1:qe", "d1:q3:put1:t2:bb1:y1:qe", "d1:q4:ping1:t2:bb1:y1:qe",
		"d1:ad2:id20:abcdefghij0123456789e1:q7:made-up1:t2:bb1:y1:qe",
	) {
		if _, err := conn.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
	}
	// Meanwhile it may ask something itself; and what comes all at once it need not answer.
	packet, answered := make([]byte, 1500), false
	for late := time.Now().Add(20 * time.Second); !answered && time.Now().Before(late); {
		_, _ = conn.Write([]byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"))
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		for n, err := conn.Read(packet); err == nil && !answered; n, err = conn.Read(packet) {
			answered = bytes.Contains(packet[:n], []byte("1:t2:aa"))
		}
	}
	if !answered {
		t.Fatal("it does not answer any more")
	}
	runtime.ReadMemStats(&after)
	// What tests before this one let go of takes memory too, tens of megabytes; the long ones would take eight thousand.
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<30 {
		t.Errorf("%d MB of memory were taken", took>>20)
	}
}

func FuzzPackets(f *testing.F) {
	for _, packet := range []string{
		"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", "d2:ip6:abcdef1:rd2:id20:abcdefghij01234567895:nodes0:e1:y1:re", "d1:eli201e1:xe1:y1:ee",
	} {
		f.Add([]byte(packet))
	}
	f.Fuzz(func(_ *testing.T, packet []byte) { isKRPC(packet) })
}
