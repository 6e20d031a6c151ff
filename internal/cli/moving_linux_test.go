package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// Somebody who shares leaves the house in the middle of it, and is behind another router then. Nobody tells him that his
// sockets are dead, and by pings alone it took more than 100 s until the two had met again.
func TestAnotherNetwork(t *testing.T) {
	t.Parallel()
	internet := testnet.NewInternet(t)
	public, sender, receiver := internet.Machine(), internet.Behind(testnet.Ordinary), internet.Behind(testnet.Ordinary)
	address := netip.AddrPortFrom(public.Addr, 8080).String()
	run := func(on *testnet.Machine, args ...string) (*exec.Cmd, *bufio.Scanner) {
		t.Helper()
		cmd := exec.Command("starling", args...)
		cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+t.TempDir())
		cmd.Stderr = t.Output()
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		on.Start(cmd)
		return cmd, bufio.NewScanner(out)
	}
	run(public, "serve", "--addr", address)
	client := visitor(public, netip.MustParseAddrPort(address), "", nil)
	testnet.UntilRight(t, "the server answers", func() error {
		answer, err := client.Get("http://" + address + "/healthz")
		if err == nil {
			_ = answer.Body.Close()
		}
		return err
	})

	film := filepath.Join(t.TempDir(), "film.bin")
	data := make([]byte, 3_000_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	if err := os.WriteFile(film, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, said := run(sender, "share", "--json", "--server", "http://"+address, "--limit-up", "300k", film)
	var event struct {
		Event, Link string
		BytesDone   int
	}
	next := func(s *bufio.Scanner, wanted string) {
		t.Helper()
		for event.Event = ""; event.Event != wanted; {
			if !s.Scan() {
				t.Fatalf("no %q: %v", wanted, s.Err())
			}
			if err := json.Unmarshal(s.Bytes(), &event); err != nil {
				t.Fatal(err)
			}
		}
	}
	next(said, "shared")
	get, said := run(receiver, "get", "--json", "-o", film+".got", event.Link)
	for event.BytesDone == 0 {
		next(said, "progress")
	}
	sender.Move(testnet.Ordinary)
	late := time.AfterFunc(time.Minute, func() { _ = get.Process.Kill() })
	defer late.Stop()
	next(said, "done")
	if got, err := os.ReadFile(film + ".got"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came: %v", len(got), err)
	}
}
