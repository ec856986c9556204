package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/wholefile"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/library"
	scenariorun "github.com/phone-edition/lpe/scenarios/run"
)

func scenarioCommand(sys system) *cobra.Command {
	list := command("list", "List the scenarios", "list prints name and description of each scenario that this program brings.", "  lpe scenario list",
		func(*cobra.Command, []string) error {
			for _, name := range library.Names() {
				s, err := library.Load(name)
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintf(sys.out, "%-44s %s\n", name, s.Description); err != nil {
					return err
				}
			}
			return nil
		})
	show := command("show NAME", "Print a scenario", "show prints the file of a scenario.", "  lpe scenario show first-boot-standard-edition",
		func(_ *cobra.Command, args []string) error {
			text, err := library.Text(args[0])
			if err != nil {
				return usage("%w", err)
			}
			_, err = sys.out.Write(text)
			return err
		})
	show.Args = oneName
	completeWith(show, "", library.Names)
	validate := command("validate FILE|NAME|DIR...", "Check scenarios without running them",
		"validate reads scenarios and tells every mistake of all of them, with file, line and excerpt.", "  lpe scenario validate mine.yaml",
		func(_ *cobra.Command, args []string) error {
			found, err := findScenarios(args)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(sys.out, "%d scenarios are in order\n", len(found))
			return err
		})
	validate.Args = someNames
	completeWith(validate, "", library.Names)
	schema := command("schema", "Print the JSON Schema of scenarios", "schema prints what a scenario may hold as a JSON Schema, for editors.", "  lpe scenario schema",
		func(*cobra.Command, []string) error {
			_, err := sys.out.Write(format.Schema())
			return err
		})
	return group("scenario", "Run scenarios: what is done with a handset and its pool, and what has to come of it", "  lpe scenario run --virtual first-boot-standard-edition",
		scenarioRunCommand(sys), scenarioDiffCommand(sys), scenarioMatrixCommand(sys), list, show, validate, scenarioNewCommand(sys), schema, scenarioImportCommand(sys), scenarioReplayCommand(sys))
}

func findScenarios(words []string) ([]*format.Scenario, error) {
	found, err := library.Find(words)
	if err != nil {
		return nil, usage("%w", err)
	}
	return found, nil
}

func someNames(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("%s takes one name at least; '*' names every scenario that this program brings", c.CommandPath())
	}
	return nil
}

const scenarioRunLong = `run does the steps of scenarios and holds what comes of them to what they expect. A word names a scenario of this program, several
by a pattern ('fault-*'), a file, or a directory of .yaml files. Where one differs, the event is shown with its neighbours on the timeline.
Exit code 1: a scenario came out otherwise.
With --virtual time passes as fast as the computer can: months take seconds. It is for the cable pipe, where everybody is in this
process: not for impaired frames, and not for a real cable.
With --flash the handset is one that lpe boot knows: a hard reset, a factory reset or a phone lock on it are steps of a scenario.
With --interface or --host the pool is a real one, and such scenarios neither change it nor have faults. A step with dial and enter_pin,
or login, says who signs in; where a step is sign_in, which is a user of the lab, --phone-or-ext or --user say it, as with lpe boot, and
so a recording is run as it is. Where the handset is not to discover the pool the target of a scenario says where it is, or these
flags do, which go before it; 'lpe scenario show at-your-pool' is a start. There the scenarios of one handset, which who signs in
first tells, run one after the other.`

func scenarioRunCommand(sys system) *cobra.Command {
	var o scenariorun.Options
	var place placeFlags
	var who credentialFlags
	var forms []string
	var virtual bool
	var parallel int
	c := command("run FILE|NAME|DIR...", "Run scenarios", scenarioRunLong,
		"  lpe scenario run --virtual '*'\n  lpe scenario run --virtual --parallel 4 first-boot-standard-edition mine.yaml -o junit=results.xml\n"+
			"  lpe scenario run --host --target-fqdn pool.contoso.com site.yaml\n  lpe scenario run --interface eth0 --phone-or-ext 1219 --pin-file pin.txt recorded.yaml",
		func(c *cobra.Command, args []string) error {
			outputs, err := scenariorun.ParseOutputs(forms)
			switch {
			case err != nil:
				return usage("-o: %w", err)
			case parallel < 1:
				return usage("--parallel must be 1 at least")
			}
			found, err := findScenarios(args)
			if err != nil {
				return err
			}
			if err := place.onRealCable(&o, found...); err != nil {
				return err
			}
			if o.Flash != "" {
				if len(found) != 1 {
					return usage("--flash is one handset's: name one scenario, not %d", len(found))
				}
				if err := handset.FlashDir(o.Flash).Check(); err != nil {
					return flashError(err)
				}
			}
			if err := who.atRealPool(c.Context(), sys, &o, virtual, found...); err != nil {
				return err
			}
			return runScenarios(c.Context(), sys, found, o, virtual, parallel, outputs)
		})
	c.Args = someNames
	completeWith(c, "", library.Names)
	flags := c.Flags()
	flags.BoolVar(&virtual, "virtual", false, "in virtual time")
	flags.IntVar(&parallel, "parallel", runtime.GOMAXPROCS(0), "at most so many at a time")
	flags.StringArrayVarP(&forms, "output", "o", nil, "list, json or junit on standard output (default list); FORM=FILE into a file that only you can read, any number of them")
	realCable(c, &o, &place, &who)
	flags.StringVar(&o.Flash, "flash", "", "directory of the handset's flash, and of the lab's certificates, as that of lpe boot; for one scenario")
	return c
}

func runScenarios(ctx context.Context, sys system, found []*format.Scenario, o scenariorun.Options, virtual bool, parallel int, outputs *scenariorun.Outputs) error {
	if err := outputs.Open(sys.out); err != nil {
		return lacking(err)
	}
	defer outputs.Discard()
	summary := scenariorun.NewSummary(found)
	done := func(n int, r scenariorun.Result) error {
		summary.Add(n, r)
		return outputs.Told(r)
	}
	for _, s := range found {
		if stays := s.Stays(); stays >= time.Minute && !virtual && o.Interface == "" && !o.Host {
			fmt.Fprintf(sys.err, "%s lasts longer than %v; with --virtual it takes seconds\n", s.Name, stays)
		}
	}
	var err error
	if virtual {
		err = scenariorun.AllVirtually(ctx, found, parallel, done)
	} else {
		err = scenariorun.All(ctx, found, o, parallel, done)
	}
	if ctx.Err() == nil && err != nil {
		return lacking(err)
	}
	if err := outputs.Finish(summary); err != nil {
		return lacking(err)
	}
	switch _, failed := summary.Count(); {
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	case failed > 0:
		return &exitError{code: exitFailed, err: fmt.Errorf("%d scenarios failed", failed), silent: true}
	}
	return nil
}

func scenarioNewCommand(sys system) *cobra.Command {
	b := scenariorun.Boot{Lab: labpool.DefaultLab}
	var out string
	var timeout time.Duration
	c := command("new NAME", "Write a scenario of a boot", "new boots a handset in a lab and writes the scenario of that boot, with comments, to go on from.",
		"  lpe scenario new chain-is-off --fault chain=off --file chain-is-off.yaml",
		func(c *cobra.Command, args []string) error {
			b.Name = args[0]
			if err := format.CheckName(b.Name); err != nil {
				return usage("%q: %w", b.Name, err)
			}
			if _, err := configs.LoadLab(b.Lab); err != nil {
				return usage("%w", err)
			}
			if _, err := os.Stat(out); err == nil {
				return usage("--file: %s is there already", out)
			}
			b.File = out
			text, err := scenariorun.Start(c.Context(), b, rig.Options{Timeout: timeout})
			switch {
			case c.Context().Err() != nil:
				return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
			case err != nil:
				return startError(err)
			case out == "":
				_, err = sys.out.Write(text)
				return err
			}
			if err := wholefile.Write(out, text); err != nil {
				return lacking(err)
			}
			return nil
		})
	c.Args = oneName
	flags := c.Flags()
	flags.StringVar(&b.Lab, "lab", b.Lab, "the lab, a name or a file")
	flags.StringVar(&b.Profile, "profile", rig.DefaultProfile, "model and firmware, see 'lpe profile list', or a profile's .yaml file")
	flags.StringVar(&b.User, "user", "", "the lab's user who signs in (default: the first who can)")
	flags.StringSliceVar(&b.Faults, "fault", nil, "faults of the lab, STAGE=KIND[:PARAM][,...], see 'lpe boot --list-faults'")
	flags.DurationVar(&timeout, "timeout", 45*time.Second, "end the boot after this time")
	flags.StringVar(&out, "file", "", "write it to this file, which must be new (default: standard output)")
	completeWith(c, "profile", configs.Profiles)
	completeWith(c, "lab", configs.Labs)
	completeWith(c, "fault", faultNames)
	return c
}
