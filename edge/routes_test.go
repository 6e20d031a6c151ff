package edge

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestScripts(t *testing.T) {
	e := start(t, Options{})
	h := e.mount(http.NotFoundHandler())
	for _, c := range []struct {
		target, accept       string
		code                 int
		body, cache, variant string
	}{
		{"/.starling/edge.js", "", 200, "export{}", "no-cache", ""},
		{"/.starling/edge.js", "gzip, br", 200, "brotli", "no-cache", "br"},
		{"/.starling/edge.js", "br;q=0", 200, "export{}", "no-cache", ""},
		{"/.starling/carry-1a2b.js", "", 200, "export{}", "public, max-age=31536000, immutable", ""},
		{"/.starling/sw.js", "", 200, "onfetch=null", "no-cache", ""},
		{"/.starling/", "", 200, "<!doctype html><title>What visitors carry</title>", "no-cache", ""},
		{"/.starling/else.html", "", 404, "There is nothing here.\n", "", ""},
		{"/.starling/edge.js.br", "", 404, "There is nothing here.\n", "", ""},
		{"/.starling/a/b/c", "", 404, "404 page not found\n", "", ""},
	} {
		w := do(h, "GET", c.target, "", "Accept-Encoding", c.accept)
		if w.Code != c.code || w.Body.String() != c.body || w.Header().Get("Cache-Control") != c.cache || w.Header().Get("Content-Encoding") != c.variant {
			t.Errorf("%s (%s): %d %q %v", c.target, c.accept, w.Code, w.Body, w.Header())
		}
	}
	if got := do(h, "GET", "/.starling/sw.js", "").Header().Get("Service-Worker-Allowed"); got != "/" {
		t.Errorf("the service worker may have %q", got)
	}
	if got := do(h, "GET", "/.starling/", "").Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || strings.Contains(got, "unsafe") {
		t.Errorf("the owner's page has the policy %q", got)
	}
	etag := do(h, "GET", "/.starling/edge.js", "").Header().Get("ETag")
	if w := do(h, "GET", "/.starling/edge.js", "", "If-None-Match", etag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("asked again: %d", w.Code)
	}
}

// Each option reaches the script, or is refused.
func TestSettings(t *testing.T) {
	if w := do(start(t, Options{Site: defaultSite}).routes, "GET", "/.starling/edge.js", "", "Accept-Encoding", "br"); w.Body.String() != "brotli" {
		t.Error("defaults are told though the script has them")
	}
	site := Site{
		Threshold: 5, NoImages: true, NoFonts: true, NoAudio: true, NoVideos: true, NoDownloads: true, NoFold: true, NoNearest: true,
		Deadline: time.Second, Lead: 2 * time.Second, Upload: -1, Keep: 1000, Metered: true, Worker: true,
	}
	body := do(start(t, Options{Site: site}).routes, "GET", "/.starling/edge.js", "").Body.String()
	text, ok := strings.CutPrefix(body, "globalThis.starlingEdge=")
	text, rest, _ := strings.Cut(text, ";\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); !ok || err != nil || rest != "export{}" {
		t.Fatalf("%q: %v", body, err)
	}
	want := map[string]any{
		"threshold": 5.0, "noImages": true, "noFonts": true, "noAudio": true, "noVideos": true, "noDownloads": true, "noFold": true, "noNearest": true,
		"deadline": 1000.0, "lead": 2000.0, "upload": -1.0, "keep": 1000.0, "metered": true, "worker": true,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	body = do(start(t, Options{Site: Site{NoLocal: true}}).routes, "GET", "/.starling/edge.js", "").Body.String()
	if !strings.HasPrefix(body, `import{connection}from"./outside.js";globalThis.starlingEdge={"threshold":2,`) || !strings.HasSuffix(body, ".connection=connection;\nexport{}") {
		t.Errorf("without local networks: %q", body)
	}
	for _, bad := range []Options{
		{Site: Site{Threshold: -1}}, {Site: Site{Deadline: time.Millisecond}}, {Site: Site{Lead: time.Hour}}, {Site: Site{Keep: -1}},
		{Exclude: []string{"["}}, {Exclude: []string{""}}, {Trackers: []string{"https://example.org"}},
	} {
		if e, err := newEdge(bad, built()); err == nil {
			_ = e.Close()
			t.Errorf("%+v is taken", bad)
		}
	}
}

func TestKinds(t *testing.T) {
	for contentType, want := range map[string]kind{
		"image/png": image, "Image/SVG+XML; charset=utf-8": image, "font/woff2": font, "audio/ogg": audio, "video/mp4": video,
		"application/pdf": download, "application/zip": download, "text/html": none, "": none, "application/javascript": none, "application/octet-stream": none,
	} {
		if got := kindOf(contentType); got != want {
			t.Errorf("%q: %d, want %d", contentType, got, want)
		}
	}
	for _, ext := range []string{"pdf", "zip", "gz", "tar", "7z", "xz", "zst", "epub", "iso", "jar", "deb", "apk"} {
		if got := typeOf("a." + ext); kindOf(got) != download {
			t.Errorf("%s is no download, but %q", ext, got)
		}
	}
	for i, s := range []Site{{NoImages: true}, {NoFonts: true}, {NoAudio: true}, {NoVideos: true}, {NoDownloads: true}} {
		for k := image; k <= download; k++ {
			if s.wants(k) == (int(k) == i+1) {
				t.Errorf("%+v, kind %d", s, k)
			}
		}
	}
}

func TestExclude(t *testing.T) {
	for pattern, paths := range map[string][2]string{
		"/private/":  {"/private/a/b.png", "/public/private/a.png"},
		"*.gif":      {"/a/b.gif", "/a.gif/b.png"},
		"/img/*.png": {"/img/a.png", "/img/x/a.png"},
		"/a.png":     {"/a.png", "/b/a.png"},
		"/private":   {"/private/a.png", "/privates/a.png"},
		"/hidden/":   {"//hidden/a.png", "/hidden.png"},
	} {
		if !excluded([]string{"/none/", pattern}, paths[0]) || excluded([]string{pattern}, paths[1]) {
			t.Errorf("%s: %v", pattern, paths)
		}
	}
	// What excludes nothing is not taken for an answer.
	for _, pattern := range []string{"private/", "img/*.png", "", "[a"} {
		if e, err := New(Options{Exclude: []string{pattern}}); err == nil {
			t.Errorf("%q is taken", pattern)
			_ = e.Close()
		}
	}
}

func TestTurnOff(t *testing.T) {
	servers := []ICEServer{{URLs: "stun:a"}, {URLs: "turn:b", Username: "u", Credential: "p"}, {URLs: "turns:c", Username: "u", Credential: "p"}}
	if got := ask(t, start(t, Options{ICEServers: servers}).routes).ICE; len(got) != 3 || got[1].Username != "u" {
		t.Errorf("with TURN: %v", got)
	}
	if got := ask(t, start(t, Options{ICEServers: servers, Site: Site{NoTURN: true}}).routes).ICE; len(got) != 1 {
		t.Errorf("without TURN: %v", got)
	}
}

// A browser that is given one server that it does not understand makes no connection at all.
func TestServersThatNoBrowserTakes(t *testing.T) {
	for _, s := range []ICEServer{
		{URLs: "a:3478"}, {URLs: "stun://a"}, {URLs: "turn:a"}, {URLs: "turn:a", Username: "u"}, {URLs: "stun:a", Username: "u", Credential: "p"},
		{URLs: "turn:a?transport=quic", Username: "u", Credential: "p"}, {},
	} {
		if e, err := New(Options{ICEServers: []ICEServer{s}}); err == nil {
			t.Errorf("%v is taken", s)
			_ = e.Close()
		}
	}
}

func TestOwnTrackers(t *testing.T) {
	e := start(t, Options{Trackers: []string{"wss://tracker.example.org"}})
	if got := ask(t, e.routes).Trackers; len(got) != 1 {
		t.Errorf("%v", got)
	}
	if w := do(e.routes, "GET", "/.starling/announce", ""); w.Code != 404 {
		t.Errorf("the own tracker answers %d", w.Code)
	}
}

func TestHostileLookups(t *testing.T) {
	e := start(t, Options{})
	many, _ := json.Marshal(lookup{Paths: make([]string, maxPaths+1)})
	held, _ := json.Marshal(lookup{Held: make([]string, maxHeld+1)})
	for _, body := range []string{"", "{", `{"paths":1}`, string(many), string(held), `{"held":["` + strings.Repeat("a", maxLookup) + `"]}`} {
		if w := do(e.routes, "POST", "/.starling/lookup", body); w.Code != 400 {
			t.Errorf("%.20q: %d", body, w.Code)
		}
	}
	if w := do(e.routes, "POST", "/.starling/lookup", `{"paths":["../../etc/passwd","\u0000"],"held":["zz","00","0000000000000000"]}`); w.Code != 200 || strings.Contains(w.Body.String(), "etc") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPublicMetrics(t *testing.T) {
	e := start(t, Options{PublicMetrics: true})
	if w := do(e.routes, "GET", "/.starling/metrics", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "starling_edge_visitors 0") {
		t.Errorf("the metrics: %d", w.Code)
	}
	if w := do(e.routes, "GET", "/.starling/figures.json", ""); w.Code != 403 {
		t.Errorf("the figures: %d", w.Code)
	}
}

// What visitors say is bounded, each time and by address, and the owner alone reads it.
func TestBeacons(t *testing.T) {
	e := start(t, Options{Key: "secret"})
	post := func(body string) int { return do(e.routes, "POST", "/.starling/beacon", body).Code }
	if code := post(`{"peers":900,"http":100,"kept":5,"sent":7,"liars":1,"links":3,"stalls":2,"causes":{"deadline":4,"made up":9}}`); code != 200 {
		t.Fatalf("a beacon: %d", code)
	}
	if code := post(`{"peers":1e300}`); code != 400 {
		t.Errorf("no number that is one: %d", code)
	}
	if code := post(`{"peers":-5,"http":9000000000000000000,"causes":{"view":-1,"late":999999999}}`); code != 200 {
		t.Errorf("absurd numbers: %d", code)
	}
	if code := post(`{"causes":{"` + strings.Repeat("a", maxBeacon) + `":1}}`); code != 400 {
		t.Errorf("a long one: %d", code)
	}
	var f struct {
		Total  bucket   `json:"total"`
		Causes []string `json:"causes"`
		Now    struct {
			At int64 `json:"at"`
		} `json:"now"`
	}
	if w := do(e.routes, "GET", "/.starling/figures.json", ""); w.Code != 403 {
		t.Errorf("a stranger reads the figures: %d", w.Code)
	}
	if w := do(e.routes, "GET", "/.starling/metrics", "", "Authorization", "Bearer wrong"); w.Code != 403 {
		t.Errorf("a stranger reads the metrics: %d", w.Code)
	}
	w := do(e.routes, "GET", "/.starling/figures.json", "", "Authorization", "Bearer secret")
	if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	if f.Total.Peers != 900 || f.Total.HTTP != 100+mostBytes || f.Total.Liars != 1 || f.Total.Stalls != 2 || f.Total.Causes[2] != 4 || f.Total.Causes[1] != 0 || f.Total.Causes[3] != mostCount {
		t.Errorf("%+v", f.Total)
	}
	if now := time.Now().Unix(); f.Now.At < now-60 || f.Now.At > now {
		t.Errorf("figures of %d", f.Now.At)
	}
	metrics := do(e.routes, "GET", "/.starling/metrics", "", "Authorization", "Bearer secret").Body.String()
	for _, want := range []string{`starling_edge_bytes_total{from="peers"} 900`, `starling_edge_http_fallbacks_total{cause="deadline"} 4`, "starling_edge_liars_total 1", "starling_edge_assets 0"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
	refused := 0
	for range 2 * beaconBurst {
		if post(`{}`) == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < beaconBurst/2 {
		t.Errorf("%d of %d were refused", refused, 2*beaconBurst)
	}
	for i := range maxNetworks + 10 {
		e.stats.allow(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
	}
	if n := len(e.stats.networks); n > maxNetworks {
		t.Errorf("%d addresses are remembered", n)
	}
}

func TestSeries(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := newStats("", false, func() time.Time { return now })
	for range 3000 {
		s.take(beacon{Peers: 10}, 4)
		now = now.Add(30 * time.Second)
	}
	f := s.figures
	if len(f.Minutes.Buckets) != 24*60 || len(f.Hours.Buckets) != 26 || f.Total.Peers != 30_000 || f.Total.Visitors != 4 {
		t.Errorf("%d minutes, %d hours, %+v", len(f.Minutes.Buckets), len(f.Hours.Buckets), f.Total)
	}
	if b := f.Minutes.Buckets[100]; b.Peers != 20 {
		t.Errorf("a minute: %+v", b)
	}
	for i := 1; i < len(f.Minutes.Buckets); i++ {
		if f.Minutes.Buckets[i].At != f.Minutes.Buckets[i-1].At+60 {
			t.Fatal("minutes are out of order")
		}
	}
}

// A machine whose clock was ahead when it started goes on with figures of its own time, and loses none.
func TestSeriesWhenTheClockIsSetBack(t *testing.T) {
	right := time.Unix(1_700_000_000, 0)
	now := right.Add(8 * time.Hour)
	s := newStats("", false, func() time.Time { return now })
	for range 3 {
		s.take(beacon{Peers: 10}, 4)
		now = now.Add(time.Minute)
	}
	now = right
	for range 2 {
		s.take(beacon{Peers: 10}, 4)
		now = now.Add(time.Minute)
	}
	minute := right.Unix() / 60 * 60
	got := map[int64]int64{}
	for _, b := range s.figures.Minutes.Buckets {
		got[b.At] = b.Peers
	}
	if want := map[int64]int64{minute: 40, minute + 60: 10}; !maps.Equal(got, want) {
		t.Errorf("minutes %v, want %v", got, want)
	}
	if hours := s.figures.Hours.Buckets; len(hours) != 1 || hours[0].Peers != 50 {
		t.Errorf("hours %+v", hours)
	}
}

// One address may look up only so much; others are answered all the same.
func TestLookupFlood(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	ask := func(from string) int {
		r := httptest.NewRequest("POST", "/.starling/lookup", strings.NewReader(`{"paths":["/a"]}`))
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		e.routes.ServeHTTP(w, r)
		return w.Code
	}
	refused := 0
	for range 1000 {
		if ask("192.0.2.1:1234") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 500 {
		t.Errorf("%d of 1000 were refused", refused)
	}
	for _, other := range []string{"192.0.2.2:1234", "[2001:db8::1]:1234", "127.0.0.1:1234"} {
		if code := ask(other); code != http.StatusOK {
			t.Errorf("%s: %d", other, code)
		}
	}
}
