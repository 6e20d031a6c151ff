package house

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/architecture.md names each room that is there, and none that is not.
func TestRoomsOfThePage(t *testing.T) {
	tree := os.DirFS("../..")
	page, err := fs.ReadFile(tree, "docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```\n")
	block, _, _ = strings.Cut(block, "```\n")
	named := map[string]bool{}
	var above []string // the folders that a line lies in, by how far it is indented
	for _, m := range regexp.MustCompile(`(?m)^((?:  ){0,2})([\w/]+)/ `).FindAllStringSubmatch(block, -1) {
		above = append(above[:len(m[1])/2], m[2])
		named[path.Join(above...)] = true
	}
	for _, m := range regexp.MustCompile(`\b(?:bench|e2e)/\w+`).FindAllString(block, -1) {
		named[m] = true
	}
	for room := range named {
		if info, err := fs.Stat(tree, room); err != nil || !info.IsDir() {
			t.Errorf("there is no room %s", room)
		}
	}
	for _, ext := range []string{".go", ".ts"} {
		if err := walk(tree, ext, func(name, _ string) {
			room := path.Dir(name)
			if inner := path.Dir(room); strings.HasPrefix(room, "web/") && !strings.HasPrefix(room, "web/engine/") && inner != "web" {
				room = inner // pages and the like are furniture
			}
			if (ext == ".go" || strings.HasPrefix(room, "web/")) && !named[room] {
				named[room] = true
				t.Errorf("%s is not among the rooms", room)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(named) < 50 {
		t.Errorf("only %d rooms were found", len(named))
	}
}

// What the documents say of metrics, such as `starling_relay_bytes_total{to="peers"}`, `…_open` or `_http_…_total`, is so, and
// each metric is among it.
func TestMetricsOfDocuments(t *testing.T) {
	tree := os.DirFS("../..")
	var metrics []string
	quoted := regexp.MustCompile(`"(starling_[a-z_]+)"`)
	if err := walk(tree, ".go", func(name, source string) {
		for _, m := range quoted.FindAllStringSubmatch(source, -1) {
			if !strings.HasSuffix(name, "_test.go") && !slices.Contains(metrics, m[1]) {
				metrics = append(metrics, m[1])
			}
		}
	}); err != nil || len(metrics) < 40 {
		t.Fatalf("%d metrics, %v", len(metrics), err)
	}
	told := map[string]bool{}
	said := regexp.MustCompile("`((?:starling)?[…_][a-z…_]+)(?:\\{[^`]*)?`")
	if err := walk(tree, ".md", func(name, page string) {
		for _, m := range said.FindAllStringSubmatch(page, -1) {
			is := regexp.MustCompile("^(?:starling_[a-z_]*)?" + strings.ReplaceAll(m[1], "…", "[a-z_]*") + "$")
			found := false
			for _, metric := range metrics {
				if is.MatchString(metric) {
					found = true
					told[metric] = told[metric] || !strings.HasSuffix(m[1], "…") // that is but a pointer
				}
			}
			if !found {
				t.Errorf("%s speaks of %s, which is no metric", name, m[1])
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, metric := range metrics {
		if !told[metric] {
			t.Errorf("no page speaks of %s", metric)
		}
	}
}

// docs/engine.md names all that pages can say to the engine, and all that it tells them: options, states, codes of errors.
func TestWordsOfTheEngine(t *testing.T) {
	tree := os.DirFS("../..")
	page, err := fs.ReadFile(tree, "docs/engine.md")
	if err != nil {
		t.Fatal(err)
	}
	types, err := fs.ReadFile(tree, "web/engine/types.ts")
	if err != nil {
		t.Fatal(err)
	}
	errs, err := fs.ReadFile(tree, "web/engine/errors.ts")
	if err != nil {
		t.Fatal(err)
	}
	code := strings.Join(regexp.MustCompile("`[^`]+`").FindAllString(fenced.ReplaceAllString(string(page), ""), -1), " ")
	words := regexp.MustCompile(`(?m)^  (\w+)\??: `).FindAllStringSubmatch(string(types), -1)
	words = append(words, regexp.MustCompile(`(?m)^  \| '([\w-]+)'`).FindAllStringSubmatch(string(errs), -1)...)
	for _, w := range words {
		if !regexp.MustCompile(`\b` + w[1] + `\b`).MatchString(code) {
			t.Errorf("docs/engine.md does not speak of %s", w[1])
		}
	}
	if len(words) < 70 {
		t.Errorf("only %d words were found", len(words))
	}
}
