package main

import (
	"regexp"
	"runtime/debug"
	"testing"
)

func TestVersionText(t *testing.T) {
	const rest = ` go\S+ \w+/\w+$`
	for _, test := range []struct {
		release, main, revision, modified string
		none                              bool
		want                              string
	}{
		{none: true, want: `^lpe development` + rest},
		{want: `^lpe development` + rest},
		{main: "(devel)", want: `^lpe development` + rest},
		{main: "v1.2.3", want: `^lpe 1\.2\.3` + rest},
		{release: "2.0.0", main: "v1.2.3", want: `^lpe 2\.0\.0` + rest},
		{release: "2.0.0", none: true, want: `^lpe 2\.0\.0` + rest},
		{main: "(devel)", revision: "0123456789abcdef", want: `^lpe development commit 0123456789ab` + rest},
		{main: "(devel)", revision: "0123", modified: "true", want: `^lpe development commit 0123 and changes` + rest},
	} {
		info := &debug.BuildInfo{}
		info.Main.Version = test.main
		if test.revision != "" {
			info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: test.revision}, {Key: "vcs.modified", Value: test.modified}}
		}
		if test.none {
			info = nil
		}
		if got := versionText(test.release, info); !regexp.MustCompile(test.want).MatchString(got) {
			t.Errorf("%+v: %q", test, got)
		}
	}
}
