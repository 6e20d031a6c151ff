package httpd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/starling-p2p/starling/cluster/natsbus"
)

// Together is how several servers are one tracker.
type Together struct {
	Cluster           string   `placeholder:"HOST:PORT" help:"Be one tracker together with other servers, which connect here, such as 10.0.0.1:6222."`
	ClusterPeers      []string `placeholder:"HOST:PORT" help:"Where some of the other servers are. This one may be among them."`
	ClusterSecretFile string   `placeholder:"FILE" help:"What all servers of the cluster have in common, at least 32 characters. Or STARLING_CLUSTER_SECRET in the environment."`
	ClusterAdvertise  string   `placeholder:"HOST:PORT" help:"Where the others are told that this server is. Default: --cluster, or all addresses of this machine."`
	ClusterName       string   `default:"starling" placeholder:"NAME" help:"Tells clusters apart that share a NATS server (default ${default})."`
	NATS              string   `name:"nats" placeholder:"URL" help:"Use this NATS server for the cluster, such as tls://nats.example.org, instead of --cluster."`
	NATSCredentials   string   `name:"nats-credentials" placeholder:"FILE" help:"Credentials for the NATS server."`
}

// secretVariable is the environment's name of the cluster's secret. There is no flag: all who are on a machine can read
// those.
const secretVariable = "STARLING_CLUSTER_SECRET"

var clusterName = regexp.MustCompile(`^[A-Za-z0-9-]{1,40}$`)

// Clustered says whether there are to be other servers.
func (c *Together) Clustered() bool { return c.Cluster != "" || c.NATS != "" }

// check says what is wrong, and with which flag.
func (c *Together) check() error {
	switch {
	case c.Cluster != "" && c.NATS != "":
		return errors.New("--cluster has a NATS server of its own: give that or --nats, not both")
	case c.Cluster == "" && (len(c.ClusterPeers) > 0 || c.ClusterSecretFile != "" || c.ClusterAdvertise != ""):
		return errors.New("--cluster-peers, --cluster-secret-file and --cluster-advertise need --cluster, where other servers connect to this one")
	case c.NATS == "" && c.NATSCredentials != "":
		return errors.New("--nats-credentials needs --nats")
	case c.Clustered() && c.ClusterName != "" && !clusterName.MatchString(c.ClusterName):
		return fmt.Errorf("--cluster-name %q is not a name of letters, digits and dashes", c.ClusterName)
	}
	if c.NATS != "" {
		return c.checkNATS()
	}
	if c.Cluster != "" {
		return c.checkCluster()
	}
	return nil
}

func (c *Together) checkNATS() error {
	u, err := url.Parse(c.NATS)
	if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
		return errors.New("--nats is not a URL such as nats://10.0.0.1:4222 or tls://nats.example.org")
	}
	if u.User != nil && os.Getenv("STARLING_NATS") != c.NATS {
		return errors.New("--nats has a password in it, which all who are on this machine can read: put the URL into STARLING_NATS in the environment, or use --nats-credentials")
	}
	return nil
}

func (c *Together) checkCluster() error {
	type address struct{ flag, value string }
	addresses := []address{{"--cluster", c.Cluster}}
	for _, p := range c.ClusterPeers {
		addresses = append(addresses, address{"--cluster-peers", p})
	}
	if c.ClusterAdvertise != "" {
		addresses = append(addresses, address{"--cluster-advertise", c.ClusterAdvertise})
	}
	for _, a := range addresses {
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			return fmt.Errorf("%s %q is not HOST:PORT, such as 10.0.0.1:6222", a.flag, a.value)
		}
	}
	if c.ClusterSecretFile != "" {
		return nil // it may come to be there
	}
	switch secret := os.Getenv(secretVariable); {
	case secret == "" && natsbus.NeedsSecret(c.Cluster):
		return fmt.Errorf("other machines can reach --cluster %s, so it needs a secret: make one with `openssl rand -hex 32 > secret`, copy it to all servers, and give --cluster-secret-file secret", c.Cluster)
	case secret != "" && len(secret) < natsbus.MinSecret:
		return fmt.Errorf("%s is too short: at least %d characters, such as `openssl rand -hex 32` makes", secretVariable, natsbus.MinSecret)
	}
	return nil
}

func (c *Together) secret() (string, error) {
	if c.ClusterSecretFile == "" {
		return os.Getenv(secretVariable), nil
	}
	f, err := os.Open(c.ClusterSecretFile)
	if err != nil {
		return "", fmt.Errorf("--cluster-secret-file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("--cluster-secret-file: %w", err)
	}
	if len(strings.TrimSpace(string(b))) < natsbus.MinSecret {
		return "", fmt.Errorf("--cluster-secret-file %s: at least %d characters, such as `openssl rand -hex 32` makes", c.ClusterSecretFile, natsbus.MinSecret)
	}
	return strings.TrimSpace(string(b)), nil
}
