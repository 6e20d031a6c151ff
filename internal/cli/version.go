package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type version struct{}

// versionName is the module's version, or the commit that it was built from.
func versionName() string {
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
	return name
}

// Run prints one line.
func (version) Run(s streams) error {
	_, err := fmt.Fprintf(s.out, "starling %s (%s, %s/%s)\n", versionName(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
