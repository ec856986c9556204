package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lpe": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true})
}

func TestJoinLab(t *testing.T) {
	for _, test := range []struct{ in, want []string }{
		{[]string{"boot", "--lab"}, []string{"boot", "--lab"}},
		{[]string{"boot", "--lab", "contoso", "-v"}, []string{"boot", "--lab=contoso", "-v"}},
		{[]string{"boot", "--lab", "-v"}, []string{"boot", "--lab", "-v"}},
		{[]string{"boot", "--lab=x.yaml"}, []string{"boot", "--lab=x.yaml"}},
	} {
		got := joinLab(test.in)
		if len(got) != len(test.want) {
			t.Errorf("%q gives %q, want %q", test.in, got, test.want)
			continue
		}
		for i := range got {
			if got[i] != test.want[i] {
				t.Errorf("%q gives %q, want %q", test.in, got, test.want)
			}
		}
	}
}
