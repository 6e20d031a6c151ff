package httpd_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// run serves a tracker while f runs, and returns what it logged.
func run(t *testing.T, config httpd.Config, f func(announce string)) string {
	t.Helper()
	var said bytes.Buffer
	server, err := httpd.Listen(config, nil, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	f(server.AnnounceURLs()[1])
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	return said.String()
}

func TestRestartKeepsPeers(t *testing.T) {
	config := testnet.Config()
	config.Snapshot = filepath.Join(t.TempDir(), "peers")
	said := run(t, config, func(at string) {
		testnet.Ask(t, "GET", announceURL(at, 'a', "left=0"))
		testnet.Ask(t, "GET", announceURL(at, 'b', "left=1"))
	})
	if !strings.Contains(said, "there is no snapshot yet") {
		t.Errorf("the first time: %s", said)
	}
	if info, err := os.Stat(config.Snapshot); err != nil || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		t.Errorf("others may read who takes part in what: %v, %v", info, err)
	}
	said = run(t, config, func(at string) {
		if _, body := testnet.Ask(t, "GET", announceURL(at, 'c', "left=1")); !strings.HasPrefix(body, "d8:completei1e") || !strings.Contains(body, "10:incompletei2e") {
			t.Errorf("after a restart: %q", body)
		}
	})
	if !strings.Contains(said, "read a snapshot") || !strings.Contains(said, "peers=2") {
		t.Errorf("the second time: %s", said)
	}

	// Whoever moved meanwhile is known by their key.
	config.TrustedProxy = []string{"127.0.0.1"}
	run(t, config, func(at string) {
		testnet.Ask(t, "GET", announceURL(at, 'k', "left=1&key=secret"), "X-Forwarded-For", "192.0.2.1")
	})
	run(t, config, func(at string) {
		if _, body := testnet.Ask(t, "GET", announceURL(at, 'k', "left=1&key=secret"), "X-Forwarded-For", "192.0.2.2"); !strings.Contains(body, "10:incompletei3e") {
			t.Errorf("one has moved: %q", body)
		}
	})

	// One that is damaged is no reason not to serve, and is written anew.
	if err := os.WriteFile(config.Snapshot, []byte("starling\x01 and nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	said = run(t, config, func(at string) { testnet.Ask(t, "GET", announceURL(at, 'a', "left=0")) })
	if !strings.Contains(said, "level=WARN") || !strings.Contains(said, "no whole snapshot") {
		t.Errorf("damaged: %s", said)
	}
	if said = run(t, config, func(string) {}); !strings.Contains(said, "peers=1") {
		t.Errorf("after that: %s", said)
	}

	// What somebody named by mistake is left alone.
	config.Snapshot = filepath.Join(t.TempDir(), "denied.txt")
	if err := os.WriteFile(config.Snapshot, []byte("# a list\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := httpd.Listen(config, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no snapshot of a tracker: name another file") {
		t.Errorf("over a list: %v", err)
	}

	config.Snapshot = filepath.Join(config.Snapshot, "below", "a file")
	if _, err := httpd.Listen(config, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "--snapshot ") {
		t.Errorf("in no folder: %v", err)
	}
}
