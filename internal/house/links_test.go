package house

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unsaid  = regexp.MustCompile(`[^\p{L}\p{N}\-_ ]`)
)

// anchors are what GitHub makes of a page's headings.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		all[strings.ReplaceAll(unsaid.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return all
}

// Each link from one page of the documents to another leads to a file, and to a heading, that is there.
func TestLinksOfDocuments(t *testing.T) {
	tree := os.DirFS("../..")
	found := 0
	err := walk(tree, ".md", func(name, page string) {
		for _, l := range link.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
			if strings.Contains(l[1], "://") {
				continue
			}
			found++
			file, anchor, _ := strings.Cut(l[1], "#")
			to := name
			if file != "" {
				to = path.Join(path.Dir(name), file)
			}
			if _, err := fs.Stat(tree, to); err != nil {
				t.Errorf("%s links to %s: %v", name, l[1], err)
				continue
			}
			if anchor == "" {
				continue
			}
			if there, err := fs.ReadFile(tree, to); err != nil || !anchors(string(there))[anchor] {
				t.Errorf("%s links to %s: there is no such heading (%v)", name, l[1], err)
			}
		}
	})
	if err != nil || found < 50 {
		t.Errorf("%d links were found, %v", found, err)
	}
}
