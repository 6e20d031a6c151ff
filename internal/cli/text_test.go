package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"
)

func TestWords(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1249: "1.2 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB",
		999_500: "1.0 MB", 2_000_000_000: "2.0 GB", 1 << 62: "4.6 EB",
	} {
		if got := size(bytes); got != want {
			t.Errorf("size(%d) = %q, want %q", bytes, got, want)
		}
	}
	for _, c := range []struct {
		bytes int64
		rate  float64
		want  string
	}{{0, 5, ""}, {5, 0, ""}, {100, 100, "0:01 left"}, {6100, 100, "1:01 left"}, {372_200, 100, "1:02:02 left"}, {1 << 60, 1, ""}} {
		if got := left(c.bytes, c.rate); got != c.want {
			t.Errorf("left(%d, %v) = %q, want %q", c.bytes, c.rate, got, c.want)
		}
	}
	for p, want := range map[peerCounts]string{
		{}: "no peers", {Browser: 1}: "1 browser", {Browser: 2, TCP: 1, UTP: 3, WebSeed: 2}: "2 browsers, 1 TCP, 3 uTP, 2 web seeds",
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v: %q, want %q", p, got, want)
		}
	}
	if got := short("\x1b[31mlong name", 8); got != "[31mlon…" {
		t.Errorf("short: %q", got)
	}
	f := figures{Bytes: 200_000_000, Done: 50_000_000, Down: 10e6, Peers: peerCounts{TCP: 2}}
	if got, want := summary(f), "25% of 200 MB, 10 MB/s, 2 TCP, 0:15 left"; got != want {
		t.Errorf("summary: %q, want %q", got, want)
	}
	if got, want := streamingLook().text(f), "25% of 200 MB, 10 MB/s, 2 TCP"; got != want {
		t.Errorf("of a stream: %q, want %q", got, want)
	}
}

func TestAmount(t *testing.T) {
	for text, want := range map[string]amount{
		"500000": 5e5, "500k": 5e5, "2M": 2e6, "1.5MB": 1_500_000, "1.5 MB/s": 1_500_000, "4Ki": 4096, "1GiB": 1 << 30, "0": 0,
	} {
		var got amount
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "fast", "-1", "1e300", "NaN", "Inf", "5x", "k"} {
		var got amount
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

// What is drawn is the code, module by module, with a border of white.
func TestQR(t *testing.T) {
	link := "https://share.example.org/f#" + strings.Repeat("0123456789", 4) + "." + strings.Repeat("A", 22)
	var b bytes.Buffer
	if err := writeQR(&b, link); err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(link, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if want := (code.Size + 2*quiet + 1) / 2; len(lines) != want {
		t.Fatalf("%d lines, want %d", len(lines), want)
	}
	for i, line := range lines {
		line, before := strings.CutPrefix(line, "\x1b[30;107m")
		line, after := strings.CutSuffix(line, "\x1b[0m")
		cells := []rune(line)
		if !before || !after || len(cells) != code.Size+2*quiet {
			t.Fatalf("line %d is %q", i, line)
		}
		for x, cell := range cells {
			for half, black := range []bool{cell == '█' || cell == '▀', cell == '█' || cell == '▄'} {
				x, y := x-quiet, 2*i+half-quiet
				if inside := min(x, y) >= 0 && max(x, y) < code.Size; black != (inside && code.Black(x, y)) {
					t.Fatalf("module %d, %d is wrong", x, y)
				}
			}
		}
	}
}

func TestLines(t *testing.T) {
	var b bytes.Buffer
	l := &lines{w: &b, look: fetchingLook("x")}
	l.show(figures{Bytes: 100})
	if b.Len() > 0 {
		t.Errorf("at once: %q", &b)
	}
	l.last = l.last.Add(-lineEvery)
	l.show(figures{Bytes: 100, Done: 50})
	l.show(figures{Bytes: 100, Done: 60})
	if got, want := b.String(), "50% of 100 B, 0 B/s, no peers\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	b.Reset()
	(&lines{w: &b, look: sharingLook(), last: time.Unix(0, 0)}).show(figures{Bytes: 100})
	if b.Len() > 0 {
		t.Errorf("of what is only shared: %q", &b)
	}
}

func TestEvents(t *testing.T) {
	var out, stderr bytes.Buffer
	d := (&screen{streams: streams{&out, &stderr}, json: true}).open(fetchingLook("x"))
	d.show(figures{})
	d.(*events).last = time.Now().Add(-eventEvery)
	for range 3 {
		d.show(figures{Bytes: 2, Peers: peerCounts{WebSeed: 1}})
	}
	d.close()
	want := `{"event":"progress","bytes":2,"bytesDone":0,"downloadSpeed":0,"uploadSpeed":0,"uploaded":0,"peers":{"browser":0,"tcp":0,"utp":0,"webSeed":1}}` + "\n"
	if out.String() != want || stderr.Len() > 0 {
		t.Errorf("%q and %q, want %q", &out, &stderr, want)
	}
}

// On a terminal; that it can be closed at any moment is what matters.
func TestBar(t *testing.T) {
	for _, seeding := range []bool{false, true} {
		var b bytes.Buffer
		l := fetchingLook("\x1b]0;name")
		if seeding {
			l = sharingLook()
		}
		d := newBar(&b, l)
		d.show(figures{Bytes: 100, Done: 50, Uploaded: 7000})
		if _, err := d.Write([]byte("a line beside it\n")); err != nil {
			t.Error(err)
		}
		d.close()
		want := []string{"a line beside it", "50% of 100 B", "]0;name"}
		if seeding {
			want = []string{"a line beside it", "7.0 kB sent"}
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%q is not in %q", w, &b)
			}
		}
		if strings.Contains(b.String(), "\x1b]") {
			t.Errorf("an escape of a stranger's came through: %q", &b)
		}
	}
}
