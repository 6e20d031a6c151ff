package httpd_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/internal/testnet"
)

// What cannot be, and what to do about it.
func TestClusterFlags(t *testing.T) {
	t.Setenv("STARLING_CLUSTER_SECRET", "")
	t.Setenv("STARLING_NATS", "nats://user:password@127.0.0.1:1")
	short := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		flags httpd.Together
		want  string
	}{
		{httpd.Together{Cluster: ":6222", NATS: "nats://127.0.0.1:4222"}, "not both"},
		{httpd.Together{Cluster: "6222"}, "--cluster \"6222\" is not HOST:PORT"},
		{httpd.Together{Cluster: ":6222", ClusterPeers: []string{"x"}}, "--cluster-peers \"x\" is not HOST:PORT"},
		{httpd.Together{ClusterPeers: []string{"x:1"}}, "need --cluster"},
		{httpd.Together{NATSCredentials: "x"}, "--nats-credentials needs --nats"},
		{httpd.Together{NATS: "http://x"}, "--nats is not a URL such as"},
		{httpd.Together{NATS: "nats://user:other@127.0.0.1:1"}, "STARLING_NATS"},
		{httpd.Together{NATS: "nats://127.0.0.1:1", ClusterName: "a.b"}, "--cluster-name"},
		{httpd.Together{Cluster: "0.0.0.0:0"}, "--cluster-secret-file"},
		{httpd.Together{Cluster: "127.0.0.1:0", ClusterSecretFile: short}, "at least 32 characters"},
		{httpd.Together{Cluster: "127.0.0.1:0", ClusterSecretFile: short + "-missing"}, "--cluster-secret-file"},
	} {
		config := testnet.Config()
		config.Together = c.flags
		if _, err := httpd.Listen(config, testnet.Files(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.flags, err, c.want)
		} else if strings.Contains(err.Error(), "other") && strings.Contains(err.Error(), "user:") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
	config := testnet.Config()
	config.NATS = "nats://user:password@127.0.0.1:1"
	if err := config.Validate(); err != nil {
		t.Errorf("a password from the environment: %v", err)
	}
}
