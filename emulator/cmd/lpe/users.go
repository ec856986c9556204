package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/emulator/credentials"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	defaultParallel = 4
	maxParallel     = 250 // handsets of one segment
)

// usersFlags say which users' handsets boot.
type usersFlags struct {
	file     string
	parallel int
}

func (f *usersFlags) declare(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.file, "users", "", "boot a handset for each user of this CSV file: number,PIN,SIP address in a line; refused if others can read it")
	flags.IntVar(&f.parallel, "parallel", defaultParallel, "with --users: how many handsets boot at the same time")
}

// notWithUsers are the flags that are about one handset.
var notWithUsers = []string{
	"phone-or-ext", "pin", "pin-file", "user", "password-file", "user-sip-address", "mac", "stay", "all-addresses", "compare-warm", "verbose",
	"labels", "record",
}

// check refuses what cannot be meant together.
func (f usersFlags) check(c *cobra.Command) error {
	if f.file == "" {
		if c.Flags().Changed("parallel") {
			return usage("--parallel needs --users")
		}
		return nil
	}
	for _, name := range notWithUsers {
		if c.Flags().Changed(name) {
			return usage("--%s is about one handset; leave it out with --users", name)
		}
	}
	if f.parallel < 1 || f.parallel > maxParallel {
		return usage("--parallel: 1 to %d expected", maxParallel)
	}
	return nil
}

// read reads the file and gives each user a handset, with a flash of its own under dir unless that is "".
func (f usersFlags) read(o rig.Options, dir string) ([]rig.Boot, error) {
	if !o.Profile.PIN {
		return nil, usage("%s signs in with user name and password, not with a PIN: --users has numbers and PINs", o.Profile.Name)
	}
	users, err := credentials.ReadUsers(f.file)
	if err != nil {
		return nil, usage("--users: %w", err)
	}
	var boots []rig.Boot
	for _, u := range users {
		b := rig.Boot{
			Name:        fmt.Sprintf("%s-%d", rig.Party, u.Line),
			Credentials: handset.Credentials{Number: u.Number, PIN: u.PIN, ExpectedSIP: u.SIPAddress},
		}
		if dir != "" {
			flash := handset.FlashDir(filepath.Join(dir, strings.TrimPrefix(u.Number, "+")))
			if err := flash.Check(); err != nil {
				return nil, flashError(err)
			}
			b.Flash = flash
		}
		boots = append(boots, b)
	}
	if err := rig.CheckFaults(o.Faults, boots[0].Credentials); err != nil {
		return nil, usage("--fault: %w", err)
	}
	return boots, nil
}

// bootUsers boots a handset for each user; its exit code is that of the worst result.
func bootUsers(ctx context.Context, sys system, f bootFlags, o rig.Options, outputs *report.Outputs) error {
	boots, err := f.users.read(o, f.flash)
	if err != nil {
		return err
	}
	outputs.Many = true
	for _, b := range boots {
		outputs.Mask.Learn(b.Credentials.Number, b.Credentials.ExpectedSIP)
	}
	if err := f.outputs.open(sys, outputs, &o); err != nil {
		return err
	}
	defer outputs.Discard()
	var cases []*report.Case
	for i := range boots {
		c := outputs.Begin(boots[i].Credentials.Number)
		cases = append(cases, c)
		boots[i].Observers = []func(timeline.Observation){outputs.Observer(c)}
	}
	var bar *report.Bar
	if sys.errTerminal {
		bar = report.NewBar(sys.err, len(boots))
	}
	err = rig.BootMany(ctx, o, boots, f.users.parallel, func(n int, result report.Result) error {
		bar.Add(result.Result != report.Success)
		return outputs.Record(cases[n], boots[n].Name, result)
	})
	bar.End()
	if err != nil {
		return startError(err)
	}
	if err := outputs.Finish(); err != nil {
		return lacking(err)
	}
	tally := outputs.Tally()
	switch {
	case outputs.Stdout() == report.Nagios:
		return pluginError(outputs.State())
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	case tally.Succeeded < tally.Cases:
		return &exitError{code: exitFailed, err: errors.New(tally.String()), silent: true}
	}
	return nil
}
