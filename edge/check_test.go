package edge

import (
	"bytes"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// origin is a server with one picture, /a.png.
type origin struct {
	mu      sync.Mutex
	content []byte
	etag    string
	status  int // in place of an answer
	asked   int
	// encode does to an ETag what this server does where it compresses.
	encode func(etag string) string
}

func (o *origin) times() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	switch {
	case o.status != 0:
		http.Error(w, "no", o.status)
		return
	case r.URL.Path != "/a.png":
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("ETag", o.etag)
	if o.encode != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("ETag", o.encode(o.etag))
		if r.Header.Get("If-None-Match") == o.encode(o.etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(compress(o.content))
		return
	}
	http.ServeContent(w, r, "a.png", time.Time{}, bytes.NewReader(o.content))
}

func (o *origin) deploy(content []byte, etag string, status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.content, o.etag, o.status = content, etag, status
}

// behind has a site in front of an origin, in a bubble with a clock of its own.
func behind(t *testing.T, o *origin, test func(t *testing.T, e *Edge, h http.Handler)) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, Options{})
		test(t, e, e.Handler(o))
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

const aWhile = 2 * time.Second

// learn has somebody look at it, and checks that it is named.
func learn(t *testing.T, h http.Handler, o *origin, header ...string) {
	t.Helper()
	do(h, "GET", "/a.png", "", header...)
	time.Sleep(aWhile)
	check(t, ask(t, h, "/a.png"), "/a.png", o.content)
}

// Where all have it from one another, nobody sees that the site has something else by now: the site is asked.
func TestWhatChangesWhileNobodyLooks(t *testing.T) {
	for name, deploy := range map[string]func(*origin){
		"another": func(o *origin) { o.deploy(random(20_000), `"2"`, 0) },
		"gone":    func(o *origin) { o.deploy(nil, "", http.StatusNotFound) },
		"private": func(o *origin) { o.deploy(nil, "", http.StatusUnauthorized) },
	} {
		o := &origin{content: random(30_000), etag: `"1"`}
		behind(t, o, func(t *testing.T, _ *Edge, h http.Handler) {
			learn(t, h, o)
			deploy(o)
			time.Sleep(confirmEach)
			ask(t, h, "/a.png")
			time.Sleep(aWhile)
			if len(ask(t, h, "/a.png").Assets) != 0 {
				t.Errorf("%s: the old one is still named", name)
			}
		})
	}
}

// That is asked now and then, however many want to know, and no answer changes nothing.
func TestHowOftenTheSiteIsAsked(t *testing.T) {
	o := &origin{content: random(30_000), etag: `"1"`}
	behind(t, o, func(t *testing.T, _ *Edge, h http.Handler) {
		learn(t, h, o)
		version := ask(t, h, "/a.png").Version
		o.deploy(o.content, o.etag, http.StatusBadGateway)
		before := o.times()
		for range 100 {
			time.Sleep(confirmEach / 10)
			if f := ask(t, h, "/a.png", "/a.png"); len(f.Assets) != 1 || f.Version != version {
				t.Fatal("it is forgotten")
			}
		}
		time.Sleep(aWhile)
		if n := o.times() - before; n < 9 || n > 11 {
			t.Errorf("in ten times so long the site was asked %d times", n)
		}
	})
}

// What strangers bring about by odd requests makes nothing forgotten, and no new version.
func TestOddRequests(t *testing.T) {
	o := &origin{content: random(30_000), etag: `"1"`}
	behind(t, o, func(t *testing.T, e *Edge, h http.Handler) {
		learn(t, h, o)
		before := ask(t, h, "/a.png")
		for range 3 * max(maxStrikes, oldVersions) {
			for _, header := range [][2]string{{"Range", "bytes=0-0,5-9"}, {"If-Match", `"9"`}, {"Range", "bytes=99999999-"}, {"Range", "nonsense"}, {"If-None-Match", "*"}} {
				do(h, "GET", "/a.png", "", header[0], header[1])
			}
			time.Sleep(aWhile)
		}
		after := ask(t, h, "/a.png")
		if len(after.Assets) != 1 || after.Version != before.Version {
			t.Errorf("%d assets, version %s, was %s", len(after.Assets), after.Version, before.Version)
		}
		if n := len(e.library.recent); n != 1 {
			t.Errorf("%d versions", n)
		}
	})
}

// Servers that compress give other ETags then: it is the same picture, and another one is seen.
func TestCompressed(t *testing.T) {
	for name, encode := range map[string]func(string) string{
		"nginx":  func(etag string) string { return "W/" + etag },
		"Apache": func(etag string) string { return strings.TrimSuffix(etag, `"`) + `-gzip"` },
	} {
		o := &origin{content: random(30_000), etag: `"1"`, encode: encode}
		behind(t, o, func(t *testing.T, _ *Edge, h http.Handler) {
			learn(t, h, o, "Accept-Encoding", "gzip, br")
			do(h, "GET", "/a.png", "", "Accept-Encoding", "gzip, br", "If-None-Match", encode(o.etag))
			if len(ask(t, h, "/a.png").Assets) != 1 {
				t.Errorf("%s: 304 makes it forgotten", name)
			}
			o.deploy(random(20_000), `"2"`, 0)
			learn(t, h, o, "Accept-Encoding", "gzip, br")
		})
	}
}

// A site of which visitors see something new all the time does not wait for a rest that never comes.
func TestSomethingNewAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, Options{})
		h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { given(w, `"1"`, []byte(r.URL.Path)) }))
		for end := time.Now().Add(2 * longestHold); time.Now().Before(end); time.Sleep(settle / 2) {
			do(h, "GET", "/"+time.Now().Format("05.000")+".png", "")
		}
		if n := len(e.library.version.Load().places); n == 0 {
			t.Error("nothing is named")
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Who replaces a picture now and then has it carried all the same.
func TestManyDeploys(t *testing.T) {
	o := &origin{content: random(30_000), etag: `"0"`}
	behind(t, o, func(t *testing.T, _ *Edge, h http.Handler) {
		for n := range 2 * maxStrikes {
			o.deploy(random(30_000), strings.Repeat("x", n), 0)
			o.etag = `"` + o.etag + `"`
			learn(t, h, o)
			time.Sleep(forgiven)
		}
	})
}

// Whoever is logged in gets a picture as ever when others no longer do, and says nothing for those.
func TestWhatTurnsIntoMembersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := random(20_000)
		var login atomic.Bool
		e := start(t, Options{})
		h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if login.Load() && r.Header.Get("Cookie") == "" {
				http.Error(w, "Log in.", http.StatusUnauthorized)
				return
			}
			given(w, `"1"`, data)
		}))
		do(h, "GET", "/a.png", "")
		time.Sleep(aWhile)
		check(t, ask(t, h, "/a.png"), "/a.png", data)
		login.Store(true)
		for range 20 {
			do(h, "GET", "/a.png", "", "Cookie", "member=1")
			ask(t, h, "/a.png")
			time.Sleep(confirmEach / 10)
		}
		if len(ask(t, h, "/a.png").Assets) > 0 {
			t.Error("it is told to everybody still")
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A site that reads //a.png as /a.png does not have it as many times as there are ways to write it, nor is it read so often.
func TestOnePathInManyWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := random(20_000)
		var read atomic.Int32
		e := start(t, Options{})
		h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if path.Clean(r.URL.Path) != "/a.png" {
				http.NotFound(w, r)
				return
			}
			if r.UserAgent() == "starling-edge" {
				read.Add(1)
			}
			given(w, `"1"`, data)
		}))
		for _, p := range []string{"/a.png", "//a.png", "///a.png", "/./a.png", "/b/../a.png", "/b//../a.png"} {
			if w := do(h, "GET", p, ""); w.Code != http.StatusOK {
				t.Fatalf("%s: %d", p, w.Code)
			}
		}
		time.Sleep(aWhile)
		check(t, ask(t, h, "/a.png"), "/a.png", data)
		if n := len(e.library.all()); n != 1 || read.Load() != 1 {
			t.Errorf("%d assets, read %d times", n, read.Load())
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A site that has more than is remembered: what is asked for stays, and what nobody has asked for makes way.
func TestMoreAssetsThanAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, Options{})
		e.library.most = 16
		h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			w.Header().Set("ETag", `"`+r.URL.Path+`"`)
			http.ServeContent(w, r, "a.png", time.Time{}, strings.NewReader(strings.Repeat(r.URL.Path, 1000)))
		}))
		visit := func(path string) {
			do(h, "GET", path, "")
			time.Sleep(time.Second)
			synctest.Wait()
		}
		for i := range 16 {
			visit(fmt.Sprintf("/%d.png", i))
		}
		time.Sleep(confirmEach)
		ask(t, h, "/0.png")
		visit("/new.png")
		time.Sleep(2 * slowest)
		f := ask(t, h, "/0.png", "/1.png", "/2.png", "/new.png")
		if f.Assets["/0.png"] == nil || f.Assets["/1.png"] != nil || f.Assets["/2.png"] == nil || f.Assets["/new.png"] == nil {
			t.Errorf("known are %v", f.Assets)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}
