package peer

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/huin/goupnp"
	"github.com/huin/goupnp/dcps/internetgateway2"
	natpmp "github.com/jackpal/go-nat-pmp"
)

const (
	mappingLife = time.Hour
	// mappingRenew is when a mapping is asked for again.
	mappingRenew   = mappingLife / 2
	mappingTimeout = 5 * time.Second
	unmapTimeout   = 2 * time.Second
)

// mapper asks the router to let peers in: by NAT-PMP (RFC 6886), which routers with PCP answer too, and by UPnP where
// that is not answered. Mappings last an hour and are renewed, and go when the peer is closed.
type mapper struct {
	p *Peer
	// routers finds who is to be asked.
	routers func(context.Context) []router

	soon chan struct{}

	mu     sync.Mutex
	mapped map[portKey]int // the port outside
}

// portKey is a port that is listened at.
type portKey struct {
	protocol string // "tcp" or "udp"
	port     int
}

// router is one that maps ports.
type router interface {
	// add maps a port, to the same one outside if it is free, and returns that.
	add(ctx context.Context, key portKey, life time.Duration) (outside int, err error)
	remove(ctx context.Context, key portKey, outside int) error
}

func newMapper(p *Peer) *mapper {
	m := &mapper{p: p, routers: findRouters, soon: make(chan struct{}, 1), mapped: map[portKey]int{}}
	p.goWork(m.run)
	return m
}

// again asks at once, as there may be another router.
func (m *mapper) again() {
	select {
	case m.soon <- struct{}{}:
	default:
	}
}

// outside is where a TCP port is mapped to, or 0.
func (m *mapper) outside(port int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mapped[portKey{"tcp", port}]
}

func (m *mapper) ports() (all []portKey) {
	if _, text, err := net.SplitHostPort(addrText(m.p.Addr())); err == nil {
		if port, err := strconv.Atoi(text); err == nil && port != 0 {
			all = append(all, portKey{"tcp", port}, portKey{"udp", port})
		}
	}
	if l := m.p.finders.links; l != nil {
		all = append(all, portKey{"udp", l.Port()})
	}
	return all
}

func addrText(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

func (m *mapper) run() {
	tick := time.NewTicker(mappingRenew)
	defer tick.Stop()
	var used []router
	for {
		if r := m.renew(); r != nil {
			used = []router{r}
		}
		select {
		case <-tick.C:
		case <-m.soon:
		case <-m.p.ctx.Done():
			for _, r := range used {
				m.unmap(r)
			}
			return
		}
	}
}

// renew maps all ports at the first router that does so.
func (m *mapper) renew() router {
	ctx, stop := context.WithTimeout(m.p.ctx, 4*mappingTimeout)
	defer stop()
	ports := m.ports()
	for _, r := range m.routers(ctx) {
		done := 0
		for _, key := range ports {
			outside, err := r.add(ctx, key, mappingLife)
			if err != nil {
				m.p.log.Debug("mapping a port", "port", key.port, "error", err)
				break
			}
			done++
			m.mu.Lock()
			m.mapped[key] = outside
			m.mu.Unlock()
		}
		if done > 0 {
			return r
		}
	}
	return nil
}

func (m *mapper) unmap(r router) {
	ctx, stop := context.WithTimeout(context.Background(), unmapTimeout)
	defer stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, outside := range m.mapped {
		if err := r.remove(ctx, key, outside); err != nil {
			return
		}
	}
}

func findRouters(ctx context.Context) (all []router) {
	for _, gateway := range gateways() {
		client := natpmp.NewClientWithTimeout(gateway, mappingTimeout)
		if _, err := client.GetExternalAddress(); err == nil {
			all = append(all, pmpRouter{client})
		}
	}
	if len(all) > 0 {
		return all
	}
	return append(all, upnpRouters(ctx)...)
}

type pmpRouter struct{ client *natpmp.Client }

func (r pmpRouter) add(_ context.Context, key portKey, life time.Duration) (int, error) {
	result, err := r.client.AddPortMapping(key.protocol, key.port, key.port, int(life.Seconds()))
	if err != nil {
		return 0, err
	}
	return int(result.MappedExternalPort), nil
}

func (r pmpRouter) remove(_ context.Context, key portKey, _ int) error {
	_, err := r.client.AddPortMapping(key.protocol, key.port, 0, 0)
	return err
}

// upnpService is what the services of a gateway that map ports have in common.
type upnpService interface {
	AddPortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string, internalPort uint16, internalClient string, enabled bool, description string, lease uint32) error
	DeletePortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string) error
	GetServiceClient() *goupnp.ServiceClient
}

func upnpRouters(ctx context.Context) (all []router) {
	ctx, stop := context.WithTimeout(ctx, mappingTimeout)
	defer stop()
	if found, _, err := internetgateway2.NewWANIPConnection2ClientsCtx(ctx); err == nil {
		for _, c := range found {
			all = append(all, upnpRouter{c})
		}
	}
	if found, _, err := internetgateway2.NewWANIPConnection1ClientsCtx(ctx); err == nil && len(all) == 0 {
		for _, c := range found {
			all = append(all, upnpRouter{c})
		}
	}
	if found, _, err := internetgateway2.NewWANPPPConnection1ClientsCtx(ctx); err == nil && len(all) == 0 {
		for _, c := range found {
			all = append(all, upnpRouter{c})
		}
	}
	return all
}

type upnpRouter struct{ service upnpService }

func (r upnpRouter) add(ctx context.Context, key portKey, life time.Duration) (int, error) {
	local := r.service.GetServiceClient().LocalAddr().String()
	protocol := map[string]string{"tcp": "TCP", "udp": "UDP"}[key.protocol]
	err := r.service.AddPortMappingCtx(ctx, "", uint16(key.port), protocol, uint16(key.port), local, true, "Starling", uint32(life.Seconds()))
	if err != nil { // some only map for ever
		err = r.service.AddPortMappingCtx(ctx, "", uint16(key.port), protocol, uint16(key.port), local, true, "Starling", 0)
	}
	return key.port, err
}

func (r upnpRouter) remove(ctx context.Context, key portKey, outside int) error {
	protocol := map[string]string{"tcp": "TCP", "udp": "UDP"}[key.protocol]
	return r.service.DeletePortMappingCtx(ctx, "", uint16(outside), protocol)
}
