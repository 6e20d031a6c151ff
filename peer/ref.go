package peer

import (
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/starling-p2p/starling/internal/names"
	"github.com/starling-p2p/starling/seal"
)

const (
	maxRef  = 1 << 16
	maxURLs = 32
	maxURL  = 2048
)

// Ref is what a link, magnet, infohash or .torrent file says: which torrent, and where to ask for it.
type Ref struct {
	InfoHash [20]byte // zero while it is in a TorrentFile
	// Key opens a private torrent.
	Key *seal.Key
	// Trackers are URLs: ws:, wss:, http:, https: and udp:. WebSeeds are http: and https:.
	Trackers, WebSeeds []string
	// Host is the server whose link it is, "" for anything but a Starling link.
	Host string
	// Name is what a magnet calls it, until its metadata has come; one line.
	Name string
	// Peers are some to begin with, host:port (BEP 9, x.pe).
	Peers []string
	// TorrentFile is the path or URL of a .torrent file, which Add reads.
	TorrentFile string
}

var (
	errCut     = errors.New("this link is cut short: copy all of it, with what is behind the #, and put it in quotes")
	errNoRef   = errors.New("this is no Starling link, magnet link, infohash or .torrent file")
	errLongRef = errors.New("this is too long to be a link")
	errBare    = errors.New("this link lacks its beginning: write https:// before it")

	hexHash = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)
	cutHash = regexp.MustCompile(`^[0-9a-fA-F]{6,39}$`)
	keyText = regexp.MustCompile(`^[\w-]*`)
	bareWeb = regexp.MustCompile(`^\w[\w-]*((\.[\w-]+)+(:\d+)?|:\d+)/`)
)

// ParseRef takes Starling links, with or without what comes before the "#", magnets (BEP 9), infohashes (hex, base32),
// URLs of .torrent files and paths of them; it opens neither.
func ParseRef(text string) (r Ref, err error) {
	text = strings.TrimSpace(text)
	if len(text) > maxRef {
		return r, errLongRef
	}
	if len(text) >= 8 && strings.EqualFold(text[:8], "magnet:?") {
		return parseMagnet(text[8:])
	}
	before, after, linked := strings.Cut(text, "#")
	if !linked {
		if hash, ok := parseHash(text); ok {
			return Ref{InfoHash: hash}, nil
		}
		if web := isWeb(text); web || strings.HasSuffix(strings.ToLower(text), ".torrent") {
			if u, err := url.Parse(text); web && err == nil && !strings.HasSuffix(strings.ToLower(u.Path), ".torrent") {
				return r, errCut // a Starling link of which a shell has kept what is behind the #
			}
			r.TorrentFile = text
			return r, nil
		}
		after = text // a link's own end
	}
	head, query, _ := strings.Cut(after, "&")
	hash, key, keyed := strings.Cut(head, ".")
	var ok bool
	if r.InfoHash, ok = parseHash(hash); !ok {
		if hash == "" || cutHash.MatchString(hash) {
			return r, errCut
		}
		return r, errNoRef
	}
	if keyed {
		if r.Key, err = parseKey(key); err != nil {
			return r, err
		}
	}
	values, _ := url.ParseQuery(query)
	r.Trackers, r.WebSeeds = trackerURLs(values["tr"]), seedURLs(values["ws"])
	if u, err := url.Parse(before); err == nil && isWeb(before) && u.Host != "" {
		r.Host = u.Host
		if len(r.Trackers) == 0 {
			r.Trackers = []string{trackerOf(u)}
		}
	}
	if len(r.Trackers) == 0 && bareWeb.MatchString(before) {
		return Ref{}, errBare // nobody would be asked
	}
	return r, nil
}

// parseKey takes a key with what follows it: messengers take the punctuation behind a link for a part of it.
func parseKey(text string) (*seal.Key, error) {
	text = keyText.FindString(text)
	if len(text) < 22 {
		return nil, errCut
	}
	key, err := seal.ParseKey(text)
	if err != nil {
		return nil, errors.New("the key in this link is damaged: copy the link again")
	}
	return &key, nil
}

func isWeb(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// trackerOf is the tracker of the server that serves a page.
func trackerOf(page *url.URL) string {
	scheme := "ws"
	if strings.EqualFold(page.Scheme, "https") {
		scheme = "wss"
	}
	return scheme + "://" + strings.ToLower(page.Host) + "/announce"
}

// What a magnet's topic begins with: BitTorrent v1 and v2.
const btih, btmh = "urn:btih:", "urn:btmh:"

func parseMagnet(query string) (r Ref, err error) {
	// As they stand in the source of a page, and with names that nobody has escaped.
	values, _ := url.ParseQuery(strings.ReplaceAll(query, "&amp;", "&"))
	found, v2 := false, false
	for name, topics := range values {
		if name != "xt" && !strings.HasPrefix(name, "xt.") {
			continue
		}
		for _, topic := range topics {
			kind, hash := topic[:min(len(topic), len(btih))], topic[min(len(topic), len(btih)):]
			if strings.EqualFold(kind, btih) && !found {
				r.InfoHash, found = parseHash(hash)
			}
			v2 = v2 || strings.EqualFold(kind, btmh)
		}
	}
	if !found && v2 {
		return r, errV2
	}
	if !found {
		return r, fmt.Errorf("this magnet link names no torrent that Starling can fetch: it needs xt=urn:btih:<infohash>")
	}
	r.Name = names.Text(values.Get("dn"), 200)
	r.Trackers, r.WebSeeds = trackerURLs(values["tr"]), seedURLs(values["ws"])
	if peers := values["x.pe"]; len(peers) > 0 {
		r.Peers = peers[:min(len(peers), maxURLs)]
	}
	return r, nil
}

func parseHash(text string) (hash [20]byte, ok bool) {
	switch {
	case hexHash.MatchString(text):
		_, err := hex.Decode(hash[:], []byte(text))
		ok = err == nil
	case len(text) == 32:
		b, err := base32.StdEncoding.DecodeString(strings.ToUpper(text))
		ok = err == nil && copy(hash[:], b) == len(hash)
	}
	return hash, ok && hash != [20]byte{}
}

func trackerURLs(urls []string) []string { return usable(urls, "ws", "wss", "http", "https", "udp") }
func seedURLs(urls []string) []string    { return usable(urls, "http", "https") }

// usable are those of these schemes, once each, at most maxURLs.
func usable(urls []string, schemes ...string) (good []string) {
	for _, text := range urls {
		u, err := url.Parse(text)
		if err == nil && len(text) <= maxURL && u.Host != "" && slices.Contains(schemes, strings.ToLower(u.Scheme)) &&
			!slices.Contains(good, text) && len(good) < maxURLs {
			good = append(good, text)
		}
	}
	return good
}

// makeLink is https://HOST/f#<infohash>[.<key>]&tr=…&ws=…; host may begin with a scheme. Trackers are named unless the
// host's own is the only one.
func makeLink(host string, ih [20]byte, key *seal.Key, trackers, webSeeds []string) string {
	if !isWeb(host) {
		host = "https://" + host
	}
	host = strings.TrimRight(host, "/")
	if u, err := url.Parse(host); err == nil && slices.Contains(trackers, trackerOf(u)) {
		// Whoever can ask the same server by HTTP knows that.
		twin := strings.Replace(trackerOf(u), "ws", "http", 1)
		trackers = slices.DeleteFunc(slices.Clone(trackers), func(tracker string) bool { return tracker == twin })
		if len(trackers) == 1 {
			trackers = nil
		}
	}
	link := host + "/f#" + hexOf(ih)
	if key != nil {
		link += "." + key.String()
	}
	return link + query(trackers, webSeeds)
}

func makeMagnet(ih [20]byte, name string, trackers, webSeeds []string) string {
	magnet := "magnet:?xt=urn:btih:" + hexOf(ih)
	if name != "" {
		magnet += "&dn=" + url.QueryEscape(name)
	}
	return magnet + query(trackers, webSeeds)
}

func query(trackers, webSeeds []string) (text string) {
	for _, tracker := range trackers {
		text += "&tr=" + url.QueryEscape(tracker)
	}
	for _, seed := range webSeeds {
		text += "&ws=" + url.QueryEscape(seed)
	}
	return text
}
