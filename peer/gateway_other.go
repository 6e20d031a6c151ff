//go:build !linux

package peer

import "net"

// gateways are the routers of default routes. Where they are not known, the first address of each private network that
// this machine is in is likely to be one.
func gateways() (all []net.IP) {
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsPrivate() && len(all) < 4 {
			first := n.IP.Mask(n.Mask).To4()
			first[3]++
			all = append(all, first)
		}
	}
	return all
}
