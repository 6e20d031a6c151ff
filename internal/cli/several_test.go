package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"mime"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// begin runs a command until the test ends, and returns the first line that it prints to stdout, or to stderr.
func begin(t *testing.T, toErr bool, args ...string) string {
	t.Helper()
	r, w := io.Pipe()
	out, stderr := io.Writer(w), io.Discard
	if toErr {
		out, stderr = stderr, out
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, args, out, stderr)
		_ = w.Close()
	}()
	t.Cleanup(func() {
		stop()
		go func() { _, _ = io.Copy(io.Discard, r) }()
		if code := <-ended; code != 0 {
			t.Errorf("%s: exit code %d", args[0], code)
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("%s says %q, %v", args[0], line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return strings.TrimSuffix(line, "\n")
}

// A private link to several things is followed to each of them, and nothing is left of the list. A public one is to a file
// like any other: what strangers can see is not to name keys.
func TestSeveralThings(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{
		"XDG_DATA_HOME": filepath.Join(dir, "data"), "STARLING_LISTEN": "127.0.0.1:0", "STARLING_LAN": "false", "STARLING_DHT": "false",
	} {
		t.Setenv(name, value)
	}
	if err := mime.AddExtensionType(".starling-links", bundleType); err != nil {
		t.Fatal(err)
	}
	server := func() string {
		_, url, _ := strings.Cut(begin(t, true, "serve", "--addr", "127.0.0.1:0"), "Starling is at ")
		return url
	}
	url, other := server(), server()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var list struct {
		Links []string `json:"links"`
	}
	part := func(name string, flags ...string) string {
		_, part, _ := strings.Cut(begin(t, false, append([]string{"share", "--no-webrtc", file(name, "this is "+name)}, flags...)...), "#")
		return part
	}
	// As the page writes them: what is found by another tracker names it, and what is public has no key.
	elsewhere := "&tr=" + neturl.QueryEscape(other+"/announce")
	list.Links = []string{
		part("a.txt", "--server", url), part("b.txt", "--server", other) + elsewhere, part("c.txt", "--server", url, "--public"),
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	path := file("all.starling-links", string(text))
	for _, c := range []struct {
		share []string
		into  []string // folders that are there, or names of some
		want  string
	}{
		{nil, []string{t.TempDir(), filepath.Join(t.TempDir(), "called")}, "a.txt b.txt c.txt"},
		{[]string{"--public"}, []string{t.TempDir()}, "all.starling-links"},
	} {
		link := begin(t, false, append([]string{"share", "--server", url, "--no-webrtc", path}, c.share...)...)
		for _, into := range c.into {
			var out, stderr strings.Builder
			if code := Run(t.Context(), []string{"get", "--no-webrtc", "-o", into, link}, &out, &stderr); code != 0 {
				t.Fatalf("exit code %d: %s", code, &stderr)
			}
			entries, err := os.ReadDir(into)
			var names, paths []string
			for _, e := range entries {
				names, paths = append(names, e.Name()), append(paths, filepath.Join(into, e.Name()))
			}
			if got := strings.Join(names, " "); err != nil || got != c.want || strings.TrimSpace(out.String()) != strings.Join(paths, "\n") {
				t.Errorf("%v: there is %s, %v, and it says %q", c.share, got, err, &out)
			}
		}
		if c.share != nil {
			continue
		}
		for _, one := range [][]string{{"get", "-o", "-"}, {"stream"}} { // what is for one file
			ctx, stop := context.WithCancel(t.Context())
			var stderr strings.Builder
			code := Run(ctx, append(one, "--no-webrtc", link), writer(stop), &stderr)
			if stop(); code != exitUsage || !strings.Contains(stderr.String(), "several memos: 'starling get' fetches all of them") {
				t.Errorf("%v: exit code %d: %s", one, code, &stderr)
			}
		}
	}
}

// writer is told that something is written.
type writer func()

func (w writer) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}
