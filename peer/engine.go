package peer

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/anacrolix/dht/v2"
	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/iplist"
	"github.com/anacrolix/torrent/metainfo"
	pp "github.com/anacrolix/torrent/peer_protocol"
	"github.com/anacrolix/torrent/storage"
	"golang.org/x/time/rate"
)

const (
	maxConns = 80 // of one torrent
	// dialing is time for four SYNs. A hole is punched (BEP 55) only when a connection has failed.
	dialing = 8 * time.Second
	// burst is what may be sent at once in spite of a limit: more than the longest block.
	burst = 256 << 10
	// nudge is how long a connection may stand still that has something to send: the engine loses a wake-up that comes
	// while its writer is about to sleep (anacrolix/torrent#1070, mended in 1.62), and only a keepalive ends that sleep.
	nudge = time.Second
)

// extensions are the reserved bytes of our handshakes: DHT, BEP 6 and BEP 10.
var extensions = pp.NewPeerExtensionBytes(pp.ExtensionBitDht, pp.ExtensionBitLtep, pp.ExtensionBitFast)

// newEngine starts anacrolix/torrent with all switched off that is done here: trackers, its WebRTC layer, announcing to
// the DHT, port mapping, metadata and storage.
func newEngine(p *Peer) (*torrent.Client, error) {
	c := torrent.NewDefaultClientConfig()
	host, port, err := splitListen(p.o.Listen)
	if err != nil {
		return nil, err
	}
	c.ListenHost = func(string) string { return host }
	c.ListenPort = port
	if ip := net.ParseIP(host); ip != nil {
		c.DisableIPv6, c.DisableIPv4 = ip.To4() != nil, ip.To4() == nil
	} else {
		c.DisableIPv6 = !haveIPv6()
	}
	c.DisableTCP, c.DisableUTP = !p.o.TCP, !p.o.UTP
	c.DisableWebtorrent, c.DisableTrackers, c.NoDefaultPortForwarding = true, true, true
	c.DisablePEX = !p.o.PEX
	c.NoDHT = !p.o.DHT.Enabled
	c.PeriodicallyAnnounceTorrentsToDht = false
	c.ConfigureAnacrolixDhtServer = func(d *dht.ServerConfig) {
		d.PeerStore, d.Store = p.dht, noItems{}
		d.Conn = packets{d.Conn}
	}
	if nodes := p.o.DHT.Bootstrap; len(nodes) > 0 {
		c.DhtStartingNodes = func(network string) dht.StartingNodesGetter {
			return func() ([]dht.Addr, error) { return resolve(network, nodes) }
		}
	}

	c.HeaderObfuscationPolicy.Preferred = false // encryption costs a second try with who does not know it

	c.PeerID, c.Bep20 = string(p.id[:]), string(p.id[:8])
	c.Extensions = extensions
	c.ExtendedHandshakeClientVersion = "Starling " + p.o.Version
	c.Seed = true
	c.AlwaysWantConns = true // torrents are loaded when somebody asks for them
	c.EstablishedConnsPerTorrent = maxConns
	c.NominalDialTimeout = p.o.dialing
	c.MinDialTimeout = min(c.MinDialTimeout, p.o.dialing)
	c.KeepAliveTimeout = nudge
	c.DefaultStorage = noStorage{}
	c.WebTransport = p.ways.WebSeeds().Transport
	if p.o.UploadLimit > 0 {
		c.UploadRateLimiter = limiter(p.o.UploadLimit)
	}
	if p.o.DownloadLimit > 0 {
		p.down = limiter(p.o.DownloadLimit)
		c.DownloadRateLimiter = p.down
	}
	c.IPBlocklist = p.guard
	c.Slogger = slog.New(quiet{p.log.Handler()})
	p.guard.listen(&c.Callbacks)
	return torrent.NewClient(c)
}

// forgetCounts lets go of what the engine counts of handshakes, under names that strangers make up.
func forgetCounts() {
	all := expvar.Get("torrent").(*expvar.Map)
	for _, of := range []expvar.Var{
		all.Get("successful_peer_wire_protocol_handshake_peer_reserved_bytes"), expvar.Get("mseCryptoProvides"),
	} {
		of.(*expvar.Map).Init()
	}
}

func splitListen(address string) (host string, port int, err error) {
	if address == "" {
		return "", 0, nil
	}
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		return "", 0, fmt.Errorf("%q is no address to listen on: write it as host:port or :port", address)
	}
	return host, port, nil
}

// haveIPv6 says whether there are sockets for it: kernels may be told to have none (ipv6.disable=1), and services too
// (systemd's RestrictAddressFamilies). The engine takes that for an error.
func haveIPv6() bool {
	conn, err := net.ListenPacket("udp6", ":0")
	if err != nil {
		return !errors.Is(err, syscall.EAFNOSUPPORT)
	}
	return conn.Close() == nil
}

func limiter(bytesPerSecond int64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(bytesPerSecond), burst)
}

func resolve(network string, nodes []string) (all []dht.Addr, err error) {
	for _, node := range nodes {
		address, e := net.ResolveUDPAddr(network, node)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		all = append(all, dht.NewAddr(address))
	}
	if len(all) > 0 {
		err = nil
	}
	return all, err
}

// noStorage is the engine's own storage: each torrent brings its store.
type noStorage struct{}

func (noStorage) OpenTorrent(context.Context, *metainfo.Info, metainfo.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{}, errors.New("a torrent without a store")
}

// quiet is a log of things that only who works on Starling wants to know.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, slog.LevelDebug)
}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }
func (q quiet) WithGroup(name string) slog.Handler       { return quiet{q.Handler.WithGroup(name)} }

var _ iplist.Ranger = (*guard)(nil)
