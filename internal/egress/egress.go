// Package egress keeps links from leading where their makers may not go (server-side request forgery). Strangers make
// links, and a link names trackers and web seeds, which this machine asks. So what a link names is reached no nearer than
// it may be, whatever its name resolves to and wherever it redirects. What the program names itself, in options, may be
// anywhere. docs/peer.md, "Where links may lead", tells users.
//
//	                            internet   networks of one's own   this machine   link-local, clouds' own
//	in options                     x                x                   x                   x
//	trackers of links              x                x              by that name,
//	                                                               at /announce
//	web seeds of links             x                x
//	where any of these redirect    as near as what redirects, and no nearer than a link may name
package egress

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/starling-p2p/starling/internal/loopback"
)

// nearness is of an address, and how near something may be.
type nearness int32

const (
	internet nearness = iota
	network           // of one's own
	machine           // this very one
	inmost            // link-local, and what clouds keep there: metadata, credentials
)

// ErrNear is for what is nearer than a link may lead.
var ErrNear = errors.New("a link may not lead there, as it is this machine or what only this machine reaches: if it is yours, name it yourself")

var clouds = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"), netip.MustParsePrefix("fd20:ce::/64"), // AWS, Google
	netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("168.63.129.16/32"), // Alibaba, Azure
}

var shared = netip.MustParsePrefix("100.64.0.0/10") // a carrier's, RFC 6598

func nearnessOf(a netip.Addr) nearness {
	a = a.Unmap().WithZone("")
	for _, p := range clouds {
		if p.Contains(a) {
			return inmost
		}
	}
	switch {
	case !a.IsValid() || a.IsLinkLocalUnicast() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return inmost
	case a.IsLoopback() || a.IsUnspecified(): // which leads to loopback
		return machine
	case a.IsPrivate() || shared.Contains(a):
		return network
	}
	return internet
}

// kind is what a URL is for.
type kind int

const (
	tracker kind = iota
	webSeed
	given // as a whole: a .torrent file, a server
)

// Ways are how trackers, web seeds and other URLs are reached. Safe for concurrent use. Close them.
type Ways struct {
	// Connect, unless it is nil, takes a dialer's place: tests have names lead elsewhere.
	Connect func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error)
	// Agent is who asks, as servers are told ["Starling"]. Some refuse what a library says of itself.
	Agent string

	mu  sync.Mutex
	own map[string]bool // host:port of what the program names

	// There is one for each nearness and family, so that a connection which one request may use is not used by another.
	direct  [inmost + 1]map[Family]*http.Transport
	proxied *http.Transport
}

// New is for a program that names these URLs itself.
func New(own ...string) *Ways {
	w := &Ways{own: map[string]bool{}, proxied: http.DefaultTransport.(*http.Transport).Clone()}
	for most := range w.direct {
		w.direct[most] = map[Family]*http.Transport{}
		for _, family := range []Family{Any, IPv4, IPv6} {
			t := w.proxied.Clone()
			t.Proxy, t.MaxConnsPerHost = nil, 10
			t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				return w.connect(ctx, nearness(most), network+string(family), address)
			}
			w.direct[most][family] = t
		}
	}
	w.Name(own...)
	return w
}

// Close lets go of connections that nobody uses. Others can still be made.
func (w *Ways) Close() {
	w.proxied.CloseIdleConnections()
	for _, transports := range w.direct {
		for _, t := range transports {
			t.CloseIdleConnections()
		}
	}
}

// connect reaches what is not too near. It looks at the addresses that names turned out to have.
func (w *Ways) connect(ctx context.Context, most nearness, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(address); err != nil || nearnessOf(a.Addr()) > most {
			return ErrNear
		}
		return nil
	}}
	if w.Connect != nil {
		return w.Connect(ctx, d, network, address)
	}
	return d.DialContext(ctx, network, address)
}

// Name makes URLs known as the program's own.
func (w *Ways) Name(urls ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil {
			w.own[hostPort(u)] = true
		}
	}
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "http": "80", "wss": "443", "https": "443", "udp": "80", "socks5": "1080", "socks5h": "1080"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}

func (w *Ways) isOwn(hostPort string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.own[hostPort]
}

// most is how near the host of a URL may be.
func (w *Ways) most(u *url.URL, k kind) nearness {
	here := loopback.Host(strings.ToLower(u.Host))
	switch {
	case w.isOwn(hostPort(u)):
		return inmost
	case here && k == given, here && k == tracker && forTrackers(u):
		return machine
	}
	return network
}

// forTrackers: of what is asked there nobody but a tracker makes anything.
func forTrackers(u *url.URL) bool {
	return strings.EqualFold(u.Scheme, "udp") || u.User == nil && (u.Path == "" || u.Path == "/" || u.Path == "/announce")
}

// Dial is for WebSockets, of which Leads has seen the URL, and their proxies.
func (w *Ways) Dial(ctx context.Context, network_, address string) (net.Conn, error) {
	most := network
	switch address = strings.ToLower(address); {
	case w.isOwn(address):
		most = inmost
	case loopback.Host(address):
		most = machine
	}
	return w.connect(ctx, most, network_, address)
}

// Proxy is that of the environment.
func (w *Ways) Proxy(request *http.Request) (*url.URL, error) {
	via, err := http.ProxyFromEnvironment(request)
	if via != nil {
		w.Name(via.String())
	}
	return via, err
}

// Leads says whether a WebSocket tracker may be asked, as far as its URL tells.
func (w *Ways) Leads(tracker string) bool {
	u, err := url.Parse(tracker)
	if err != nil {
		return false
	}
	most := w.most(u, trackerKind(u))
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && nearnessOf(a) == inmost && most < inmost {
		return false // also where a proxy would ask
	}
	return !loopback.Host(strings.ToLower(u.Host)) || most >= machine
}

// trackerKind is that of a tracker's URL, before a query is added.
func trackerKind(u *url.URL) kind {
	if u.RawQuery != "" && !strings.EqualFold(u.Scheme, "udp") {
		return webSeed
	}
	return tracker
}

// Family is of the addresses by which a tracker is asked.
type Family string

// Any is whichever connects first.
const (
	Any  Family = ""
	IPv4 Family = "4"
	IPv6 Family = "6"
)

// Named says whether a tracker may be asked by one family or the other: its host is a name, and no proxy looks that up.
func (w *Ways) Named(u *url.URL) bool {
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return false
	}
	via, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	return via == nil && err == nil
}

// UDP connects to a UDP tracker.
func (w *Ways) UDP(ctx context.Context, u *url.URL, by Family) (net.Conn, error) {
	return w.connect(ctx, w.most(u, tracker), "udp"+string(by), net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")))
}

// Tracker asks an HTTP tracker, whose URL is as yet without a query of ours. Like the others it follows redirects, as far
// as they may lead.
func (w *Ways) Tracker(u *url.URL, by Family) *http.Client { return w.client(trackerKind(u), by) }

// WebSeeds asks web seeds.
func (w *Ways) WebSeeds() *http.Client { return w.client(webSeed, Any) }

// Given asks for what somebody has given the URL of as a whole: a .torrent file, a link's server.
func (w *Ways) Given() *http.Client { return w.client(given, Any) }

func (w *Ways) client(k kind, by Family) *http.Client {
	return &http.Client{Transport: way{w, k, by}}
}

// way is a RoundTripper.
type way struct {
	*Ways
	kind kind
	by   Family
}

// reached is the key of how near a request got: a *atomic.Int32.
type reached struct{}

// RoundTrip makes one request.
func (w way) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.UserAgent() == "" {
		request = request.Clone(request.Context())
		request.Header.Set("User-Agent", cmp.Or(w.Agent, "Starling"))
	}
	most := w.most(request.URL, w.kind)
	if from := request.Response; from != nil && from.Request != nil { // it was redirected
		if got, ok := from.Request.Context().Value(reached{}).(*atomic.Int32); ok {
			most = min(most, nearness(got.Load()))
		}
	}
	got := new(atomic.Int32)
	transport := w.direct[most][w.by]
	if via, err := http.ProxyFromEnvironment(request); via != nil && err == nil {
		// The proxy looks the name up.
		if a, err := netip.ParseAddr(request.URL.Hostname()); err == nil && nearnessOf(a) > most {
			closeBody(request)
			return nil, ErrNear
		}
		transport = w.proxied
	} else {
		request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
			GotConn: func(c httptrace.GotConnInfo) {
				if a, ok := c.Conn.RemoteAddr().(*net.TCPAddr); ok {
					got.Store(int32(nearnessOf(a.AddrPort().Addr())))
				}
			},
		}))
	}
	response, err := transport.RoundTrip(request)
	if response != nil {
		response.Request = request.WithContext(context.WithValue(request.Context(), reached{}, got))
	}
	return response, err
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}
