package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type version struct{}

// Run prints one line: the module's version, or the commit that it was built from.
func (version) Run(s streams) error {
	name := "development"
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			name = v
		}
		for _, kv := range info.Settings {
			if kv.Key == "vcs.revision" && name == "development" {
				name = kv.Value[:min(12, len(kv.Value))]
			}
		}
	}
	_, err := fmt.Fprintf(s.out, "starling %s (%s, %s/%s)\n", name, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
