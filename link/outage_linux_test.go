package link_test

import (
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// A way that was cut off for some seconds, as when somebody walks from one room to another, is used again soon after it
// is there again: SCTP by itself would wait for twice as long as the time before.
func TestResumesSoonAfterAnOutage(t *testing.T) {
	t.Parallel()
	internet := testnet.NewInternet(t)
	var nodes []*node
	var machines []*testnet.Machine
	for i := range 2 {
		m := internet.Machine()
		machines = append(machines, m)
		m.Do(func() {
			nodes = append(nodes, newNode(t, byte('1'+i), habits{raw: true, listen: m.Addr.String() + ":0"}))
		})
	}
	must(t, introduce(t, nodes[0], nodes[1], hash(1)))
	a, b := <-nodes[0].raw, <-nodes[1].raw
	go func() {
		for {
			if _, err := a.Write([]byte{1}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	read := func() {
		t.Helper()
		must(t, b.SetReadDeadline(time.Now().Add(20*time.Second)))
		if _, err := b.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	read()
	machines[1].Plug(false)
	for silent := time.Now(); time.Since(silent) < 8*time.Second; {
		_ = b.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := b.Read(make([]byte, 64)); err == nil {
			silent = time.Now()
		}
	}
	machines[1].Plug(true)
	up := time.Now()
	read()
	if took := time.Since(up); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
