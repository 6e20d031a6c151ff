package mimetypes

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A file is the same to who shares it from a machine and to who does from a page.
func TestPagesHaveTheSame(t *testing.T) {
	source, err := os.ReadFile("../../web/engine/swarm/content.ts")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`'(\w+/[\w.+-]+)((?: \w+)+)'`).FindAllSubmatch(source, -1)
	if len(lines) < 20 {
		t.Fatalf("%d types were found in content.ts", len(lines))
	}
	for _, line := range lines {
		for _, end := range strings.Fields(string(line[2])) {
			if got, _, _ := strings.Cut(types["."+end], ";"); got != string(line[1]) {
				t.Errorf(".%s: %q, in pages %q", end, got, line[1])
			}
		}
	}
}

func TestOf(t *testing.T) {
	for name, want := range map[string]string{
		"a/FILM.MP4": "video/mp4", "index.html": "text/html; charset=utf-8", "README": "", "a.nobody-knows": "", "": "",
	} {
		if got := Of(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
