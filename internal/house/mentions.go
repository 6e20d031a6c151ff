package house

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	// comment is a line of one, in Go and in TypeScript.
	comment = regexp.MustCompile(`(?m)(?:^|\s)(?://|/\*\*?|\*)\s(.*)$`)
	// leader is what begins the next line of one: a title may go over it.
	leader = regexp.MustCompile(`\n\s*(?://|\*)\s`)
	source = regexp.MustCompile(`(?:^|[^\w@./-])((?:[\w-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:go|ts))\b`)
	// titles are those of one page: docs/protocol.md, "Links" and "Seals".
	titles = regexp.MustCompile(`docs/(\w+)\.md,((?:\s(?:and )?"[^"]+",?)+)`)
	title  = regexp.MustCompile(`"([^"]+)"`)
	heads  = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// Mentions returns which comments name a source file, or a heading of the documents, that is not there. A Go file is
// named from its own folder or by more of its path; a TypeScript file by its name, wherever it is.
func Mentions(tree fs.FS) (problems []string, err error) {
	sources := map[string]string{}
	for _, ext := range []string{".go", ".ts"} {
		if err := walk(tree, ext, func(name, text string) { sources[name] = text }); err != nil {
			return nil, err
		}
	}
	there := func(from, name string) bool {
		if sources[path.Join(path.Dir(from), name)] != "" || strings.HasSuffix(name, ".d.ts") {
			return true
		}
		if !strings.Contains(name, "/") && path.Ext(name) == ".go" {
			return false
		}
		for s := range sources {
			if strings.HasSuffix("/"+s, "/"+name) {
				return true
			}
		}
		return false
	}
	for name, text := range sources {
		for _, line := range comment.FindAllStringSubmatch(text, -1) {
			for _, m := range source.FindAllStringSubmatch(line[1], -1) {
				if !there(name, m[1]) {
					problems = append(problems, fmt.Sprintf("%s speaks of %s, which is not there", name, m[1]))
				}
			}
		}
		for _, m := range titles.FindAllStringSubmatch(leader.ReplaceAllString(text, " "), -1) {
			page, err := fs.ReadFile(tree, "docs/"+m[1]+".md")
			if err != nil {
				problems = append(problems, fmt.Sprintf("%s speaks of docs/%s.md: %v", name, m[1], err))
				continue
			}
			for _, t := range title.FindAllStringSubmatch(m[2], -1) {
				wanted := strings.TrimRight(t[1], ".,")
				if !slices.ContainsFunc(heads.FindAllStringSubmatch(string(page), -1), func(h []string) bool { return h[1] == wanted }) {
					problems = append(problems, fmt.Sprintf("%s speaks of %q in docs/%s.md, which has no such heading", name, wanted, m[1]))
				}
			}
		}
	}
	return problems, nil
}
