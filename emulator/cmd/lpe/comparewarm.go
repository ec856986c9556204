package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// checkCompare wants only flags that mean something for two boots.
func (f bootFlags) checkCompare(outputs *report.Outputs) error {
	switch {
	case !f.compareWarm:
		return nil
	case f.stay:
		return usage("--compare-warm and --stay exclude each other")
	case f.allAddresses:
		return usage("--compare-warm and --all-addresses exclude each other")
	case f.capture != "":
		return usage("--compare-warm and --capture exclude each other: it is two boots")
	case f.record != "":
		return usage("--compare-warm and --record exclude each other: it is two boots")
	case outputs.Stdout() != report.List && outputs.Stdout() != report.JSON || outputs.ToFiles() || f.outputs.maskNames:
		return usage("--compare-warm is written to standard output as list or json, names and all")
	case f.lab == "" && f.flash == "":
		return usage("--compare-warm needs --flash, that of a handset that has signed in; only a lab fills one by itself")
	}
	return nil
}

// compareWarm boots with full flash and with wiped flash and writes where they part.
func compareWarm(ctx context.Context, sys system, f bootFlags, o rig.Options, outputs *report.Outputs) error {
	if err := f.printMAC(sys, o); err != nil {
		return err
	}
	c, err := rig.CompareWarm(ctx, o, func(what string) (func(timeline.Observation), func(report.Result)) {
		fmt.Fprintf(sys.err, "%s:\n", what)
		return report.Progress(sys.err, f.verbose), func(r report.Result) { report.WriteLast(sys.err, r, f.verbose) }
	})
	if err != nil {
		return startError(err)
	}
	if ctx.Err() != nil {
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	}
	write := report.WriteComparison
	if outputs.Stdout() == report.JSON {
		write = report.WriteComparisonJSON
	}
	if err := write(sys.out, c); err != nil {
		return lacking(err)
	}
	if c.Warm.Result != report.Success || c.Cold.Result != report.Success {
		return &exitError{code: exitFailed, err: errors.New(c.Why), silent: true}
	}
	return nil
}
