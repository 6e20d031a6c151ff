package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/starling-p2p/starling/edge"
	"github.com/starling-p2p/starling/internal/httpd"
	"github.com/starling-p2p/starling/tracker/near"
)

type edgeCmd struct {
	Folder localPath `arg:"" optional:"" placeholder:"FOLDER" help:"The site's folder."`
	Origin string    `placeholder:"URL" help:"Stand in front of this server, such as http://localhost:3000, in place of a folder."`

	httpd.Front
	CacheDir string          `placeholder:"DIR" help:"Where hashes and figures are kept. Default: a folder for this site in the user's cache directory."`
	File     kong.ConfigFlag `name:"config" placeholder:"FILE" help:"A JSON file of settings: {\"addr\": \":8080\", \"exclude\": [\"*.gif\"]}."`
	LogLevel logLevel        `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (default ${default})."`

	Tracker   []string `sep:" " placeholder:"URL" help:"A tracker that visitors use in place of this program's own, such as one that several sites share. May be given several times."`
	IceServer []string `sep:" " placeholder:"URL[,USER,PASSWORD]" help:"A STUN or TURN server for visitors. May be given several times."`
	Turn      bool     `default:"true" negatable:"" help:"Use TURN servers (default: yes)."`

	Threshold int           `default:"2" placeholder:"N" help:"Ask peers from the N-th visitor on (default ${default})."`
	Images    bool          `default:"true" negatable:"" help:"Images come from peers (default: yes)."`
	Fonts     bool          `default:"true" negatable:"" help:"Fonts come from peers (default: yes)."`
	Audio     bool          `default:"true" negatable:"" help:"Audio comes from peers (default: yes)."`
	Videos    bool          `default:"true" negatable:"" help:"Videos come from peers (default: yes)."`
	Downloads bool          `default:"true" negatable:"" help:"Downloads come from peers (default: yes)."`
	Exclude   []string      `sep:" " placeholder:"PATTERN" help:"Leave these paths alone: /private/, *.gif, /img/*.png. May be given several times."`
	Fold      bool          `default:"true" negatable:"" help:"What is in view comes over HTTP at once (default: yes)."`
	Nearest   bool          `default:"true" negatable:"" help:"Prefer the peers that answer soonest, and with --geoip those that are nearest (default: yes)."`
	Local     bool          `default:"true" negatable:"" help:"Visitors in one network reach one another directly, which browsers may ask them about (default: yes)."`
	GeoIP     string        `name:"geoip" type:"path" placeholder:"FILE" help:"Tell visitors of those nearby first, by this GeoIP database (mmdb): of countries, cities or networks. Read again when it changes."`
	Deadline  time.Duration `default:"5s" placeholder:"DURATION" help:"How long peers have for an image, font or download (default ${default})."`
	Lead      time.Duration `default:"4s" placeholder:"DURATION" help:"How long before a video needs a piece HTTP steps in (default ${default})."`
	Upload    int           `default:"2000000" placeholder:"BYTES" help:"The most a visitor sends, per second; -1 for no limit (default ${default})."`
	Keep      int64         `default:"134217728" placeholder:"BYTES" help:"The most a visitor keeps (default ${default})."`
	Metered   bool          `help:"Visitors on metered connections, or who save data, take part too."`
	Worker    bool          `help:"The service worker takes images, fonts, audio and video that the markup does not name."`
}

// Validate says what is wrong, and with which flag.
func (c *edgeCmd) Validate() error {
	switch {
	case c.Folder != "" && c.Origin != "":
		return errors.New("a folder and --origin are two sites: leave one of them out")
	case c.Folder == "" && c.Origin == "":
		return errors.New("say what to serve: a folder, such as `starling edge ./public`, or --origin http://localhost:3000")
	case c.Threshold < 1:
		return fmt.Errorf("--threshold %d: it must be at least 1", c.Threshold)
	case c.Upload < -1 || c.Upload == 0:
		return fmt.Errorf("--upload %d: bytes per second, at least 1, or -1 for no limit", c.Upload)
	case c.Keep < 1:
		return fmt.Errorf("--keep %d: bytes, at least 1", c.Keep)
	case c.Deadline == 0 || c.Lead == 0: // which to the package are its defaults
		return errors.New("--deadline and --lead are times such as 5s, longer than 0")
	}
	if c.Origin != "" {
		if _, err := edge.Proxy(c.Origin, nil); err != nil {
			return fmt.Errorf("--origin: %w", err)
		}
	}
	o, err := c.options()
	if err == nil {
		err = o.Validate()
	}
	if err != nil {
		return err
	}
	for _, secret := range []struct{ flag, at string }{{"--cert-dir", c.CertDir}, {"--tls-key", c.TLSKey}} {
		if c.Folder != "" && secret.at != "" && edge.Serves(string(c.Folder), secret.at) {
			return fmt.Errorf("%s %s lies in the site, where everybody could read it: choose another place", secret.flag, secret.at)
		}
	}
	return c.Front.Validate()
}

// Run serves until the context ends.
func (c *edgeCmd) Run(ctx context.Context, s streams) error {
	ctx, free := attached(ctx)
	defer free()
	log := c.LogLevel.logger(s.err)
	options, err := c.options()
	if err != nil {
		return err
	}
	if options.CacheDir, err = c.cacheDir(); err != nil {
		return err
	}
	options.Log = log
	site, err := httpd.ListenSite(c.Front, log)
	if err != nil {
		return err
	}
	defer site.Close()
	options.Address = site.Address
	if c.GeoIP != "" && c.Nearest {
		finder, err := near.Open(c.GeoIP, log)
		if err != nil {
			return fmt.Errorf("--geoip: %w", err)
		}
		options.Place = finder.Place
		go finder.Watch(ctx, nil)
	}
	e, err := edge.New(options)
	if err != nil {
		return failure{exitFailed, inFolder("--cache-dir", err)}
	}
	defer e.Close()
	var handler http.Handler
	if c.Folder != "" {
		handler, err = e.Folder(string(c.Folder))
	} else if handler, err = edge.Proxy(c.Origin, log); err == nil {
		handler = e.Handler(handler)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "Starling is at %s\nIts figures are at %s%s#%s\n", site.URL(), site.URL(), edge.Prefix, e.Key())
	return errors.Join(site.Serve(ctx, handler), e.Close())
}

func (c *edgeCmd) cacheDir() (string, error) {
	if c.CacheDir != "" {
		return c.CacheDir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder for caches here, so give one with --cache-dir: %w", err)
	}
	site := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, string(c.Folder)+c.Origin), "-.")
	return filepath.Join(cache, "starling", "edge", site), nil
}

// options are what the flags say, but for the cache's folder.
func (c *edgeCmd) options() (edge.Options, error) {
	o := edge.Options{
		Trackers: c.Tracker, Exclude: c.Exclude, PublicMetrics: c.MetricsPublic,
		Site: edge.Site{
			Threshold: c.Threshold, NoImages: !c.Images, NoFonts: !c.Fonts, NoAudio: !c.Audio, NoVideos: !c.Videos, NoDownloads: !c.Downloads,
			NoFold: !c.Fold, NoNearest: !c.Nearest, NoLocal: !c.Local, Deadline: c.Deadline, Lead: c.Lead, Upload: c.Upload, Keep: c.Keep,
			Metered: c.Metered, NoTURN: !c.Turn, Worker: c.Worker,
		},
	}
	servers, err := httpd.ICEServers(c.IceServer)
	for _, server := range servers {
		o.ICEServers = append(o.ICEServers, edge.ICEServer(server))
	}
	return o, err
}
