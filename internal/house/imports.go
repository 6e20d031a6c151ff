package house

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

const module = "github.com/starling-p2p/starling/"

var goLayers = layers{
	{"cmd/starling"},
	{"internal/cli"},
	{"edge"},
	{"internal/httpd", "web", "peer"},
	{"cluster"},
	{"tracker/ws", "tracker/http", "tracker/udp", "rendezvous"},
	{"tracker/gate", "tracker/near"},
	{"tracker", "link", "relay", "seal", "cluster/natsbus"},
	{"internal/history", "internal/loopback", "internal/names", "internal/load", "internal/watched"},
}

// Packages that only tests use, and this one.
var goTests = map[string]bool{"internal/testnet": true, "internal/house": true, "bench/relay": true, "bench/peer": true, "bench/raw": true, "bench/edge": true, "bench/scale": true, "e2e/machine": true}

// Go returns what is wrong with the Go packages in the tree.
func Go(tree fs.FS) (problems []string, err error) {
	documented := map[string]bool{}
	err = walk(tree, ".go", func(name, source string) {
		f, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			problems = append(problems, err.Error())
			return
		}
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		room := path.Dir(name)
		documented[room] = documented[room] || f.Doc != nil && len(f.Doc.Text()) > 40
		if goTests[room] {
			return
		}
		if goLayers.level(room) < 0 {
			problems = append(problems, fmt.Sprintf("%s is in no layer: give it its place here and in docs/architecture.md", room))
			return
		}
		for _, i := range f.Imports {
			target, _ := strconv.Unquote(i.Path.Value) // the parser has accepted it
			if to, ours := strings.CutPrefix(target, module); ours && !goLayers.allows(room, to) {
				problems = append(problems, fmt.Sprintf("%s imports %s, which is not below it", name, to))
			}
		}
	})
	for room, ok := range documented {
		if !ok {
			problems = append(problems, fmt.Sprintf("%s has no package comment that says what it is for", room))
		}
	}
	return problems, err
}
