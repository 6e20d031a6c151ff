package link

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

const (
	maxSTUNServers = 4
	// othersWithin is how long, after the first answer, others may come.
	othersWithin = 50 * time.Millisecond
	resolvedFor  = 5 * time.Minute
	// reflexivePriority is that of RFC 8445, 5.1.2.1, for server reflexive candidates.
	reflexivePriority = 100<<24 | 65535<<8 | 255
)

// reflexive asks STUN servers how this machine's port looks from outside, and sends the candidates that come of it,
// once. All links share the port, so what was asked lately is known. Pion's own way takes another socket and another
// question for each link.
func (m *mux) reflexive(ctx context.Context, servers []webrtc.ICEServer) <-chan []string {
	result := make(chan []string, 1)
	hosts := stunHosts(servers)
	if len(hosts) == 0 {
		result <- nil
		return result
	}
	m.keep(hosts)
	go func() {
		ctx, stop := context.WithTimeout(ctx, gatherWithin)
		defer stop()
		result <- m.askAll(ctx, hosts)
	}()
	return result
}

// keep asks again now and then for as long as an offer may be used, so that the router does not forget what the offer
// says.
func (m *mux) keep(hosts []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keepUntil = time.Now().Add(m.limits.freshFor)
	if m.keeper != nil || m.closed {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	m.keeper = stop
	m.keeping.Go(func() {
		defer stop()
		again := time.NewTicker(m.limits.keepEvery)
		defer again.Stop()
		for {
			select {
			case <-again.C:
			case <-ctx.Done():
				return
			}
			m.mu.Lock()
			over := time.Now().After(m.keepUntil)
			if over {
				m.keeper = nil
			}
			m.mu.Unlock()
			if over {
				return
			}
			asking, stop := context.WithTimeout(ctx, gatherWithin)
			m.askAll(asking, hosts)
			stop()
		}
	})
}

// stunHosts are the servers' names and ports.
func stunHosts(servers []webrtc.ICEServer) (hosts []string) {
	for _, s := range servers {
		for _, text := range s.URLs {
			u, err := stun.ParseURI(text)
			if err == nil && u.Scheme == stun.SchemeTypeSTUN && len(hosts) < maxSTUNServers {
				hosts = append(hosts, net.JoinHostPort(u.Host, strconv.Itoa(u.Port)))
			}
		}
	}
	return hosts
}

func (m *mux) askAll(ctx context.Context, hosts []string) (candidates []string) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	found := make(chan string)
	var asking sync.WaitGroup
	for _, s := range m.all() {
		local := s.LocalAddr().(*net.UDPAddr).AddrPort()
		if local.Addr().IsLoopback() && !m.only.IsLoopback() {
			continue
		}
		for _, host := range hosts {
			asking.Go(func() {
				if c := m.ask(ctx, s, local, host); c != "" {
					select {
					case found <- c:
					case <-ctx.Done():
					}
				}
			})
		}
	}
	done := make(chan struct{})
	go func() {
		asking.Wait()
		close(done)
	}()
	known := map[string]bool{}
	var enough <-chan time.Time
	for {
		select {
		case c := <-found:
			if !known[c] {
				known[c] = true
				candidates = append(candidates, c)
			}
			if enough == nil {
				enough = time.After(othersWithin)
			}
			continue
		case <-done:
		case <-enough:
		case <-ctx.Done():
		}
		return candidates
	}
}

// ask returns a candidate (RFC 8839), or "" where nothing is gained.
func (m *mux) ask(ctx context.Context, s *ice.UniversalUDPMuxDefault, local netip.AddrPort, host string) string {
	server, err := m.servers.resolve(ctx, host, local.Addr().Unmap().Is4())
	if err != nil {
		return ""
	}
	mapped, err := s.GetXORMappedAddrContext(ctx, server, gatherWithin)
	if err != nil {
		return ""
	}
	ip, ok := netip.AddrFromSlice(mapped.IP)
	if !ok || ip.Unmap() == local.Addr().Unmap() {
		return ""
	}
	return fmt.Sprintf("candidate:%d 1 udp %d %s %d typ srflx raddr %s rport %d",
		foundation(local.Addr()), reflexivePriority, ip.Unmap(), mapped.Port, local.Addr().Unmap(), local.Port())
}

// foundation is the same for candidates of one address (RFC 8445, 5.1.1.3).
func foundation(ip netip.Addr) (n uint32) {
	for _, b := range ip.AsSlice() {
		n = n*31 + uint32(b)
	}
	return n
}

// resolver remembers servers' addresses.
type resolver struct {
	mu    sync.Mutex
	known map[string]resolved
}

type resolved struct {
	addr  *net.UDPAddr
	until time.Time
}

func (r *resolver) resolve(ctx context.Context, host string, ip4 bool) (*net.UDPAddr, error) {
	network := "ip6"
	if ip4 {
		network = "ip4"
	}
	key := network + " " + host
	r.mu.Lock()
	k, ok := r.known[key]
	r.mu.Unlock()
	if ok && time.Now().Before(k.until) {
		return k.addr, nil
	}
	name, service, err := net.SplitHostPort(host)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, network, name)
	if err != nil {
		return nil, err
	}
	addr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(ips[0].Unmap(), uint16(port)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) > 64 {
		r.known = map[string]resolved{}
	}
	r.known[key] = resolved{addr, time.Now().Add(resolvedFor)}
	return addr, nil
}
