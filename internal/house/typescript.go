package house

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// The rooms of web/. A file right in web/engine is a room of its own, named without its .ts; one that is not named here
// belongs to the lowest layer.
var webLayers = layers{
	{"app"},
	{"memos", "files"},
	{"ui"},
	{"edge", "stats"},
	{"sw", "plots"},
	{"engine/index", "engine/parts"},
	{"engine/starling"},
	{"engine/node", "engine/handles", "engine/tabs"},
	{"engine/network", "engine/stream", "engine/swarm"},
	{"engine/rendezvous"},
	{"engine/link", "engine/store", "engine/wire", "engine/seal"},
	{"engine/torrent"},
	{"engine/engine"},
	{lowest},
}

const lowest = "engine/…"

// What those outside the engine may see of it: its front door, plain data, and what pages and service worker say.
var doors = map[string]bool{
	"engine/index.ts": true, "engine/parts.ts": true, "engine/stream/serve.ts": true, "engine/types.ts": true, "engine/emitter.ts": true, "engine/url.ts": true, "engine/stream/protocol.ts": true,
}

// Statements that import: import … from, export … from, import '…', import('…').
var imports = regexp.MustCompile(`(?m)(?:^\s*(?:import|export)\b[^'"` + "`" + `;()=]*\bfrom\s*|^\s*import\s*|\bimport\(\s*)['"]([^'"\n]+)['"]`)

// shared is what tests of several files use.
var shared = map[string]bool{"testing.ts": true, "sample.ts": true}

// TypeScript returns what is wrong with the TypeScript in the tree.
func TypeScript(tree fs.FS) (problems []string, err error) {
	commented := map[string]bool{}
	err = walk(tree, ".ts", func(name, source string) {
		file, ok := strings.CutPrefix(name, "web/")
		if !ok || isTest(name) || !strings.Contains(file, "/") {
			return
		}
		from := room(file)
		if dir := path.Dir(file); strings.HasPrefix(dir, "engine/") {
			commented[dir] = commented[dir] || opens(source)
		}
		if webLayers.level(from) < 0 {
			problems = append(problems, fmt.Sprintf("%s is in no layer: give web/%s its place here and in docs/architecture.md", name, from))
			return
		}
		for _, m := range imports.FindAllStringSubmatch(source, -1) {
			target := m[1]
			switch {
			case target == "starling":
				target = "engine/index.ts"
			case strings.HasPrefix(target, "."):
				target = path.Join(path.Dir(file), target)
			case strings.HasPrefix(from, "engine/") || from == "sw" || from == "edge":
				problems = append(problems, fmt.Sprintf("%s imports %s: it goes into other people's pages and has no dependencies", name, target))
				continue
			default:
				continue
			}
			if path.Ext(target) != ".ts" {
				continue // a style sheet
			}
			to := room(target)
			switch {
			case !webLayers.allows(from, to):
				problems = append(problems, fmt.Sprintf("%s imports web/%s, which is not below it", name, target))
			case !strings.HasPrefix(from, "engine/") && strings.HasPrefix(to, "engine/") && !doors[target]:
				problems = append(problems, fmt.Sprintf("%s imports web/%s, which the engine keeps to itself", name, target))
			case from == "sw" && to != "sw" && target != "engine/stream/protocol.ts":
				problems = append(problems, fmt.Sprintf("%s imports web/%s: the service worker knows only engine/stream/protocol.ts", name, target))
			}
		}
	})
	for dir, ok := range commented {
		if !ok {
			problems = append(problems, fmt.Sprintf("web/%s: none of its files opens with a comment that says what the folder is for", dir))
		}
	}
	return problems, err
}

func isTest(name string) bool {
	return strings.HasSuffix(name, ".test.ts") || shared[path.Base(name)]
}

// room names the room of a file, which is given by its path below web/.
func room(file string) string {
	parts := strings.Split(file, "/")
	if parts[0] != "engine" {
		return parts[0]
	}
	if len(parts) > 2 {
		return "engine/" + parts[1]
	}
	if own := "engine/" + strings.TrimSuffix(parts[1], ".ts"); webLayers.level(own) >= 0 {
		return own
	}
	return lowest
}

// Imports before the first comment do no harm.
var leading = regexp.MustCompile(`^(?:\s*import\b[^'"]*['"][^'"]+['"];?)*\s*`)

func opens(source string) bool {
	rest := source[len(leading.FindString(source)):]
	return strings.HasPrefix(rest, "/**") || strings.HasPrefix(rest, "//")
}
