package link

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"

	"github.com/starling-p2p/starling/internal/outward"
)

const (
	// socketBuffer is asked of the kernel, in bytes; it may give less.
	socketBuffer = 4 << 20
	maxAddresses = 16
	// scanEvery is how often the machine's addresses are looked at, at most.
	scanEvery = 5 * time.Second
	// portTries is how many ports are tried until one is free on every address.
	portTries = 16
)

// mux is one UDP port on all addresses of this machine, for all links. There is a socket for each address: one for all
// of them would answer from whichever address the kernel likes, and ICE takes such an answer for a stranger's.
type mux struct {
	only    netip.Addr // the one address to use, if valid
	port    int
	pion    logging.LoggerFactory
	limits  limits
	servers resolver

	mu      sync.Mutex
	sockets map[netip.Addr]*ice.UniversalUDPMuxDefault
	scanned time.Time
	closed  bool
	// keeper ends what keeps the port open to the outside, until keepUntil.
	keeper    context.CancelFunc
	keepUntil time.Time
	keeping   sync.WaitGroup
}

func newMux(listen string, l limits, pion logging.LoggerFactory) (*mux, error) {
	if listen == "" {
		listen = ":0"
	}
	host, service, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q is no port", service)
	}
	m := &mux{port: int(port), pion: pion, limits: l, sockets: map[netip.Addr]*ice.UniversalUDPMuxDefault{}}
	if host != "" {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return nil, fmt.Errorf("%q is no IP address", host)
		}
		if !ip.IsUnspecified() {
			m.only = ip.Unmap()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for range portTries {
		if err = m.scan(); err == nil {
			return m, nil
		}
		m.shut()
		if port != 0 {
			break
		}
		m.port = 0
	}
	return nil, err
}

// scan listens on addresses that are new and leaves those that are gone. The error tells of one that it could not
// listen on; the others are fine. One that cannot be had yet is an error only where there is no other.
func (m *mux) scan() (err error) {
	all := []netip.Addr{m.only}
	if !m.only.IsValid() {
		if all, err = Addresses(); err != nil {
			return err
		}
	}
	m.scanned = time.Now()
	old := m.sockets
	m.sockets = make(map[netip.Addr]*ice.UniversalUDPMuxDefault, len(all))
	var errs, later []error
	for _, ip := range all {
		socket := old[ip]
		delete(old, ip)
		if socket == nil {
			switch socket, err = m.listen(ip); {
			// An IPv6 address is nobody's until it is known that no other machine has it, which never is of a bridge that
			// nothing is plugged into; and of IPv6 at all there may be no sockets.
			case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT):
				later = append(later, err)
				continue
			case err != nil:
				errs = append(errs, err)
				continue
			}
		}
		m.sockets[ip] = socket
	}
	if len(m.sockets) == 0 {
		errs = append(errs, later...)
	}
	for _, gone := range old {
		_ = gone.Close()
	}
	return errors.Join(errs...)
}

func (m *mux) listen(ip netip.Addr) (*ice.UniversalUDPMuxDefault, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(m.port))))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	m.port = conn.LocalAddr().(*net.UDPAddr).Port
	g := &gated{UDPConn: conn, open: make(chan struct{})}
	defer close(g.open)
	return ice.NewUniversalUDPMuxDefault(ice.UniversalUDPMuxParams{
		UDPConn: g, Logger: m.pion.NewLogger("mux"), XORMappedAddrCacheTTL: m.limits.keepEvery * 2 / 3,
	}), nil
}

// gated lets nothing in before it is open: pion's mux begins to read before it is whole, and a packet that came that
// early would end the program.
type gated struct {
	*net.UDPConn
	open chan struct{}
}

func (g *gated) ReadFrom(b []byte) (int, net.Addr, error) {
	<-g.open
	return g.UDPConn.ReadFrom(b)
}

// ReadFromAddrPort and WriteToAddrPort implement ice.AddrPortReaderWriter.
func (g *gated) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	<-g.open
	return g.ReadFromUDPAddrPort(b)
}

func (g *gated) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return g.WriteToUDPAddrPort(b, to)
}

// Addresses are those of this machine that others may reach, or the loopback ones where there are none. A service that may
// not ask for them (systemd's RestrictAddressFamilies without AF_NETLINK) has those by which it reaches others.
func Addresses() (all []netip.Addr, err error) {
	interfaces, err := net.Interfaces()
	if hidden(err) {
		return reaching()
	}
	if err != nil {
		return nil, fmt.Errorf("looking at the network interfaces: %w", err)
	}
	var loopback []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		found, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range found {
			prefix, err := netip.ParsePrefix(a.String())
			ip := prefix.Addr().Unmap()
			switch {
			case err != nil || slices.Contains(all, ip) || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified():
			case ip.IsLoopback():
				loopback = append(loopback, ip)
			default:
				all = append(all, ip)
			}
		}
	}
	if len(all) == 0 {
		all = loopback
	}
	return all[:min(len(all), maxAddresses)], nil
}

// hidden: this process may not ask which network interfaces there are.
func hidden(err error) bool {
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, fs.ErrPermission)
}

// reaching are the addresses by which this machine reaches others, or the loopback one where there are none.
func reaching() ([]netip.Addr, error) {
	all, err := outward.Addresses()
	all = slices.DeleteFunc(all, netip.Addr.IsLinkLocalUnicast)
	if err == nil && len(all) == 0 {
		all = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return all, err
}

// look has the machine's addresses looked at when they are needed next.
func (m *mux) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scanned = time.Time{}
}

func (m *mux) all() (all []*ice.UniversalUDPMuxDefault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed && time.Since(m.scanned) > scanEvery {
		if err := m.scan(); err != nil {
			m.pion.NewLogger("mux").Warnf("listening on a new address: %v", err)
		}
	}
	for _, s := range m.sockets {
		all = append(all, s)
	}
	return all
}

// GetListenAddresses implements ice.UDPMux.
func (m *mux) GetListenAddresses() (all []net.Addr) {
	for _, s := range m.all() {
		all = append(all, s.LocalAddr())
	}
	return all
}

// GetConn implements ice.UDPMux: ufrag's part of the socket with this address.
func (m *mux) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, net.UnknownNetworkError(addr.Network())
	}
	m.mu.Lock()
	socket := m.sockets[udp.AddrPort().Addr().Unmap()]
	m.mu.Unlock()
	if socket == nil {
		return nil, net.ErrClosed
	}
	return socket.GetConn(ufrag, addr)
}

// RemoveConnByUfrag implements ice.UDPMux.
func (m *mux) RemoveConnByUfrag(ufrag string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sockets {
		s.RemoveConnByUfrag(ufrag)
	}
}

// Close implements ice.UDPMux.
func (m *mux) Close() error {
	m.mu.Lock()
	m.closed = true
	if m.keeper != nil {
		m.keeper()
	}
	m.shut()
	m.mu.Unlock()
	m.keeping.Wait()
	return nil
}

func (m *mux) shut() {
	for _, s := range m.sockets {
		_ = s.Close()
	}
	clear(m.sockets)
}

var (
	_ ice.UDPMux               = (*mux)(nil)
	_ ice.AddrPortReaderWriter = (*gated)(nil)
)
