package main

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

// outputFlags say in which forms results are written, and where to.
type outputFlags struct {
	forms     []string
	labels    string
	warn      time.Duration
	maskNames bool
}

func (f *outputFlags) declare(c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVarP(&f.forms, "output", "o", nil, "list, json, jsonl, junit, nagios or html on standard output (default list); FORM=FILE into a file that only you can read, any number of them")
	flags.StringVar(&f.labels, "labels", "", "labels of the list: joined (TargetFqdn, Error; the default) or spaced (Target Fqdn, Error Message)")
	flags.DurationVar(&f.warn, "warn", 0, "with -o nagios: a boot that takes longer is a warning")
	flags.BoolVar(&f.maskNames, "mask-names", false, "put placeholders for SIP addresses, logins and numbers, the same one for the same name")
}

// parse checks the flags.
func (f outputFlags) parse() (*report.Outputs, error) {
	o, err := report.ParseOutputs(f.forms)
	if err != nil {
		return nil, usage("-o: %w", err)
	}
	switch {
	case f.labels != "" && f.labels != "joined" && f.labels != "spaced":
		return nil, usage("--labels takes joined or spaced, not %q", f.labels)
	case f.labels != "" && !o.Has(report.List):
		return nil, usage("--labels is for the list; %s has names of its own", o.Stdout())
	case f.warn < 0:
		return nil, usage("--warn must not be less than 0")
	case f.warn > 0 && !o.Has(report.Nagios):
		return nil, usage("--warn needs -o nagios")
	}
	o.Warn, o.Spaced = f.warn, f.labels == "spaced"
	if f.maskNames {
		o.Mask = report.NewMask()
	}
	return o, nil
}

// open makes sure that every file can be written, and has the run tell what the forms show.
func (f outputFlags) open(sys system, outputs *report.Outputs, o *rig.Options) error {
	if err := outputs.Open(sys.out); err != nil {
		return lacking(err)
	}
	outputs.Mask.Learn(o.Credentials.Number, o.Credentials.User, o.Credentials.ExpectedSIP)
	o.Decode = outputs.Detailed()
	return nil
}

// whose names a boot by who signs in.
func whose(c handset.Credentials) string {
	if c.User != "" {
		return c.User
	}
	return c.Number
}

// pluginError is the exit code of the monitoring plugins' convention.
func pluginError(state report.MonitorState) error {
	if state == report.MonitorOK {
		return nil
	}
	return &exitError{code: int(state), err: errors.New(state.String()), silent: true, plugin: true}
}

// asPlugin gives an error the form of the monitoring plugins' convention if the command line asks for that: a line on
// standard output and exit code 3.
func asPlugin(args []string, out io.Writer, exit *exitError) *exitError {
	if exit.plugin || !wantsPlugin(args) {
		return exit
	}
	if err := report.WriteUnknown(out, exit.err); err != nil {
		return exit
	}
	return &exitError{code: int(report.MonitorUnknown), err: exit.err, silent: exit.silent}
}

// wantsPlugin reports whether -o nagios is for standard output, in a command line that may be wrong otherwise.
func wantsPlugin(args []string) bool {
	name := string(report.Nagios)
	for i, arg := range args {
		if (arg == "-o" || arg == "--output") && i+1 < len(args) && args[i+1] == name {
			return true
		}
	}
	return slices.ContainsFunc(args, func(arg string) bool { return arg == "-o"+name || arg == "-o="+name || arg == "--output="+name })
}
