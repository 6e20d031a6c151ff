package ws_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/starling-p2p/starling/internal/testnet"
)

// The tracker client of webtorrent 3, as it is, against the whole server.
func TestBittorrentTrackerClient(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node: install Node.js 20 to run this test")
	}
	if _, err := os.Stat("../../node_modules/bittorrent-tracker"); err != nil {
		t.Skip("node_modules is missing: run `npm ci` (or `make build`) to run this test")
	}
	url := testnet.Serve(t, testnet.Config(), testnet.Files())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "testdata/client.mjs", "ws"+strings.TrimPrefix(url, "http")+"/announce")
	var failures bytes.Buffer
	cmd.Stderr = &failures
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, failures.String())
	}
	seeder, leecher := strings.Repeat("73", 20), strings.Repeat("6c", 20)
	want := []string{
		`{"who":"seeder","complete":1,"incomplete":0,"interval":true}`,
		`{"who":"leecher","complete":1,"incomplete":1,"interval":true}`,
		`{"who":"seeder","got":"offer","sdp":"offer of ` + leecher + `\r\n","from":"` + leecher + `"}`,
		`{"who":"leecher","got":"answer","sdp":"answer of ` + seeder + `\r\n","from":"` + seeder + `"}`,
		`{"who":"leecher","complete":2,"incomplete":0,"interval":true}`,
		`{"who":"leecher","complete":2,"incomplete":0,"downloaded":1}`,
		`{"who":"seeder","complete":1,"incomplete":0,"interval":true}`,
		`{"done":true}`,
	}
	if got := strings.TrimSpace(string(out)); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
