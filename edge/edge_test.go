package edge

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/anacrolix/torrent/metainfo"
	"go.uber.org/goleak"

	"github.com/starling-p2p/starling/internal/testnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func built() fs.FS {
	return fstest.MapFS{
		"edge/edge.js":        {Data: []byte("export{}")},
		"edge/edge.js.br":     {Data: []byte("brotli")},
		"edge/carry-1a2b.js":  {Data: []byte("export{}")},
		"edge/sw.js":          {Data: []byte("onfetch=null")},
		"edge/owner.html":     {Data: []byte("<!doctype html><title>What visitors carry</title>")},
		"edge/owner.html.gz":  {Data: []byte("gzip")},
		"somewhere/else.html": {Data: []byte("not ours")},
	}
}

func start(t *testing.T, o Options) *Edge {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	e, err := newEdge(o, built())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func do(h http.Handler, method, target string, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.1:1234"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// ask looks up from this machine, which may as often as it likes.
func ask(t *testing.T, h http.Handler, paths ...string) (f found) {
	t.Helper()
	body, _ := json.Marshal(lookup{Paths: paths})
	r := httptest.NewRequest("POST", "/.starling/lookup", bytes.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1234"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil {
		t.Fatalf("%d: %v: %s", w.Code, err, w.Body)
	}
	return f
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// site writes files into a new folder.
func site(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		write(t, dir, name, data)
	}
	return dir
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, data, 0o644); err != nil {
		t.Fatal(err)
	}
	// As if it had been there for a while.
	old := time.Now().Add(-time.Hour).Add(time.Duration(len(data)))
	if err := os.Chtimes(p, old, old); err != nil {
		t.Fatal(err)
	}
}

func serveFolder(t *testing.T, e *Edge, dir string) http.Handler {
	t.Helper()
	h, err := e.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// carried waits until a path is an asset.
func carried(t *testing.T, h http.Handler, path string) {
	t.Helper()
	testnet.Until(t, path+" to be an asset", func() bool { return len(ask(t, h, path).Assets) == 1 })
}

// check sees that a lookup's sums are those of the bytes.
func check(t *testing.T, f found, path string, data []byte) {
	t.Helper()
	l := f.Assets[path]
	if l == nil {
		t.Fatalf("%s is not named", path)
	}
	sums, err := base64.StdEncoding.DecodeString(l.Sums)
	if err != nil {
		t.Fatal(err)
	}
	length := int(f.Torrents[l.Torrent].PieceLength)
	for i := 0; i*length < len(data); i++ {
		sum := sha256.Sum256(data[i*length : min(len(data), (i+1)*length)])
		if !bytes.Equal(sums[i*sumSize:(i+1)*sumSize], sum[:sumSize]) {
			t.Fatalf("%s: the sum of piece %d is another", path, i)
		}
	}
	if all := sha256.Sum256(data); l.SHA256 != hex.EncodeToString(all[:8]) || l.Size != int64(len(data)) {
		t.Fatalf("%s: %+v", path, l)
	}
}

// Archives know no time zones, and clocks are wrong: what seems to be of tomorrow is carried today.
func TestFileOfTomorrow(t *testing.T) {
	t.Parallel()
	dir := site(t, map[string][]byte{"a.png": random(1000)})
	h := serveFolder(t, start(t, Options{}), dir)
	testnet.Until(t, "what was there at the start", func() bool { return len(ask(t, h, "/a.png").Assets) == 1 })
	write(t, dir, ".new", random(1000))
	hidden, tomorrow := filepath.Join(dir, ".new"), time.Now().Add(24*time.Hour)
	if err := errors.Join(os.Chtimes(hidden, tomorrow, tomorrow), os.Rename(hidden, filepath.Join(dir, "b.png"))); err != nil {
		t.Fatal(err)
	}
	testnet.Until(t, "what was put there", func() bool { return len(ask(t, h, "/b.png").Assets) == 1 })
}

func TestFolder(t *testing.T) {
	t.Parallel()
	a, b, film := random(50_000), random(16<<10), random(300_000)
	dir := site(t, map[string][]byte{"index.html": []byte("<h1>hi</h1>"), "img/a.png": a, "img/b b.webp": b, "film.mp4": film, ".git/x.png": a, "notes.txt": a, "same.png": a})
	e := start(t, Options{})
	h := serveFolder(t, e, dir)
	testnet.Until(t, "the assets", func() bool { return len(e.library.version.Load().places) == 4 })
	f := ask(t, h, "/img/a.png", "/img/b b.webp", "/film.mp4", "/same.png", "/.git/x.png", "/notes.txt", "/index.html", "/none.png")
	for path, data := range map[string][]byte{"/img/a.png": a, "/img/b b.webp": b, "/film.mp4": film, "/same.png": a} {
		check(t, f, path, data)
	}
	if len(f.Assets) != 4 || len(f.Torrents) != 2 {
		t.Fatalf("%d assets in %d torrents", len(f.Assets), len(f.Torrents))
	}
	if x, y := f.Assets["/img/a.png"], f.Assets["/same.png"]; x.First != y.First || x.Torrent != y.Torrent {
		t.Error("the same bytes lie in two places")
	}
	// What a visitor keeps is found by how its hash begins.
	kept := f.Assets["/film.mp4"]
	body, _ := json.Marshal(lookup{Held: []string{kept.SHA256, kept.SHA256[:14], strings.Repeat("0", 16), "what?"}})
	var told found
	if err := json.Unmarshal(do(h, "POST", "/.starling/lookup", string(body)).Body.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	if at := told.Held[kept.SHA256]; len(told.Held) != 1 || at == nil || told.Torrents[at.Torrent] != f.Torrents[kept.Torrent] || at.First != kept.First {
		t.Errorf("what is held lies at %+v of %+v", told.Held, told.Torrents)
	}
	for target, want := range map[string]int{"/": 200, "/img/a.png": 200, "/img/b%20b.webp": 200, "/img": 301, "/none": 404, "/.git/x.png": 404, "/../edge.go": 404} {
		if w := do(h, "GET", target, ""); w.Code != want {
			t.Errorf("GET %s: %d, want %d", target, w.Code, want)
		}
	}
	if w := do(h, "GET", "/film.mp4", "", "Range", "bytes=100-199"); w.Code != 206 || !bytes.Equal(w.Body.Bytes(), film[100:200]) {
		t.Errorf("a range: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := do(h, "DELETE", "/img/a.png", ""); w.Code != 405 {
		t.Errorf("DELETE: %d", w.Code)
	}
}

// A client that was not written here reads the torrents, and its web seed gives the bytes.
func TestTorrentFiles(t *testing.T) {
	t.Parallel()
	a, b, film := random(50_000), random(1), random(200_000)
	dir := site(t, map[string][]byte{"a.png": a, "b.gif": b, "film.webm": film})
	e := start(t, Options{})
	h := serveFolder(t, e, dir)
	testnet.Until(t, "the assets", func() bool { return len(e.library.version.Load().places) == 3 })
	server := httptest.NewServer(h)
	defer server.Close()
	for _, described := range ask(t, h, "/a.png", "/film.webm").Torrents {
		response, err := http.Get(server.URL + "/.starling/t/" + described.InfoHash + ".torrent")
		if err != nil {
			t.Fatal(err)
		}
		m, err := metainfo.Load(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := m.HashInfoBytes().HexString(); got != described.InfoHash {
			t.Errorf("infohash %s, want %s", got, described.InfoHash)
		}
		info, err := m.UnmarshalInfo()
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, file := range info.UpvertedFiles() {
			if strings.Contains(file.Attr, "p") {
				all = append(all, make([]byte, file.Length)...)
				continue
			}
			url := m.UrlList[0]
			if info.IsDir() {
				url += info.Name + "/" + strings.Join(file.Path, "/")
			}
			response, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil || response.StatusCode != 200 || int64(len(data)) != file.Length {
				t.Fatalf("%s: %d, %d bytes, %v", url, response.StatusCode, len(data), err)
			}
			all = append(all, data...)
		}
		if int64(len(all)) != info.TotalLength() {
			t.Fatalf("%d bytes, want %d", len(all), info.TotalLength())
		}
		for i := range info.NumPieces() {
			p := info.Piece(i)
			sum := sha1.Sum(all[p.Offset() : p.Offset()+p.Length()])
			if want := p.V1Hash().Unwrap(); !bytes.Equal(sum[:], want[:]) {
				t.Fatalf("piece %d is another", i)
			}
		}
	}
}

// Two sites with the same film share its peers, whatever it is called there.
func TestSameFilmOnTwoSites(t *testing.T) {
	t.Parallel()
	film := random(500_000)
	hash := func(name string) string {
		e := start(t, Options{})
		h := serveFolder(t, e, site(t, map[string][]byte{name: film, "other" + name + ".png": random(100)}))
		testnet.Until(t, "the film", func() bool { return len(ask(t, h, "/"+name).Assets) == 1 })
		f := ask(t, h, "/"+name)
		return f.Torrents[f.Assets["/"+name].Torrent].InfoHash
	}
	if a, b := hash("film.mp4"), hash("movies/the one.webm"); a != b {
		t.Errorf("%s and %s", a, b)
	}
}

func TestChangedFile(t *testing.T) {
	t.Parallel()
	old, other, fresh := random(40_000), random(40_000), random(30_000)
	dir := site(t, map[string][]byte{"a.png": old, "b.png": other})
	e := start(t, Options{})
	h := serveFolder(t, e, dir)
	testnet.Until(t, "the assets", func() bool { return len(e.library.version.Load().places) == 2 })
	before := ask(t, h, "/a.png", "/b.png")
	write(t, dir, "a.png", fresh)
	testnet.Until(t, "the change", func() bool {
		f := ask(t, h, "/a.png")
		return f.Assets["/a.png"] != nil && f.Assets["/a.png"].SHA256 != before.Assets["/a.png"].SHA256
	})
	f := ask(t, h, "/a.png", "/b.png")
	check(t, f, "/a.png", fresh)
	check(t, f, "/b.png", other)
	if f.Version == before.Version || f.Torrents[0].InfoHash == before.Torrents[0].InfoHash {
		t.Error("it is the version before")
	}
	// Who is in the old swarm can go on.
	if w := do(h, "GET", "/.starling/t/"+before.Torrents[0].InfoHash+".torrent", ""); w.Code != 200 {
		t.Errorf("the torrent before: %d", w.Code)
	}
	if err := os.Remove(filepath.Join(dir, "a.png")); err != nil {
		t.Fatal(err)
	}
	testnet.Until(t, "the removal", func() bool { return len(ask(t, h, "/a.png").Assets) == 0 })
}

// Several servers with copies of a folder, or one that gets the same files again, say the same of them: browsers that have
// them need not fetch them once more.
func TestCopiesOfAFolder(t *testing.T) {
	t.Parallel()
	data := random(50_000)
	var etags []string
	for age := range 2 {
		dir := site(t, map[string][]byte{"a.png": data})
		file := filepath.Join(dir, "a.png")
		at := time.Now().Add(-time.Hour * time.Duration(1+age))
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		h := serveFolder(t, start(t, Options{}), dir)
		carried(t, h, "/a.png")
		etag := do(h, "GET", "/a.png", "").Header().Get("ETag")
		if told := ask(t, h, "/a.png").Assets["/a.png"].ETag; told != etag {
			t.Errorf("%s is told of, and %s is given", told, etag)
		}
		etags = append(etags, etag)
		// A player that began before the file was known.
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		before := stampOf(info)
		if w := do(h, "GET", "/a.png", "", "Range", "bytes=9-", "If-Range", before); w.Code != 206 || w.Header().Get("ETag") != before {
			t.Errorf("it goes on with %d %s", w.Code, w.Header().Get("ETag"))
		}
	}
	if etags[0] != etags[1] {
		t.Errorf("ETags %q of the same bytes", etags)
	}
}

// The origin answers for one path in many ways; only what everybody gets alike becomes an asset.
func TestWhatIsAnAsset(t *testing.T) {
	data := random(20_000)
	answer := func(w http.ResponseWriter, header ...string) {
		h := w.Header()
		h.Set("Content-Type", "image/png")
		h.Set("ETag", `"1"`)
		h.Set("Content-Length", fmt.Sprint(len(data)))
		for i := 0; i < len(header); i += 2 {
			if h.Del(header[i]); header[i+1] != "" {
				h.Set(header[i], header[i+1])
			}
		}
		_, _ = w.Write(data)
	}
	for _, c := range []struct {
		name   string
		header []string
		cookie func(w http.ResponseWriter)
		want   bool
	}{
		{"plain", nil, nil, true},
		{"by Last-Modified", []string{"ETag", "", "Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT"}, nil, true},
		{"varies by encoding", []string{"Vary", "Accept-Encoding, Origin"}, nil, true},
		{"a font", []string{"Content-Type", "font/woff2"}, nil, true},
		{"private", []string{"Cache-Control", "max-age=60, Private"}, nil, false},
		{"not to be stored", []string{"Cache-Control", "no-store"}, nil, false},
		{"varies by cookie", []string{"Vary", "Accept-Encoding, Cookie"}, nil, false},
		{"varies by anything", []string{"Vary", "*"}, nil, false},
		{"sets a cookie", []string{"Set-Cookie", "a=b"}, nil, false},
		{"no validator", []string{"ETag", ""}, nil, false},
		{"no length", []string{"Content-Length", ""}, nil, false},
		{"a page", []string{"Content-Type", "text/html"}, nil, false},
		{"a script", []string{"Content-Type", "text/javascript"}, nil, false},
		{"a download under its own name", []string{"Content-Type", "application/pdf", "Content-Disposition", `attachment; filename="a.png"`}, nil, true},
		{"a download under another name", []string{"Content-Type", "application/pdf", "Content-Disposition", `attachment; filename="report.pdf"`}, nil, false},
		{"an image with a name", []string{"Content-Disposition", `inline; filename="b.png"`}, nil, true},
		{"excluded", nil, nil, false},
		{"another for who is known", nil, func(w http.ResponseWriter) { answer(w, "ETag", `"mine"`) }, false},
		{"refused to who is not known", nil, func(w http.ResponseWriter) { answer(w) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := start(t, Options{Exclude: []string{"/private/", "*.gif"}})
			h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/control.png":
					answer(w)
				case r.Header.Get("Cookie") != "" && c.cookie != nil:
					c.cookie(w)
				case c.name == "refused to who is not known":
					http.Error(w, "no", http.StatusForbidden)
				default:
					answer(w, c.header...)
				}
			}))
			path := "/a.png"
			if c.name == "excluded" {
				path = "/private/a.png"
			}
			do(h, "GET", path, "", "Cookie", "who=me")
			// Both hashers have finished with it when this one, which came later, is known.
			do(h, "GET", "/control.png", "")
			testnet.Until(t, "the control", func() bool { return len(ask(t, h, "/control.png").Assets) == 1 })
			testnet.Until(t, "the hashers", func() bool { return e.library.held.Load() == 0 })
			f := ask(t, h, path)
			if c.want {
				testnet.Until(t, "it to be named", func() bool { return len(ask(t, h, path).Assets) == 1 })
				check(t, ask(t, h, path), path, data)
			} else if len(f.Assets) != 0 || e.library.get(path) != nil {
				t.Error("it is named")
			}
		})
	}
}

// Requests that are somebody's own are not looked at.
func TestWhatIsNotLookedAt(t *testing.T) {
	e := start(t, Options{})
	h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", "4")
		_, _ = io.WriteString(w, "data")
	}))
	do(h, "GET", "/a.png", "", "Authorization", "Basic eDp5")
	do(h, "GET", "/b.png?who=me", "")
	do(h, "POST", "/c.png", "")
	do(h, "GET", "/d.png", "")
	testnet.Until(t, "the one that is", func() bool { return e.library.get("/d.png") != nil })
	for _, p := range []string{"/a.png", "/b.png", "/c.png"} {
		if e.library.get(p) != nil {
			t.Errorf("%s is named", p)
		}
	}
}

// What an origin has changed is told to nobody from the moment it is seen.
func TestOriginChanges(t *testing.T) {
	t.Parallel()
	content, etag := random(30_000), `"1"`
	e := start(t, Options{})
	h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "image/png")
		http.ServeContent(w, r, "a.png", time.Time{}, bytes.NewReader(content))
	}))
	do(h, "GET", "/a.png", "", "Range", "bytes=0-9")
	carried(t, h, "/a.png")
	check(t, ask(t, h, "/a.png"), "/a.png", content)
	do(h, "GET", "/a.png", "", "If-None-Match", etag)
	if len(ask(t, h, "/a.png").Assets) != 1 {
		t.Error("a 304 of the same made it forgotten")
	}
	content, etag = random(20_000), `"2"`
	do(h, "GET", "/a.png", "")
	if f := ask(t, h, "/a.png"); len(f.Assets) == 1 {
		check(t, f, "/a.png", content)
	}
	testnet.Until(t, "the new one", func() bool { return len(ask(t, h, "/a.png").Assets) == 1 })
	check(t, ask(t, h, "/a.png"), "/a.png", content)
}

// A path that contradicts itself is left alone in the end.
func TestFickleOrigin(t *testing.T) {
	n := 0
	e := start(t, Options{})
	h := e.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Content-Length", "4")
		_, _ = io.WriteString(w, "data")
	}))
	for range 3 * maxStrikes {
		do(h, "GET", "/a.png", "")
		testnet.Until(t, "the hashers", func() bool { return e.library.held.Load() == 0 })
	}
	if n > 3*maxStrikes+maxStrikes || e.library.get("/a.png") != nil {
		t.Errorf("asked %d times", n)
	}
}

func TestManySmallAssets(t *testing.T) {
	t.Parallel()
	assets := map[string]*asset{}
	for i := range 5000 {
		a, err := hashAll(asset{Path: fmt.Sprintf("/%d.png", i), Size: 20_000, Type: "image/png", ETag: `"x"`}, bytes.NewReader(append(random(19_992), fmt.Sprintf("%8d", i)...)))
		if err != nil {
			t.Fatal(err)
		}
		assets[a.Path] = a
	}
	v := newVersion(assets)
	if len(v.torrents) != 1 || v.torrents[0].pieces != 10_000 {
		t.Fatalf("%d torrents", len(v.torrents))
	}
	e := start(t, Options{})
	for _, a := range assets {
		e.library.add(a)
	}
	e.library.mu.Lock()
	e.library.set(v)
	e.library.mu.Unlock()
	w := do(e.routes, "POST", "/.starling/lookup", `{"paths":["/1.png","/4999.png"]}`)
	if w.Body.Len() > 1000 {
		t.Errorf("a lookup of two assets of five thousand takes %d bytes", w.Body.Len())
	}
}

func TestThatTheOrderOfPathsChangesNothing(t *testing.T) {
	data := map[string][]byte{"a": random(30_000), "b": random(10), "c": random(16 << 10)}
	make := func(names map[string]string) string {
		assets := map[string]*asset{}
		for path, of := range names {
			a, err := hashAll(asset{Path: path, Size: int64(len(data[of])), Type: "image/png"}, bytes.NewReader(data[of]))
			if err != nil {
				t.Fatal(err)
			}
			assets[path] = a
		}
		return newVersion(assets).torrents[0].infoHash.String()
	}
	if a, b := make(map[string]string{"/1": "a", "/2": "b", "/3": "c"}), make(map[string]string{"/z": "a", "/y": "b", "/x": "c", "/again": "a"}); a != b {
		t.Errorf("%s and %s", a, b)
	}
}

func TestHashing(t *testing.T) {
	data := random(100)
	for _, c := range []struct {
		size int64
		want bool
	}{{100, true}, {99, false}, {101, false}, {0, false}, {-1, false}, {largest + 1, false}} {
		if _, err := hashAll(asset{Size: c.size, Type: "image/png"}, bytes.NewReader(data)); (err == nil) != c.want {
			t.Errorf("%d bytes that were said to be %d: %v", len(data), c.size, err)
		}
	}
}

// An asset's pieces, counted one by one: of small ones a block each, the last filled up; of others as long as they are.
func TestPieces(t *testing.T) {
	data := random(ownTorrent)
	for _, c := range []struct {
		kind   string
		size   int
		length int64
		fill   bool
	}{
		{"image/png", 1, smallPiece, true}, {"image/png", smallPiece - 1, smallPiece, true}, {"image/png", smallPiece, smallPiece, true},
		{"image/png", smallPiece + 1, smallPiece, true}, {"image/png", 3 * smallPiece, smallPiece, true}, {"image/png", ownTorrent - 1, smallPiece, true},
		{"image/png", ownTorrent, 64 << 10, false}, {"audio/mpeg", 1, 64 << 10, false}, {"video/mp4", 64 << 10, 64 << 10, false}, {"video/mp4", 64<<10 + 1, 64 << 10, false},
	} {
		a, err := hashAll(asset{Size: int64(c.size), Type: c.kind}, bytes.NewReader(data[:c.size]))
		if err != nil {
			t.Fatal(err)
		}
		var sums, hashes []byte
		for piece := range slices.Chunk(data[:c.size], int(c.length)) {
			sum := sha256.Sum256(piece)
			if c.fill {
				piece = append(slices.Clip(piece), make([]byte, int(c.length)-len(piece))...)
			}
			sha := sha1.Sum(piece)
			sums, hashes = append(sums, sum[:sumSize]...), append(hashes, sha[:]...)
		}
		if a.PieceLength != c.length || !bytes.Equal(a.Sums, sums) || !bytes.Equal(a.Hashes, hashes) || !a.sound() {
			t.Errorf("%d bytes of %s: %d pieces of %d bytes, or other hashes, or not taken from the cache", c.size, c.kind, a.pieces(), a.PieceLength)
		}
	}
	for size, want := range map[int64]int64{1400 * 64 << 10: 64 << 10, 1401 * 64 << 10: 128 << 10, 1401 * 2 << 20: 4 << 20, largest: 4 << 20} {
		if got := pieceLengthFor(video, size); got != want {
			t.Errorf("pieces of %d bytes for %d, want %d", got, size, want)
		}
	}
}
