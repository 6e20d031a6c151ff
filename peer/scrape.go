package peer

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Counts are what a tracker knows of a torrent. Downloads counts those who completed since the tracker came to know it.
type Counts struct{ Seeders, Leechers, Downloads int }

// Scrape asks a tracker by HTTP (BEP 48); its URL is the one to announce at. A torrent that it does not know has zeros.
// Errors are the context's, the network's, and what the tracker says.
func Scrape(ctx context.Context, tracker string, infoHash [20]byte) (c Counts, err error) {
	at, err := url.Parse(tracker)
	if err != nil {
		return c, err
	}
	i := strings.LastIndex(at.Path, "/") + 1
	last, announces := strings.CutPrefix(at.Path[i:], "announce")
	if !announces || !strings.HasPrefix(at.Scheme, "http") {
		return c, fmt.Errorf("%s is no tracker that counts: its URL does not begin with http and end with announce", tracker)
	}
	at.Path = at.Path[:i] + "scrape" + last
	var d struct {
		Failure string `bencode:"failure reason"`
		Files   map[string]struct {
			Complete   int `bencode:"complete"`
			Incomplete int `bencode:"incomplete"`
			Downloaded int `bencode:"downloaded"`
		} `bencode:"files"`
	}
	if err := askHTTP(ctx, http.DefaultClient, *at, "info_hash="+url.QueryEscape(string(infoHash[:])), &d); err != nil {
		return c, err
	}
	if d.Failure != "" {
		return c, refused(d.Failure)
	}
	f := d.Files[string(infoHash[:])]
	return Counts{max(0, f.Complete), max(0, f.Incomplete), max(0, f.Downloaded)}, nil
}
