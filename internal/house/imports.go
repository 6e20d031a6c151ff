package house

import (
	"fmt"
	"go/ast"
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
	{"tracker", "link", "relay", "seal", "cluster/natsbus", "internal/egress"},
	{"internal/ctime", "internal/history", "internal/loopback", "internal/mimetypes", "internal/names", "internal/outward", "internal/pionlog", "internal/tunnel", "internal/load", "internal/watched"},
}

// Packages that only tests use, and this one.
var goTests = map[string]bool{"internal/testnet": true, "internal/house": true, "bench/relay": true, "bench/peer": true, "bench/raw": true, "bench/edge": true, "bench/scale": true, "e2e/machine": true}

// Go returns what is wrong with the Go packages in the tree.
func Go(tree fs.FS) (problems []string, err error) {
	documented := map[string]bool{}
	err = walk(tree, ".go", func(name, source string) {
		f, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments|parser.SkipObjectResolution)
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
		for _, n := range undocumented(f) {
			problems = append(problems, fmt.Sprintf("%s: %s has no comment that says what it is for", name, n))
		}
	})
	for room, ok := range documented {
		if !ok {
			problems = append(problems, fmt.Sprintf("%s has no package comment that says what it is for", room))
		}
	}
	return problems, err
}

// undocumented are the exported names of a file without a comment, before or beside them. A group's comment is for all in
// it; methods of types that are not exported are there for interfaces, which say what they do.
func undocumented(f *ast.File) (names []string) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || receiver(d).IsExported()) {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			if d.Doc != nil {
				continue
			}
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && s.Doc == nil && s.Comment == nil {
						names = append(names, s.Name.Name)
					}
				case *ast.ValueSpec:
					if s.Names[0].IsExported() && s.Doc == nil && s.Comment == nil {
						names = append(names, s.Names[0].Name)
					}
				}
			}
		}
	}
	return names
}

// receiver is the type whose method it is.
func receiver(f *ast.FuncDecl) *ast.Ident {
	t := f.Recv.List[0].Type
	for {
		switch of := t.(type) {
		case *ast.StarExpr:
			t = of.X
		case *ast.IndexExpr:
			t = of.X
		case *ast.IndexListExpr:
			t = of.X
		default:
			return t.(*ast.Ident)
		}
	}
}
