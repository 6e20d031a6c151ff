// Package house guards how the house is built: docs/architecture.md in the form of a test. It reads the sources as they
// lie in the tree and says where one imports from a room above it, and which rooms do not say what they are for.
//
//	Go:          imports.go, by go/parser
//	TypeScript:  typescript.go, by what an import statement looks like
//	comments:    mentions.go: what they lead to is there; maps.go: in crowded rooms they lead to every file
//
// Tests, and what only tests use (testnet, testing.ts, sample.ts), may reach anywhere.
package house

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// walk calls f with each source file, but not with other people's, nor with what was built.
func walk(tree fs.FS, ext string, f func(name, source string)) error {
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if base == "node_modules" || base == "testdata" || name == "web/built" || strings.HasPrefix(base, ".") && name != "." {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ext {
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		f(name, string(source))
		return nil
	})
}

// layers are rooms from the top of the house to its bottom. Rooms of one layer do not know each other.
type layers [][]string

// level is 0 at the top, and -1 for a room that is in no layer.
func (l layers) level(room string) int {
	for i, layer := range l {
		for _, r := range layer {
			if r == room {
				return i
			}
		}
	}
	return -1
}

// allows says whether a room may import from another one.
func (l layers) allows(from, to string) bool {
	return from == to || l.level(from) < l.level(to)
}
