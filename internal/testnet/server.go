package testnet

import (
	"context"
	"io/fs"
	"log/slog"
	"testing"
	"testing/fstest"
	"time"

	"github.com/starling-p2p/starling/internal/httpd"
)

// Files are built pages, as far as tests need them.
func Files() fs.FS {
	return fstest.MapFS{
		".keep":                 {},
		"index.html":            {Data: []byte("<!doctype html><title>Starling</title>")},
		"link.html":             {Data: []byte("<!doctype html><title>A link</title>")},
		"index.html.br":         {Data: []byte("index, brotli")},
		"index.html.gz":         {Data: []byte("index, gzip")},
		"starling.js":           {Data: []byte("export const engine = true")},
		"starling-store.js":     {Data: []byte("onmessage = null")},
		"starling-sw.js":        {Data: []byte("onmessage = null")},
		"starling.d.ts":         {Data: []byte("export declare class Starling")},
		"sw.js":                 {Data: []byte("onfetch = null")},
		"sw.js.gz":              {Data: []byte("sw, gzip")},
		"assets/app-1a2.js":     {Data: []byte("import '/starling.js'")},
		"assets/starling-1a.js": {Data: []byte("export const node")},
		"manifest.webmanifest":  {Data: []byte("{}")},
	}
}

// Config is the default configuration, on a free port of this machine.
func Config() httpd.Config {
	return httpd.Config{
		Front: httpd.Front{Addr: "127.0.0.1:0"},
		Tracker: httpd.Tracker{
			AnnounceInterval: 2 * time.Minute, TCPAnnounceInterval: 15 * time.Minute,
			MaxSocketsPerAddress: 1024, MaxRequestsPerAddress: 50, MaxPeersPerAddress: 20_000,
		},
	}
}

// Serve runs a server until the test ends and returns its URL.
func Serve(t testing.TB, config httpd.Config, files fs.FS) string {
	t.Helper()
	return Start(t, config, files).URL()
}

// Start runs a server until the test ends; without files it is a tracker alone.
func Start(t testing.TB, config httpd.Config, files fs.FS) *httpd.Server {
	t.Helper()
	server, err := httpd.Listen(config, files, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return server
}
