package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Pages name every flag that a command has, and none that no command has; nor variables of the environment that none reads.
func TestDocumentsNameTheFlags(t *testing.T) {
	named := regexp.MustCompile(`(?:^|[^\w-])--(?:\[no-\]|no-)?([a-z][a-z-]+)`)
	flagsIn := func(text string) map[string]bool {
		all := map[string]bool{}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			all[m[1]] = true
		}
		return all
	}
	page := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	transfers := []string{"commands/README.md"}
	server := []string{"operations.md", "cluster.md", "tracker.md"}
	// Those of other programs: of other trackers, of systemctl and of curl.
	known := flagsIn("--help --version --http --ws --interval --trust-proxy --now --haproxy-protocol")
	documented := map[string][]string{
		"serve": server, "tracker": server, "edge": {"edge.md", "operations.md"}, "bench tracker": {"commands/bench.md"},
		"share": append(transfers, "commands/share.md"), "push": append(transfers, "commands/push.md", "commands/share.md"),
		"get": append(transfers, "commands/get.md"), "stream": append(transfers, "commands/stream.md"), "info": append(transfers, "commands/info.md"),
	}
	for command, pages := range documented {
		var help, text strings.Builder
		if code := Run(t.Context(), append(strings.Fields(command), "--help"), &help, &help); code != 0 {
			t.Fatalf("%s: exit code %d", command, code)
		}
		for _, name := range pages {
			text.WriteString(page(name))
		}
		there := flagsIn(text.String())
		for flag := range flagsIn(help.String()) {
			known[flag] = true
			if !there[flag] && flag != "help" {
				t.Errorf("%s has --%s, which is not in %v", command, flag, pages)
			}
		}
	}
	variable := regexp.MustCompile(`\bSTARLING(?:_[A-Z]+)+`)
	known["cluster-secret"] = true // which is no flag, so that nobody reads it
	for _, pages := range documented {
		for _, name := range append(pages, "relay.md", "scale.md", "engine.md") {
			for _, v := range variable.FindAllString(page(name), -1) {
				if flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(v, "STARLING_"), "_", "-")); !known[flag] {
					t.Errorf("docs/%s names %s, which no command reads", name, v)
				}
			}
			for flag := range flagsIn(page(name)) {
				if !known[flag] {
					t.Errorf("docs/%s names --%s, which no command has", name, flag)
				}
			}
		}
	}
}
