package house

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// crowd is of how many files a room may be without a map.
const crowd = 12

// Maps returns which files of crowded rooms nobody is led to: there, the comments with which files open name each other
// one. What differs by system alone is named once, for one of them.
func Maps(tree fs.FS) (problems []string, err error) {
	rooms := map[string]map[string]string{} // by folder, by file: the comment with which it opens
	for _, ext := range []string{".go", ".ts"} {
		err := walk(tree, ext, func(name, source string) {
			dir, file := path.Split(name)
			if ext == ".go" && (goTests[path.Clean(dir)] || strings.HasSuffix(file, "_test.go")) ||
				ext == ".ts" && (!strings.HasPrefix(dir, "web/") || isTest(file) || strings.HasSuffix(file, ".d.ts")) {
				return
			}
			if rooms[dir] == nil {
				rooms[dir] = map[string]string{}
			}
			rooms[dir][file] = head(source, ext)
		})
		if err != nil {
			return nil, err
		}
	}
	for dir, heads := range rooms {
		if len(heads) <= crowd {
			continue
		}
		led := map[string]bool{}
		for file, text := range heads {
			for _, m := range source.FindAllStringSubmatch(text, -1) {
				if !strings.Contains(m[1], "/") {
					led[stem(m[1])], led[stem(file)] = true, true // a map leads to itself
				}
			}
		}
		for file := range heads {
			if !led[stem(file)] {
				problems = append(problems, fmt.Sprintf("%s%s: no file there opens with a comment that leads to it, and there are more than %d", dir, file, crowd))
			}
		}
	}
	return problems, nil
}

// head is the comment with which a file opens.
func head(source, ext string) string {
	if ext == ".go" {
		text, _, _ := strings.Cut("\n"+source, "\npackage ")
		return text
	}
	if !opens(source) {
		return ""
	}
	text, _, _ := strings.Cut(source, "*/")
	return text
}

// stem is a file's name without what tells it apart from those of other systems, or of other parts of the same.
func stem(file string) string {
	name, _, _ := strings.Cut(strings.TrimSuffix(file, path.Ext(file)), "_")
	return name + path.Ext(file)
}
