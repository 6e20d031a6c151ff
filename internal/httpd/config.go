package httpd

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/caddyserver/certmagic"
	"github.com/pion/stun/v4"
)

// DefaultAddr is where the server listens unless told otherwise.
const DefaultAddr = "127.0.0.1:8080"

// Config is all there is to configure. Flags, environment and file set it by the names in the tags
// (docs/operations.md): Addr is --addr, STARLING_ADDR, and "addr" in the file.
type Config struct {
	Front
	Tracker
	// Private is for trackers without pages, whose peers have links of their own.
	Private Private `kong:"-"`
	// NoPages makes it a tracker and nothing else, but for the page of figures.
	NoPages bool `kong:"-"`
	Relay

	IceServer    []string `sep:" " placeholder:"URL[,USER,PASSWORD]" help:"A STUN or TURN server for browsers, such as stun:stun.example.org:3478. May be given several times."`
	AllowConnect []string `sep:" " placeholder:"ORIGIN" help:"Let pages connect to this origin too, such as wss://tracker.example.org. May be given several times."`
}

// Front is where the server listens, and whom it believes.
type Front struct {
	Addr string `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where to listen (default ${default}; with --domain :443)."`

	Domain  string `placeholder:"NAME" help:"Serve HTTPS for this name, with a certificate from Let's Encrypt. Ports 80 and 443 must reach this program."`
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"Serve HTTPS with this certificate chain (PEM). Read again when it changes."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"The certificate's private key (PEM)."`
	CertDir string `placeholder:"DIR" help:"Where the certificates of --domain are kept. Default: the user's data directory."`
	ACMECA  string `name:"acme-ca" placeholder:"URL" help:"The ACME directory of an authority that gives --domain its certificate instead of Let's Encrypt."`

	TrustedProxy  []string `sep:" " placeholder:"CIDR" help:"Believe X-Forwarded-For from these addresses. May be given several times."`
	ProxyProtocol bool     `help:"Connections from --trusted-proxy begin with a PROXY protocol header, version 1 or 2."`
	MetricsPublic bool     `help:"Show metrics and figures (/metrics and /stats; of edge /.starling/metrics) to everybody, not to this machine alone."`
}

// ICEServer is an RTCIceServer of the WebRTC API.
type ICEServer struct {
	URLs       string `json:"urls"`
	Username   string `json:"username,omitempty"`
	Credential string `json:"credential,omitempty"`
}

// settings are a Config, understood.
type settings struct {
	ice     []ICEServer
	connect []string
	proxies []netip.Prefix
	public  []netip.Addr // of the relay
}

// An origin as a Content-Security-Policy has it; nothing in it can end the directive.
var origin = regexp.MustCompile(`^(https?|wss?)://(\*\.)?[A-Za-z0-9.-]+(:[0-9]+)?$`)

// Validate says what is wrong, and with which flag.
func (c *Config) Validate() error {
	_, err := c.settings()
	return err
}

func (c *Config) settings() (s settings, err error) {
	if s.ice, err = ICEServers(c.IceServer); err != nil {
		return s, err
	}
	for _, v := range c.AllowConnect {
		if !origin.MatchString(v) {
			return s, fmt.Errorf("--allow-connect %q is not an origin such as wss://tracker.example.org (no path)", v)
		}
		s.connect = append(s.connect, v)
	}
	if s.proxies, err = c.Front.check(); err != nil {
		return s, err
	}
	if err := c.Tracker.check(); err != nil {
		return s, err
	}
	if err := c.Private.check(); err != nil {
		return s, err
	}
	if s.public, err = c.Relay.check(); err != nil {
		return s, err
	}
	return s, nil
}

// ICEServers are those that --ice-server names, of a server or of an edge.
func ICEServers(flags []string) ([]ICEServer, error) {
	all := []ICEServer{} // JSON: [] rather than null
	for _, v := range flags {
		parts := strings.SplitN(v, ",", 3)
		u, err := url.Parse(parts[0])
		switch {
		case err != nil || u.Opaque == "":
			return nil, fmt.Errorf("--ice-server %q is not a URL such as stun:host:3478 or turn:host:3478,user,password", v)
		case u.Scheme == "stun" || u.Scheme == "stuns":
			if len(parts) != 1 {
				return nil, fmt.Errorf("--ice-server %q: a STUN server takes no user", v)
			}
		case u.Scheme == "turn" || u.Scheme == "turns":
			if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
				return nil, fmt.Errorf("--ice-server %q: a TURN server needs user and password: turn:host:3478,user,password", parts[0])
			}
		default:
			return nil, fmt.Errorf("--ice-server %q must begin with stun:, stuns:, turn: or turns:, such as stun:host:3478", parts[0])
		}
		if _, err := stun.ParseURI(parts[0]); err != nil { // nor would a browser take it, nor any other beside it
			return nil, fmt.Errorf("--ice-server %q is not a URL such as stun:host:3478 or turn:host:3478?transport=tcp: %w", parts[0], err)
		}
		ice := ICEServer{URLs: parts[0]}
		if len(parts) == 3 {
			ice.Username, ice.Credential = parts[1], parts[2]
		}
		all = append(all, ice)
	}
	return all, nil
}

// Validate says what is wrong, and with which flag.
func (f *Front) Validate() error {
	_, err := f.check()
	return err
}

func (f *Front) check() (proxies []netip.Prefix, err error) {
	if err := checkAddr("--addr", f.Addr, DefaultAddr+" or :8080"); err != nil {
		return nil, err
	}
	for _, v := range f.TrustedProxy {
		p, err := netip.ParsePrefix(v)
		if a, e := netip.ParseAddr(v); err != nil && e == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxy %q is not an address or a network such as 10.0.0.0/8", v)
		}
		proxies = append(proxies, p.Masked())
	}
	switch {
	case f.ProxyProtocol && len(proxies) == 0:
		return nil, fmt.Errorf("--proxy-protocol needs --trusted-proxy: whose headers to believe")
	case f.Domain != "" && (strings.ContainsAny(f.Domain, "/:*") || f.ACMECA == "" && !certmagic.SubjectQualifiesForPublicCert(f.Domain)):
		return nil, fmt.Errorf("--domain %q is not a public name such as share.example.org, and there are certificates for such alone: without one, use --tls-cert and --tls-key", f.Domain)
	case f.ACMECA != "" && f.Domain == "":
		return nil, fmt.Errorf("--acme-ca needs --domain: what the certificate is for")
	case f.ACMECA != "" && !isDirectory(f.ACMECA):
		return nil, fmt.Errorf("--acme-ca %q is not the https:// address of an ACME directory", f.ACMECA)
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return nil, fmt.Errorf("--tls-cert and --tls-key go together: give both")
	case f.Domain != "" && f.TLSCert != "":
		return nil, fmt.Errorf("--domain gets a certificate by itself: leave out --tls-cert and --tls-key, or --domain")
	}
	return proxies, nil
}

func isDirectory(v string) bool {
	u, err := url.Parse(v)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

// checkAddr says whether something can be listened at, as far as that shows without doing so.
func checkAddr(flag, addr, such string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%s %q is not HOST:PORT, such as %s", flag, addr, such)
	}
	return nil
}
