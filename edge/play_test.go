package edge

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func box(kind string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), []byte(kind), body)
}

func wideBox(kind string, body []byte) []byte {
	return slices.Concat([]byte{0, 0, 0, 1}, []byte(kind), binary.BigEndian.AppendUint64(nil, uint64(16+len(body))), body)
}

func mvhd(version byte, unit uint32, duration uint64) []byte {
	head := []byte{version, 0, 0, 0}
	if version == 1 {
		return box("mvhd", head, make([]byte, 16), binary.BigEndian.AppendUint32(nil, unit), binary.BigEndian.AppendUint64(nil, duration), make([]byte, 80))
	}
	return box("mvhd", head, make([]byte, 8), binary.BigEndian.AppendUint32(nil, unit), binary.BigEndian.AppendUint32(nil, uint32(duration)), make([]byte, 80))
}

// ebml is an element whose size takes eight bytes.
func ebml(id string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	name, _ := hex.DecodeString(id)
	return slices.Concat(name, binary.BigEndian.AppendUint64(nil, 1<<56|uint64(len(body))), body)
}

func webm(unit uint32, duration []byte) []byte {
	return slices.Concat(ebml("1a45dfa3", ebml("4282", []byte("webm"))), []byte{0x18, 0x53, 0x80, 0x67, 0xff}, // of unknown size, as when it was streamed
		ebml("ec", make([]byte, 500)), ebml("1549a966", ebml("2ad7b1", binary.BigEndian.AppendUint32(nil, unit)), ebml("4489", duration)), ebml("1f43b675", make([]byte, 50)))
}

// How long a film plays, however its bytes come, and whatever they are.
func TestReel(t *testing.T) {
	double := func(v float64) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(v)) }
	single := binary.BigEndian.AppendUint32(nil, math.Float32bits(12_500))
	media := wideBox("mdat", make([]byte, 3000))
	for name, c := range map[string]struct {
		kind string
		data []byte
		want float64
	}{
		"MP4":                  {"video/mp4", slices.Concat(box("ftyp", []byte("isom")), box("moov", mvhd(0, 1000, 60_500)), media), 60.5},
		"MP4, moov last":       {"video/mp4", slices.Concat(box("ftyp"), media, box("moov", box("free"), mvhd(1, 90_000, 8*90_000))), 8},
		"MP4 that says 0":      {"video/mp4", box("moov", mvhd(0, 0, 0)), 0},
		"MP4 of absurd length": {"video/mp4", box("moov", mvhd(1, 1, 1<<60)), 0},
		"WebM":                 {"video/webm", webm(1_000_000, double(60_000)), 60},
		"WebM, single":         {"video/webm", webm(1_000_000, single), 12.5},
		"WebM of no number":    {"video/webm", webm(1_000_000, double(math.NaN())), 0},
		"noise":                {"video/mp4", random(5000), 0},
		"noise as WebM":        {"video/webm", append([]byte{0}, random(5000)...), 0},
		"another kind":         {"video/ogg", webm(1_000_000, double(60_000)), 0},
	} {
		for _, size := range []int{1, 7, len(c.data)} {
			r := newReel(c.kind)
			for part := range slices.Chunk(c.data, size) {
				_, _ = r.Write(part) // never fails
			}
			if r.seconds != c.want {
				t.Errorf("%s by %d: %v s, want %v", name, size, r.seconds, c.want)
			}
		}
	}
}

func FuzzReel(f *testing.F) {
	f.Add(true, box("moov", mvhd(0, 1, 1)))
	f.Add(false, webm(1, make([]byte, 8)))
	f.Add(false, []byte("D\x89\xff")) // of unknown size
	f.Fuzz(func(t *testing.T, mp4 bool, data []byte) {
		kind := map[bool]string{true: "video/mp4", false: "video/webm"}[mp4]
		whole, slow := newReel(kind), newReel(kind)
		_, _ = whole.Write(data)
		for part := range slices.Chunk(data, 1) {
			_, _ = slow.Write(part)
		}
		if whole.seconds != slow.seconds || !(whole.seconds >= 0 && whole.seconds < 1e6) {
			t.Fatalf("%v s at once, %v s byte by byte", whole.seconds, slow.seconds)
		}
	})
}

// What plays by itself gets its first seconds at once, then little at a time, and after its opening as much as it asks for.
func TestPlay(t *testing.T) {
	const rate, seconds = 200_000, 20
	film := slices.Concat(box("ftyp"), box("moov", mvhd(0, 1, seconds)))
	film = append(film, box("mdat", random(rate*seconds-len(film)-8))...)
	size := len(film)
	synctest.Test(t, func(t *testing.T) {
		e := start(t, Options{})
		a, err := hashAll(asset{Path: "/a film.mp4", Size: int64(size), Type: "video/mp4"}, bytes.NewReader(film))
		if err != nil {
			t.Fatal(err)
		}
		e.library.add(a)
		h := e.mount(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/a film.mp4" {
				t.Errorf("the site is asked for %s", r.URL.Path)
			}
			http.ServeContent(w, r, "film.mp4", time.Time{}, bytes.NewReader(film))
		}))
		for _, c := range []struct {
			asked    string
			from, to int
			takes    time.Duration
		}{
			{"bytes=0-", 0, 2.25 * rate, beats * beat},
			{fmt.Sprintf("bytes=0-%d", size-1), 0, 2.25 * rate, beats * beat},
			{"bytes=450000-", 450_000, 450_000 + leastStep, hold},
			{"bytes=600000-", 600_000, 600_000 + step*rate + 150_000/growth, hold},
			{"bytes=1000-1999", 1000, 2000, 0},
			{fmt.Sprintf("bytes=%d-", 8*rate), 8 * rate, size, 0},
		} {
			before := time.Now()
			w := do(h, "GET", "/.starling/play/a%20film.mp4", "", "Range", c.asked, "User-Agent", "Mozilla/5.0 (X11) HeadlessChrome/140.0")
			if want := fmt.Sprintf("bytes %d-%d/%d", c.from, c.to-1, size); w.Code != 206 || w.Header().Get("Content-Range") != want || !bytes.Equal(w.Body.Bytes(), film[c.from:c.to]) {
				t.Errorf("%s: %d %v, want %s", c.asked, w.Code, w.Header(), want)
			}
			// A cache would ask for what it lacks by itself.
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s may be kept: %q", c.asked, got)
			}
			if took := time.Since(before).Round(time.Microsecond); took != c.takes {
				t.Errorf("%s took %s, want %s", c.asked, took, c.takes)
			}
		}
		safari := "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
		if w := do(h, "GET", "/.starling/play/a%20film.mp4", "", "Range", "bytes=0-", "User-Agent", safari); w.Code != 206 || w.Body.Len() != size {
			t.Errorf("a player that may not ask again: %d, %d bytes", w.Code, w.Body.Len())
		}
		if w := do(h, "GET", "/.starling/play/a%20film.mp4", ""); w.Code != 200 || !bytes.Equal(w.Body.Bytes(), film) {
			t.Errorf("all of it: %d, %d bytes", w.Code, w.Body.Len())
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Whose service worker never comes sees no stall, even where the site is far away.
func TestPlayAlone(t *testing.T) {
	const far, bytesPerSecond = 400 * time.Millisecond, 250_000
	a := &asset{Size: 60 * bytesPerSecond, Seconds: 60}
	has, at := int64(0), far
	for has < a.Size {
		if played := (at - far).Seconds(); has > 0 && played*bytesPerSecond > float64(has) {
			t.Fatalf("after %.1f s it has %.1f s", played, float64(has)/bytesPerSecond)
		}
		has += min(a.portion(has), a.Size-has)
		at += far + hold
	}
}

// What is no asset is asked for at its own path, which is never another site's.
func TestPlayWhatIsNone(t *testing.T) {
	e := start(t, Options{})
	h := e.mount(http.NotFoundHandler())
	for target, want := range map[string]string{
		"/.starling/play/a%20film.mp4?x=1":     "/a%20film.mp4",
		"/.starling/play/%2F%2Fevil.example/x": "/evil.example/x",
		`/.starling/play/%5Cevil.example/x`:    "/%5Cevil.example/x",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if got := w.Header().Get("Location"); w.Code != http.StatusTemporaryRedirect || got != want {
			t.Errorf("%s: %d, leads to %q", target, w.Code, got)
		}
	}
}
