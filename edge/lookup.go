package edge

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
)

const (
	maxLookup = 256 << 10 // bytes of a request
	maxPaths  = 1024      // asked for at once
	maxHeld   = 512
	// lookupRate is per second and network, ten times as many at once: many people may share an address.
	lookupRate = 20
)

// A lookup is what a page asks: where its assets lie, and what it may have of them from before.
type lookup struct {
	// Paths of assets that are in the page.
	Paths []string `json:"paths"`
	// Held are how the SHA-256 of assets that the visitor keeps begin, 16 hex digits each.
	Held []string `json:"held"`
}

type found struct {
	Version string `json:"version"`
	// Trackers are those to use in place of the site's own.
	Trackers []string        `json:"trackers"`
	ICE      []ICEServer     `json:"ice"`
	Torrents []foundTorrent  `json:"torrents"`
	Assets   map[string]*lie `json:"assets"`
	// Held has, for each that is still an asset, where it lies.
	Held map[string]*lie `json:"held"`
}

type foundTorrent struct {
	manifestTorrent
	// Peers are how many the tracker knows of now; -1 where visitors use another tracker.
	Peers int `json:"peers"`
}

// lie says where an asset lies, as lookups answer it.
type lie struct {
	Torrent int    `json:"torrent"`
	First   int    `json:"first"`
	Size    int64  `json:"size,omitempty"`
	Type    string `json:"type,omitempty"`
	ETag    string `json:"etag,omitempty"`
	// SHA256 begins so, 16 hex digits: what the visitor keeps it by.
	SHA256 string `json:"sha256,omitempty"`
	// Sums are base64: 20 bytes of SHA-256 for each piece.
	Sums string `json:"sums,omitempty"`
}

func (e *Edge) lookup(w http.ResponseWriter, r *http.Request) {
	if !e.lookups.Allow(e.address(r)) {
		http.Error(w, "Too many.", http.StatusTooManyRequests) // and what is wanted comes from the site
		return
	}
	var ask lookup
	if err := json.NewDecoder(body(w, r, maxLookup)).Decode(&ask); err != nil || len(ask.Paths) > maxPaths || len(ask.Held) > maxHeld {
		http.Error(w, "This is no lookup: {\"paths\": [at most 1024 paths], \"held\": [at most 512]}.", http.StatusBadRequest)
		return
	}
	v := e.library.version.Load()
	f := found{Version: v.id, Trackers: append([]string{}, e.options.Trackers...), ICE: e.ice(), Torrents: []foundTorrent{}, Assets: map[string]*lie{}, Held: map[string]*lie{}}
	index := map[int]int{}
	lies := func(p place) *lie {
		i, ok := index[p.torrent]
		if !ok {
			i = len(f.Torrents)
			index[p.torrent] = i
			t := foundTorrent{manifestTorrent: v.describe(p.torrent), Peers: -1}
			if len(e.options.Trackers) == 0 {
				c := e.swarms.Counts(v.torrents[p.torrent].infoHash)
				t.Peers = c.Seeders + c.Leechers
			}
			f.Torrents = append(f.Torrents, t)
		}
		return &lie{Torrent: i, First: p.first}
	}
	site := e.watch.Load()
	for _, path := range ask.Paths {
		p, ok := v.places[path]
		// What has changed since the version was made is told to nobody.
		if !ok || e.library.get(path) != p.asset || f.Assets[path] != nil {
			continue
		}
		if site != nil {
			site.confirm(p.asset)
		}
		l := lies(p)
		l.Size, l.Type, l.ETag = p.asset.Size, p.asset.Type, p.asset.ETag
		l.SHA256, l.Sums = hex.EncodeToString(p.asset.SHA256[:8]), base64.StdEncoding.EncodeToString(p.asset.Sums)
		f.Assets[path] = l
	}
	for _, held := range ask.Held {
		if sum, err := hex.DecodeString(held); err == nil && len(sum) == 8 {
			if p, ok := v.bySum[[8]byte(sum)]; ok {
				f.Held[held] = lies(p)
			}
		}
	}
	writeJSON(w, f)
}

// ice are the servers that visitors are told of.
func (e *Edge) ice() []ICEServer {
	servers := []ICEServer{}
	for _, s := range e.options.ICEServers {
		if !e.options.Site.NoTURN || !strings.HasPrefix(s.URLs, "turn") {
			servers = append(servers, s)
		}
	}
	return servers
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(value) // a client that has gone is no concern of ours
}
