package link

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/starling-p2p/starling/internal/tunnel"
)

const (
	dialWithin = 5 * time.Second
	// label is an address that nobody has (RFC 5737).
	label = "192.0.2.1"
)

// proxied reaches TURN servers over TCP through a proxy, of which pion knows too little: it does no TLS with them, and
// looks their names up, which behind a proxy may be the proxy's alone to do. So it is given labels, each with a port of its
// own, and says one of them when it wants a connection.
type proxied struct {
	way     tunnel.Dialer
	servers []*stun.URI
}

// through replaces what is behind a proxy by labels; what is nil has none.
func (ls *Links) through(servers []webrtc.ICEServer) ([]webrtc.ICEServer, *proxied) {
	p := &proxied{way: ls.way}
	for i := range servers {
		var urls []string
		for _, text := range servers[i].URLs {
			u, err := stun.ParseURI(text)
			if err == nil && u.Proto == stun.ProtoTypeTCP && p.leads(u) {
				p.servers = append(p.servers, u)
				text = "turn:" + label + ":" + strconv.Itoa(len(p.servers)) + "?transport=tcp"
			}
			urls = append(urls, text)
		}
		servers[i].URLs = urls
	}
	if p.servers == nil {
		return servers, nil
	}
	return servers, p
}

// leads: whatever they speak, the proxy is that for what is encrypted, as it has to pass on bytes and not pages.
func (p *proxied) leads(u *stun.URI) bool {
	via, err := p.way.Via("https", hostOf(u))
	return via != nil && err == nil
}

func hostOf(u *stun.URI) string { return net.JoinHostPort(u.Host, strconv.Itoa(u.Port)) }

// Dial connects to the server with that label.
func (p *proxied) Dial(_, address string) (net.Conn, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(address, label+":"))
	if err != nil || n < 1 || n > len(p.servers) {
		return nil, fmt.Errorf("%s is no label of a TURN server", address)
	}
	u := p.servers[n-1]
	ctx, stop := context.WithTimeout(context.Background(), dialWithin)
	defer stop()
	via, err := p.way.Via("https", hostOf(u))
	if err != nil {
		return nil, err
	}
	conn, err := p.way.To(ctx, via, hostOf(u))
	if err == nil && u.Scheme == stun.SchemeTypeTURNS {
		conn, err = p.way.Secure(ctx, conn, u.Host)
	}
	if err != nil {
		return nil, err
	}
	if _, is := conn.LocalAddr().(*net.TCPAddr); !is { // which pion takes for granted
		_ = conn.Close()
		return nil, fmt.Errorf("the way to %s is not TCP", u)
	}
	return conn, nil
}
