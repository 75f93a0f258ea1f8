package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/siltstonedb/siltstone/manifest"
	"github.com/spf13/cobra"
)

func (t *tool) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of the tool, and the file format that it knows",
		Long:  "Show the version of the tool and of Go, and the newest file format it reads.",
		Example: `  siltstone version
  siltstone version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			version, revision := built()
			if t.json {
				j := t.out.object()
				j.Text("version", version)
				j.Text("revision", revision)
				j.Text("go", runtime.Version())
				j.Int("format", manifest.FormatVersion)
				return t.out.write()
			}
			t.out.printf("siltstone %s%s\n", version, revision)
			t.out.printf("format %d, %s, %s/%s\n", manifest.FormatVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// built returns the version of the module that the tool was built from, and the commit if
// that is known.
func built() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", ""
	}
	version = info.Main.Version
	if version == "" {
		version = "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = fmt.Sprintf(" (%.12s)", s.Value)
		}
	}
	return version, revision
}
