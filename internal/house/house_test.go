package house

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestThisHouse(t *testing.T) {
	root := os.DirFS("../..")
	if _, err := fs.Stat(root, "go.mod"); err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func(fs.FS) ([]string, error){"Go": Go, "TypeScript": TypeScript, "mentions": Mentions, "maps": Maps} {
		t.Run(name, func(t *testing.T) {
			problems, err := check(root)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				t.Error(p)
			}
		})
	}
}

// The guard itself: what is wrong is found, and nothing else.
func TestGuard(t *testing.T) {
	const doc = "// Package x has a comment that is long enough to say something.\npackage x\n"
	for _, c := range []struct {
		name, file, source string
		want               string // "" when it is fine
	}{
		{"down", "internal/httpd/a.go", doc + `import "github.com/starling-p2p/starling/tracker/ws"`, ""},
		{"up", "tracker/a.go", doc + `import _ "github.com/starling-p2p/starling/tracker/ws"`, "imports tracker/ws, which is not below"},
		{"beside", "internal/httpd/a.go", doc + `import "github.com/starling-p2p/starling/web"`, "imports web, which is not below"},
		{"testnet in a program", "internal/cli/a.go", doc + `import "github.com/starling-p2p/starling/internal/testnet"`, "imports internal/testnet"},
		{"testnet in a test", "tracker/a_test.go", `package x; import "github.com/starling-p2p/starling/internal/testnet"`, ""},
		{"a package unheard of", "attic/a.go", doc, "attic is in no layer"},
		{"no package comment", "tracker/a.go", "package x", "no package comment"},
		{"exported and undocumented", "tracker/a.go", doc + "func New() {}", "New has no comment"},
		{"its methods", "tracker/a.go", doc + "func (s *Store[C]) Len() {}\nfunc (s *store) Len() {}", "Len has no comment"},
		{"an interface's", "tracker/a.go", doc + "func (s *store[C]) Len() {}", ""},
		{"in a group", "tracker/a.go", doc + "const (\n\tA = 1 // Said beside it.\n\tB = 2\n)", "B has no comment"},
		{"with a comment", "tracker/a.go", doc + "// Both are said.\nconst (\n\tA = 1\n\tB = 2\n)\n\n// T is, too.\ntype T int", ""},
		{"other people's", "node_modules/x/a.go", "package x", ""},

		{"down", "web/memos/pages/a.ts", `import { x } from '../../ui/x.ts'`, ""},
		{"up", "web/ui/a.ts", `import { x } from '../memos/x.ts'`, "imports web/memos/x.ts, which is not below"},
		{"up, for types, over several lines", "web/ui/a.ts", "import type {\n  x,\n} from '../memos/x.ts'", "which is not below"},
		{"up, later", "web/ui/a.ts", `const x = await import('../app/x.ts')`, "which is not below"},
		{"up, passed on", "web/ui/a.ts", `export * from '../app/x.ts'`, "which is not below"},
		{"the engine by its name", "web/memos/a.ts", `import { Starling } from 'starling'`, ""},
		{"the engine's inside", "web/memos/a.ts", `import { Wire } from '../engine/wire/wire.ts'`, "keeps to itself"},
		{"a library in an app", "web/ui/a.ts", `import { html } from 'lit'`, ""},
		{"a library in the engine", "web/engine/types.ts", `import { html } from 'lit'`, "no dependencies"},
		{"within the engine, down", "web/engine/swarm/a.ts", "// Says what it is for.\nimport { x } from '../wire/x.ts'", ""},
		{"within the engine, up", "web/engine/wire/a.ts", "// Says what it is for.\nimport { x } from '../swarm/x.ts'", "which is not below"},
		{"within the engine, to the bottom", "web/engine/torrent/a.ts", "// Says what it is for.\nimport { x } from '../anything.ts'", ""},
		{"within the engine, from the bottom", "web/engine/anything.ts", `import { x } from './torrent/x.ts'`, "which is not below"},
		{"in a test", "web/engine/wire/a.test.ts", `import { x } from '../swarm/x.ts'`, ""},
		{"in prose", "web/ui/a.ts", "// taken from '../memos/x.ts'\nexport const a = 1", ""},
		{"the service worker and the protocol", "web/sw/a.ts", `import { x } from '../engine/stream/protocol.ts'`, ""},
		{"the service worker and types", "web/sw/a.ts", `import { x } from '../engine/types.ts'`, "knows only"},
		{"a folder without a comment", "web/engine/wire/a.ts", "import { x } from '../bytes.ts'\nexport const y = x", "opens with a comment"},
		{"a comment after imports", "web/engine/wire/a.ts", "import { x } from '../bytes.ts'\nimport {\n y } from '../types.ts'\n\n/** What it is for. */\nexport const z = x", ""},
		{"a room unheard of", "web/attic/a.ts", "", "is in no layer"},
	} {
		check := Go
		if strings.HasSuffix(c.file, ".ts") {
			check = TypeScript
		}
		problems, err := check(fstest.MapFS{c.file: {Data: []byte(c.source)}})
		if err != nil {
			t.Fatal(err)
		}
		if found := slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, c.want) }); c.want == "" && len(problems) > 0 || c.want != "" && !found {
			t.Errorf("%s, %s: got %q, want %q", c.file, c.name, problems, c.want)
		}
	}
}

// In a crowded room comments lead to every file.
func TestMaps(t *testing.T) {
	tree := fstest.MapFS{
		"link/link.go":       {Data: []byte("// Package link is led through by a.go, b.go, c.go, d.go, e.go,\n// f.go, g.go, port_linux.go and web/ui/k.go.\npackage link")},
		"link/h.go":          {Data: []byte("// i.go is not its business.\npackage link\n\n// Nor is j.go.")},
		"link/port_linux.go": {Data: []byte("package link")},
		"link/port_other.go": {Data: []byte("package link")},
		"link/l_test.go":     {Data: []byte("package link")},
		"web/ui/ui.ts":       {Data: []byte("import { b } from './m.ts'\n\n/** All of it: n.ts p.ts q.ts r.ts s.ts t.ts u.ts v.ts w.ts x.ts y.ts z.ts */\nexport const a = b\n// And o.ts.")},
	}
	for _, name := range strings.Split("abcdefgijk", "") {
		tree["link/"+name+".go"] = &fstest.MapFile{Data: []byte("package link")}
		tree["web/ui/"+name+".test.ts"] = &fstest.MapFile{}
		tree["peer/"+name+".go"] = &fstest.MapFile{Data: []byte("package peer")} // few enough
	}
	for _, name := range strings.Split("mnopqrstuvwxyz", "") {
		tree["web/ui/"+name+".ts"] = &fstest.MapFile{Data: []byte("export const b = 1")}
	}
	problems, err := Maps(tree)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(problems)
	want := []string{"link/j.go", "link/k.go", "web/ui/m.ts", "web/ui/o.ts"}
	if !slices.EqualFunc(problems, want, func(p, name string) bool { return strings.HasPrefix(p, name+":") }) {
		t.Errorf("got %q, want %q", problems, want)
	}
}

// What comments lead to.
func TestMentions(t *testing.T) {
	problems, err := Mentions(fstest.MapFS{
		"docs/x.md":      {Data: []byte("# X\n\n## One\n\n## Two words\n")},
		"peer/here.go":   {Data: []byte("package peer")},
		"web/ui/mark.ts": {Data: []byte("export const a = 1")},
		"peer/a.go": {Data: []byte("// As here.go, ui/mark.ts and mark.ts have it (docs/x.md, \"One\" and \"Two\n// words\"); and gone.go.\n" +
			"// More in docs/x.md, \"Three\". Of cluster.go, but link/b.go.\npackage peer\nconst said = \"nothing.go\"")},
		"link/b.go":          {Data: []byte("package link\n// Of peer/here.go; here.go, docs/y.md, \"One\"")},
		"cluster/cluster.go": {Data: []byte("package cluster")},
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(problems)
	want := []string{
		"link/b.go speaks of docs/y.md", "link/b.go speaks of here.go", `peer/a.go speaks of "Three" in docs/x.md`,
		"peer/a.go speaks of cluster.go", "peer/a.go speaks of gone.go",
	}
	if !slices.EqualFunc(problems, want, strings.HasPrefix) {
		t.Errorf("got %q, want %q", problems, want)
	}
}
