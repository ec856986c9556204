package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

func bootCommand(sys system) *cobra.Command {
	var f bootFlags
	c := command("boot", "Boot one handset",
		bootLong,
		"  lpe boot --lab\n  lpe boot --lab contoso -o json -o html=boot.html\n  lpe boot --lab --users users.csv -o junit=users.xml\n  lpe Test-CsPhoneBootstrap -PhoneOrExt \"+12065551219\" -Pin \"0712\" -Verbose --lab\n  lpe boot --lab --phone-or-ext 1219 --pin-file pin.txt --fault discovery=option43-port-binary\n"+
			"  lpe boot --host --target-fqdn pool.contoso.com --phone-or-ext 1219 --pin-file pin.txt\n  lpe boot --interface eth0 --phone-or-ext 1219 --pin-file pin.txt",
		func(c *cobra.Command, _ []string) error {
			if f.listFaults {
				return listFaults(sys)
			}
			if err := f.users.check(c); err != nil {
				return err
			}
			outputs, err := f.outputs.parse()
			if err != nil {
				return err
			}
			if err := f.checkFiles(outputs); err != nil {
				return err
			}
			if err := f.checkCompare(outputs); err != nil {
				return err
			}
			options, err := f.options(c, sys)
			if err != nil {
				return err
			}
			if f.compareWarm {
				return compareWarm(c.Context(), sys, f, options, outputs)
			}
			if f.users.file != "" {
				return bootUsers(c.Context(), sys, f, options, outputs)
			}
			return boot(c.Context(), sys, f, options, outputs)
		})
	f.declare(c)
	return c
}

const bootLong = `boot boots one handset from the cable to Ready, against one of three:
--lab        a lab pool in this process, over an Ethernet segment in memory: no network, no privilege
--interface  what is on the segment of this interface, as a host of its own with its own MAC address: needs CAP_NET_RAW, Linux
--host       what this computer reaches, with its own sockets and resolver: no privilege with --target-fqdn
Against a real pool it needs a number and its PIN, no role and no permission on the server. It signs off at the end.
The parameters of Test-CsPhoneBootstrap are taken as PowerShell takes them, -PhoneOrExt, -PIN and the others in any case and
cut short; lpe Test-CsPhoneBootstrap is lpe boot, and takes --host if none of the three is given.
Progress goes to standard error, the result to standard output. With -o nagios there the exit codes are those of a monitoring plugin:
0 OK, 1 slower than --warn, 2 failed, 3 wrong usage, interrupted, or the computer lacks something.`

func listFaults(sys system) error {
	faults, err := configs.Faults()
	if err != nil {
		return err
	}
	for _, fault := range faults {
		takes := map[string]string{"duration": " Takes :DURATION, such as :5s.", "times": " Takes :TIMES, such as :3."}[fault.Parameter]
		if _, err := fmt.Fprintf(sys.out, "%-36s %s%s\n", fault.Name, fault.Description, takes); err != nil {
			return err
		}
	}
	return nil
}

func boot(ctx context.Context, sys system, f bootFlags, o rig.Options, outputs *report.Outputs) error {
	if err := f.outputs.open(sys, outputs, &o); err != nil {
		return err
	}
	defer outputs.Discard()
	o.Observers = append(o.Observers, outputs.Mask.Observer(report.Progress(sys.err, f.verbose)))
	if err := f.printMAC(sys, o); err != nil {
		return err
	}
	if f.allAddresses {
		return f.bootAll(ctx, sys, o, outputs)
	}
	recording, err := f.openRecording(&o, outputs)
	if err != nil {
		return err
	}
	defer recording.discard()
	c := outputs.Begin(whose(o.Credentials))
	o.Observers = append(o.Observers, outputs.Observer(c))
	run, err := rig.Start(o)
	if err != nil {
		return startError(err)
	}
	began := time.Now()
	result := run.Boot(ctx)
	report.WriteLast(sys.err, outputs.Mask.Result(result), f.verbose)
	written := outputs.Record(c, rig.Party, result)
	if f.stay && result.Result == report.Success && written == nil {
		run.Timeline.Observe(outputs.Mask.Observer(report.Diary(report.NewDiary(sys.err))))
		if result = run.Stay(ctx); result.Result != report.Success {
			written = outputs.Record(c, rig.Party, result)
		}
	}
	lacks, took := run.Lacking(), time.Since(began)
	closed := run.Close() // what it says to sign off is part of the recording
	if err := errors.Join(written, closed, recording.write(result, took), lacks, outputs.Finish()); err != nil {
		return lacking(err)
	}
	if outputs.Stdout() == report.Nagios {
		return pluginError(outputs.State())
	}
	return f.exit(ctx, result)
}

// exit is the exit code of a result.
func (f bootFlags) exit(ctx context.Context, result report.Result) error {
	switch {
	case result.Result == report.Success && (f.stay || ctx.Err() == nil):
		return nil
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	}
	return &exitError{code: exitFailed, err: errors.New(result.Code), silent: true}
}

// startError tells what the computer lacks from what cannot be meant.
func startError(err error) error {
	var problem *rig.ComputerError
	var file *fs.PathError
	if errors.As(err, &problem) || errors.As(err, &file) {
		return lacking(err)
	}
	return usage("%w", err)
}

// printMAC tells who the handset is on a real wire; in a lab the result tells it.
func (f bootFlags) printMAC(sys system, o rig.Options) error {
	if f.lab != "" {
		return nil
	}
	mac, err := o.HandsetMAC()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sys.err, "handset %s\n", strings.ToUpper(strings.ReplaceAll(mac.String(), ":", "-")))
	return err
}

// bootAll boots against each address of the target; the exit code is that of the worst result.
func (f bootFlags) bootAll(ctx context.Context, sys system, o rig.Options, outputs *report.Outputs) error {
	observe, record := outputs.InTurn(whose(o.Credentials), rig.Party)
	o.Observers = append(o.Observers, observe)
	var worst error
	err := rig.BootAll(ctx, o, func(result report.Result) error {
		report.WriteLast(sys.err, outputs.Mask.Result(result), f.verbose)
		if err := f.exit(ctx, result); err != nil {
			worst = err
		}
		return record(result)
	})
	if err != nil {
		return startError(err)
	}
	if err := outputs.Finish(); err != nil {
		return lacking(err)
	}
	if outputs.Stdout() == report.Nagios {
		return pluginError(outputs.State())
	}
	return worst
}
