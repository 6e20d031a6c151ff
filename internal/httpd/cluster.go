package httpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starling-p2p/starling/cluster"
	"github.com/starling-p2p/starling/cluster/natsbus"
	"github.com/starling-p2p/starling/tracker"
	trackerhttp "github.com/starling-p2p/starling/tracker/http"
	"github.com/starling-p2p/starling/tracker/ws"
)

// Together is how several servers are one tracker.
type Together struct {
	Cluster           string   `placeholder:"HOST:PORT" help:"Be one tracker together with other servers, which connect here, such as 10.0.0.1:6222."`
	ClusterPeers      []string `placeholder:"HOST:PORT,…" help:"Where some of the other servers are. This one may be among them."`
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
	hostPort := func(flag, v string) error {
		if _, _, err := net.SplitHostPort(v); err != nil {
			return fmt.Errorf("%s %q is not HOST:PORT, such as 10.0.0.1:6222", flag, v)
		}
		return nil
	}
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
		u, err := url.Parse(c.NATS)
		if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return errors.New("--nats is not a URL such as nats://10.0.0.1:4222 or tls://nats.example.org")
		}
		if u.User != nil && os.Getenv("STARLING_NATS") != c.NATS {
			return errors.New("--nats has a password in it, which all who are on this machine can read: put the URL into STARLING_NATS in the environment, or use --nats-credentials")
		}
	}
	if c.Cluster == "" {
		return nil
	}
	if err := hostPort("--cluster", c.Cluster); err != nil {
		return err
	}
	for _, p := range c.ClusterPeers {
		if err := hostPort("--cluster-peers", p); err != nil {
			return err
		}
	}
	if c.ClusterAdvertise != "" {
		return hostPort("--cluster-advertise", c.ClusterAdvertise)
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

// together is what a server has of a cluster.
type together struct {
	node *cluster.Node
	bus  *natsbus.Bus
}

// join connects to the others; nil where there are none to be.
func (c *Together) join(store *tracker.Store[ws.Handle], log *slog.Logger) (*together, error) {
	if !c.Clustered() {
		return nil, nil
	}
	name := c.ClusterName
	if name == "" {
		name = "starling"
	}
	t := &together{}
	var err error
	if c.NATS != "" {
		if t.bus, err = natsbus.Dial(c.NATS, c.NATSCredentials, log); err != nil {
			return nil, fmt.Errorf("--nats: %w", err)
		}
	} else {
		secret, err := c.secret()
		if err != nil {
			return nil, err
		}
		t.bus, err = natsbus.Embed(natsbus.Embedded{Listen: c.Cluster, Advertise: c.ClusterAdvertise, Peers: c.ClusterPeers, Secret: secret, Name: name}, log)
		if errors.Is(err, natsbus.ErrNoSecret) {
			return nil, fmt.Errorf("other machines can reach --cluster %s, so it needs a secret: make one with `openssl rand -hex 32 > secret`, copy it to all servers, and give --cluster-secret-file secret", c.Cluster)
		}
		if err != nil {
			return nil, fmt.Errorf("--cluster: %w", err)
		}
	}
	host, _ := os.Hostname() // it is for people only
	t.node = cluster.New(store, t.bus, cluster.Options{Name: name, Host: host + " " + c.Cluster, Log: log})
	return t, nil
}

// swarms is the store for those who have to ask the others too.
func (t *together) swarms(store *tracker.Store[ws.Handle]) trackerhttp.Store {
	if t == nil {
		return store
	}
	return t.node
}

// others is for the WebSockets.
func (t *together) others() ws.Cluster {
	if t == nil {
		return nil
	}
	return t.node
}

func (t *together) start(sockets *ws.Server) error {
	if t == nil {
		return nil
	}
	return t.node.Start(sockets)
}

func (t *together) run(ctx context.Context, failed chan<- error) {
	if t == nil {
		return
	}
	go func() {
		select {
		case err := <-t.node.Failed():
			failed <- err
		case <-ctx.Done():
		}
	}()
}

// handOver is how long a server that ends takes to hand its swarms to others, at most.
const handOver = 3 * time.Second

func (t *together) close(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handOver)
	defer cancel()
	t.node.Close(ctx)
	t.bus.Close()
}

// health is ok as long as this server answers peers, which it does without the others too; a second line says how they
// are.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok\n")
	if t := s.trackers.together; t != nil {
		n := t.node.Stats()
		if !n.Connected {
			_, _ = io.WriteString(w, "cluster: the bus is not connected, so this server is on its own\n")
			return
		}
		_, _ = fmt.Fprintf(w, "cluster: %d servers\n", n.Nodes)
	}
}

func (s *Server) clusterMetrics(registry *prometheus.Registry) {
	t := s.trackers.together
	if t == nil {
		return
	}
	gauge := func(name, help string, value func(cluster.Stats) int) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value(t.node.Stats())) }))
	}
	counter := func(name, help string, value func(cluster.Stats) uint64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value(t.node.Stats())) }))
	}
	gauge("starling_cluster_nodes", "Servers of the cluster that are there, with this one.", func(n cluster.Stats) int { return n.Nodes })
	gauge("starling_cluster_connected", "1 while the bus is connected.", func(n cluster.Stats) int {
		if n.Connected {
			return 1
		}
		return 0
	})
	gauge("starling_cluster_requests_open", "Questions to other servers that have no answer yet.", func(n cluster.Stats) int { return n.Open })
	gauge("starling_cluster_offers_outstanding", "Offers for sockets of this server that may still be answered.", func(n cluster.Stats) int { return n.Outstanding })
	counter("starling_cluster_requests_total", "Questions to other servers: announces and scrapes of swarms that they look after.", func(n cluster.Stats) uint64 { return n.Asks })
	counter("starling_cluster_timeouts_total", "Questions that were not answered in time; clients got what this server knew.", func(n cluster.Stats) uint64 { return n.Late })
	counter("starling_cluster_overflow_total", "Questions that were not asked because too many were open.", func(n cluster.Stats) uint64 { return n.Overflow })
	counter("starling_cluster_lost_total", "Messages that could not be sent.", func(n cluster.Stats) uint64 { return n.Lost })
	counter("starling_cluster_unknown_total", "Messages of another version.", func(n cluster.Stats) uint64 { return n.Unknown })
	counter("starling_cluster_malformed_total", "Messages that made no sense.", func(n cluster.Stats) uint64 { return n.Malformed })
	counter("starling_cluster_offers_total", "Offers passed on to sockets of other servers.", func(n cluster.Stats) uint64 { return n.Offers })
	counter("starling_cluster_answers_total", "Answers passed on to sockets of other servers.", func(n cluster.Stats) uint64 { return n.Answers })
	counter("starling_cluster_handed_total", "Peers handed over to servers that look after their swarms now.", func(n cluster.Stats) uint64 { return n.Handed })
	counter("starling_cluster_batches_total", "Messages sent to other servers.", func(n cluster.Stats) uint64 { return n.Batches })
	counter("starling_cluster_bytes_total", "Bytes of those.", func(n cluster.Stats) uint64 { return n.Bytes })
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "starling_cluster_bus_errors_total", Help: "What went wrong on the bus, outsiders who were refused among it."},
		func() float64 { return float64(t.bus.Errors()) }))
}
