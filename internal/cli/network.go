package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/pion/webrtc/v4"

	"github.com/starling-p2p/starling/peer"
)

// network is what all commands have that meet other peers.
type network struct {
	Server  string   `placeholder:"URL" group:"Finding peers" help:"The Starling server that introduces peers to one another. Default: the one in the link; for new links http://localhost:8080."`
	Tracker []string `sep:" " placeholder:"URL" group:"Finding peers" help:"Another tracker (wss:, https: or udp:). May be given several times."`
	DHT     *bool    `name:"dht" negatable:"" group:"Finding peers" help:"Look for peers in BitTorrent's DHT too, where anybody can see who asks. Default: for what is public."`
	LAN     bool     `name:"lan" default:"true" negatable:"" group:"Finding peers" help:"Look for peers on the local network (default: yes)."`

	Listen      string `default:":0" placeholder:"HOST:PORT" group:"Connections" help:"Where BitTorrent peers reach this one, by TCP and uTP (default: any free port)."`
	PortMapping bool   `negatable:"" group:"Connections" help:"Ask the router to let peers in, by UPnP or NAT-PMP."`
	WebRTC      bool   `name:"webrtc" default:"true" negatable:"" group:"Connections" help:"Meet browsers (default: yes)."`
	TCP         bool   `name:"tcp" default:"true" negatable:"" group:"Connections" help:"Meet BitTorrent peers by TCP (default: yes)."`
	UTP         *bool  `name:"utp" negatable:"" group:"Connections" help:"Meet BitTorrent peers by uTP. Default: yes, but for push."`
	LimitUp     amount `placeholder:"RATE" group:"Connections" help:"Send no faster: bytes per second, such as 500k or 2M."`
	LimitDown   amount `placeholder:"RATE" group:"Connections" help:"Fetch no faster."`

	DataDir  string          `placeholder:"DIR" help:"Where to keep what is needed to go on after a stop. One command at a time can use it. Default: a folder per task in the user's data directory."`
	JSON     bool            `name:"json" help:"Print one JSON object per line (docs/commands)."`
	File     kong.ConfigFlag `name:"config" placeholder:"FILE" help:"A JSON file of settings: {\"server\": \"https://share.example.org\"}."`
	LogLevel logLevel        `default:"warn" placeholder:"LEVEL" help:"debug, info, warn or error (default ${default})."`
}

// Validate says what is wrong, and with which flag.
func (n *network) Validate() error {
	if n.Server != "" {
		if _, err := parseServer(n.Server); err != nil {
			return err
		}
	}
	for _, t := range n.Tracker {
		scheme, rest, ok := strings.Cut(t, "://")
		if !ok || rest == "" || !slices.Contains([]string{"ws", "wss", "http", "https", "udp"}, scheme) {
			return fmt.Errorf("--tracker %q is not a tracker's URL such as wss://tracker.example.org/announce", t)
		}
	}
	if _, port, err := net.SplitHostPort(n.Listen); err != nil || !isPort(port) {
		return fmt.Errorf("--listen %q is not HOST:PORT, such as :6881 or 192.0.2.1:0", n.Listen)
	}
	if !n.WebRTC && !n.TCP && !n.utp() {
		return errors.New("--no-webrtc, --no-tcp and --no-utp together leave no way to any peer: leave one of them out, or give push --utp")
	}
	return nil
}

func (n *network) utp() bool { return n.UTP == nil || *n.UTP }

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// task is what a peer is started for.
type task struct {
	// name tells it from others for which there is a data folder of its own: what makes it the same when it is run again.
	name []string
	// public: others may be asked for it who are no trackers of it.
	public bool
	// servers are asked for STUN and TURN servers, the first one that answers.
	servers []server
	log     io.Writer
}

// start returns a peer, and the data folder to remove once nothing is left to go on with; "" where the user named it.
func (n *network) start(t task) (p *peer.Peer, own string, err error) {
	dir := n.DataDir
	if dir == "" {
		if dir, err = taskDir(t.name); err != nil {
			return nil, "", err
		}
		own = dir
		forget(filepath.Dir(dir))
	}
	o := peer.Defaults(dir)
	o.Listen = n.Listen
	o.WebRTC, o.TCP, o.UTP = n.WebRTC, n.TCP, n.utp()
	o.DHT.Enabled = t.public
	if n.DHT != nil {
		o.DHT.Enabled = *n.DHT
	}
	o.LSD, o.PortMapping = n.LAN, n.PortMapping
	o.UploadLimit, o.DownloadLimit = int64(n.LimitUp), int64(n.LimitDown)
	o.ICEServers = func(ctx context.Context) ([]webrtc.ICEServer, error) { return iceOf(ctx, t.servers) }
	o.Version = versionName()
	o.Log = n.LogLevel.logger(t.log)
	p, err = peer.New(o)
	if err == nil && own != "" {
		_ = os.Remove(filepath.Join(own, doneMark)) // what lay in its place may be gone
	}
	if errors.Is(err, peer.ErrInUse) {
		return nil, "", failure{exitMachine, errors.New("another starling is at the same task, or has the same --data-dir: stop that one, or name another folder with --data-dir")}
	}
	if errors.Is(err, peer.ErrUnfit) {
		err = failure{exitMachine, fmt.Errorf("%w with --data-dir", err)}
	}
	if errors.Is(err, peer.ErrListen) {
		err = failure{exitMachine, fmt.Errorf("--listen %s cannot be had: choose another address or port, or leave it out: %w", n.Listen, err)}
	}
	return p, own, onMachine(inFolder("--data-dir", err))
}

// iceOf asks one server after another.
func iceOf(ctx context.Context, servers []server) (list []webrtc.ICEServer, err error) {
	for _, s := range servers {
		if list, err = s.iceServers(ctx); err == nil {
			return list, nil
		}
	}
	if ctx.Err() != nil {
		return nil, nil // nobody waits for them any more
	}
	return nil, err
}

// taskDir is a folder below the user's data directory that is the same for the same words.
func taskDir(words []string) (string, error) {
	base := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if base = filepath.Join(home, ".local", "share"); runtime.GOOS != "linux" {
			base, err = os.UserConfigDir()
		}
		if err != nil {
			return "", fmt.Errorf("there is no place for data: name a folder with --data-dir: %w", err)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return filepath.Join(base, "starling", words[0]+"-"+hex.EncodeToString(sum[:8])), nil
}

const (
	// forgotten is how long a task that nobody has run is remembered.
	forgotten = 180 * 24 * time.Hour
	// doneFor is how long one is that has come to its end: run again, all it needs to know is that it has.
	doneFor = 30 * 24 * time.Hour
	// doneMark is a file in the folder of such a one.
	doneMark = "done"
)

var taskName = regexp.MustCompile(`^(share|push|get|stream|info)-[0-9a-f]{16}$`)

// forget removes what is kept of tasks of long ago, unless one has run ever since. What they fetched or shared is not in
// there.
func forget(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return // the first one
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.IsDir() || !taskName.MatchString(e.Name()) {
			continue
		}
		dir, remembered := filepath.Join(base, e.Name()), forgotten
		if _, err := os.Stat(filepath.Join(dir, doneMark)); err == nil {
			remembered = doneFor
		}
		if time.Since(info.ModTime()) > remembered && !peer.InUse(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

// server is the one of new links.
func (n *network) server() server {
	text := n.Server
	if text == "" {
		text = defaultServer
	}
	s, _ := parseServer(text) // Validate has seen it
	s.own = true
	return s
}

// serversFor are those to ask about a link, and to announce to besides the trackers that it names.
func (n *network) serversFor(link string) (servers []server) {
	if n.Server != "" {
		servers = append(servers, n.server())
	}
	if s := serverOf(link); s.URL != nil && (len(servers) == 0 || *servers[0].URL != *s.URL) {
		servers = append(servers, s)
	}
	return servers
}
