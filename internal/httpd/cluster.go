package httpd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/starling-p2p/starling/cluster"
	"github.com/starling-p2p/starling/cluster/natsbus"
	"github.com/starling-p2p/starling/tracker"
	trackerhttp "github.com/starling-p2p/starling/tracker/http"
	"github.com/starling-p2p/starling/tracker/ws"
)

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
