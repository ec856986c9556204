// Command lpe is a Lync Phone Edition handset in software, and a lab pool to boot it against.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"

	"github.com/phone-edition/lpe/emulator/rig"
	scenariorun "github.com/phone-edition/lpe/scenarios/run"
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(rig.GCPercent)
	}
	if scenariorun.InVirtualTime(os.Getenv) {
		scenariorun.ServeVirtualTime(os.Stdin, os.Stdout)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for the sign-off
	code := run(ctx, os.Args[1:], system{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv, askSecret: askSecret,
		errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	})
	stop()
	os.Exit(code)
}
