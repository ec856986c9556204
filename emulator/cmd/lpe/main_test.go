package main

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/phone-edition/lpe/emulator/labpool/manage"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lpe": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ready": waitReady, "terminate": terminate},
	})
}

const readyWithin = 20 * time.Second

// waitReady is `ready FILE` in a script: it waits for the ready file of a pool and puts the port of each service that
// handsets are told into the variable of its name: HTTPS, SIP_TLS.
func waitReady(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: ready FILE")
	}
	deadline := time.Now().Add(readyWithin)
	for {
		ready, err := manage.ReadReady(ts.MkAbs(args[0]))
		if err != nil {
			if time.Now().After(deadline) {
				ts.Fatalf("%v", err)
			}
			time.Sleep(10 * time.Millisecond)
			continue
		}
		seen := map[string]bool{}
		ts.Setenv("CA", ready.CA)
		for _, a := range ready.Addresses {
			if seen[a.Service] {
				continue
			}
			seen[a.Service] = true
			_, port, err := net.SplitHostPort(a.Address)
			ts.Check(err)
			ts.Setenv(strings.ToUpper(strings.ReplaceAll(a.Service, "-", "_")), port)
		}
		return
	}
}

// terminate is `terminate` in a script: SIGTERM to what runs in the background.
func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	for _, c := range ts.BackgroundCmds() {
		if c.ProcessState == nil {
			ts.Check(c.Process.Signal(syscall.SIGTERM))
		}
	}
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
