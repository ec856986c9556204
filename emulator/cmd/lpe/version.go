package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// release is set by a release build: -ldflags "-X main.release=1.2.3".
var release string

func versionCommand(sys system) *cobra.Command {
	return command("version", "Print the version", "version prints the version of lpe, the commit that it was built from if the build knows it, the Go version and the system.",
		"  lpe version",
		func(*cobra.Command, []string) error {
			info, _ := debug.ReadBuildInfo()
			_, err := fmt.Fprintln(sys.out, versionText(release, info))
			return err
		})
}

// versionText is the version in one line. Neither a release nor a build with version control is needed.
func versionText(release string, info *debug.BuildInfo) string {
	version, commit := release, ""
	if info != nil {
		if version == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = strings.TrimPrefix(info.Main.Version, "v")
		}
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if revision := settings["vcs.revision"]; revision != "" {
			commit = " commit " + revision[:min(len(revision), 12)]
			if settings["vcs.modified"] == "true" {
				commit += " and changes"
			}
		}
	}
	if version == "" {
		version = "development"
	}
	return fmt.Sprintf("lpe %s%s %s %s/%s", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
