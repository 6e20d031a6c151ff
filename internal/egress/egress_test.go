package egress

import (
	"net/netip"
	"testing"
)

func TestNearness(t *testing.T) {
	for text, want := range map[string]nearness{
		"8.8.8.8": internet, "2600::1": internet, "::ffff:8.8.8.8": internet,
		"10.0.0.1": network, "192.168.1.1": network, "100.64.0.1": network, "fd00::1": network, "::ffff:10.0.0.1": network,
		"127.0.0.1": machine, "127.9.9.9": machine, "::1": machine, "0.0.0.0": machine, "::": machine, "::ffff:127.0.0.1": machine,
		"169.254.169.254": inmost, "::ffff:169.254.169.254": inmost, "fe80::1": inmost, "fe80::1%eth0": inmost,
		"fd00:ec2::254": inmost, "100.100.100.200": inmost, "224.0.0.1": inmost, "ff02::1": inmost, "255.255.255.255": inmost,
	} {
		if got := nearnessOf(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// Of WebSockets the URL tells, however it is written, before anything is connected to.
func TestWebSockets(t *testing.T) {
	w := New("ws://127.0.0.1:9/own")
	defer w.Close()
	for tracker, want := range map[string]bool{
		"wss://t.example/any?x=y": true, "ws://10.0.0.1/any": true, "ws://127.0.0.1/announce": true, "ws://localhost:8000": true,
		"ws://127.0.0.1:9/any": true, "ws://127.0.0.1/any": false, "WS://LOCALHOST/any": false, "ws://[::1]/announce?x": false,
		"ws://me@localhost/announce": false, "ws://169.254.169.254/announce": false, "ws://[fd00:ec2::254]/announce": false,
	} {
		if got := w.Leads(tracker); got != want {
			t.Errorf("%s: %t", tracker, got)
		}
	}
}
