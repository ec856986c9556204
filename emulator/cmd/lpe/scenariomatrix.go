package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/library"
	"github.com/phone-edition/lpe/scenarios/matrix"
	scenariorun "github.com/phone-edition/lpe/scenarios/run"
)

const scenarioMatrixLong = `matrix runs scenarios with the profiles of many firmwares in virtual time, and compares what each of them does with its baseline:
states with their glass, messages, and the fields of each: DHCP option, DNS record, HTTP header, SOAP element, SIP header, TLS parameter, and
the timing. It shows a table, and under it every difference. --profiles takes a pattern of the shipped ones (polycom-*), or of files
('mine/*.yaml'), which are called as the file is: a changed copy of a shipped profile is compared with the baseline of that name.
'lpe profile show NAME --yaml' prints one to copy.
What may differ is said by the rules of a file of masks, scenarios/masks.yaml.
Exit code 1: something differs, or has no baseline.
With --update what differs becomes the baseline, and is printed.`

func scenarioMatrixCommand(sys system) *cobra.Command {
	var profiles, baseline, form, masksFile string
	var update bool
	var parallel int
	c := command("matrix FILE|NAME|DIR...", "Compare firmwares with what they did before", scenarioMatrixLong,
		"  lpe scenario matrix 'firmware-*' --profiles 'polycom-*' --baseline scenarios/baselines\n  lpe scenario matrix firmware-cold-boot --profiles 'mine/*.yaml' --baseline scenarios/baselines -o junit",
		func(c *cobra.Command, args []string) error {
			switch {
			case baseline == "":
				return usage("--baseline DIR is needed: the directory that keeps what was accepted")
			case form != "list" && form != "json" && form != "junit":
				return usage("-o takes list, json or junit, not %q", form)
			case parallel < 1:
				return usage("--parallel must be 1 at least")
			}
			masks, err := loadMasks(masksFile)
			if err != nil {
				return err
			}
			names, err := matrix.Profiles(profiles)
			if err != nil {
				return usage("--profiles: %w", err)
			}
			found, err := findScenarios(args)
			if err != nil {
				return err
			}
			for _, s := range found {
				if err := scenariorun.Check(s, scenariorun.Options{}, true); err != nil {
					return usage("%w\na matrix is always in virtual time", err)
				}
			}
			return runMatrix(c.Context(), sys, found, names, baseline, masks, parallel, form, update)
		})
	c.Args = someNames
	completeWith(c, "", library.Names)
	flags := c.Flags()
	flags.StringVar(&profiles, "profiles", "*", "pattern of profiles")
	completeWith(c, "profiles", configs.Profiles)
	flags.StringVar(&baseline, "baseline", "", "directory of the baselines, a file a scenario")
	flags.BoolVar(&update, "update", false, "accept what differs")
	flags.StringVar(&masksFile, "masks", "", "file of masks (default: scenarios/masks.yaml, which this program brings)")
	flags.StringVarP(&form, "output", "o", "list", "list, json or junit")
	flags.IntVar(&parallel, "parallel", runtime.GOMAXPROCS(0), "at most so many at a time")
	return c
}

func loadMasks(file string) (compare.Masks, error) {
	if file == "" {
		return compare.DefaultMasks(), nil
	}
	masks, err := compare.LoadMasks(file)
	if err != nil {
		return nil, usage("--masks: %w", err)
	}
	return masks, nil
}

func runMatrix(ctx context.Context, sys system, found []*format.Scenario, profiles []string, baseline string, masks compare.Masks, parallel int, form string, update bool) error {
	all := func(ctx context.Context, list []*format.Scenario, done func(int, scenariorun.Result) error) error {
		return scenariorun.AllExchanges(ctx, list, parallel, done)
	}
	table, err := matrix.Run(ctx, found, profiles, baseline, masks, all)
	switch {
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	case err != nil && table == nil:
		return usage("%w", err)
	case err != nil:
		return lacking(err)
	case update:
		if err := table.WriteAccepted(sys.out); err != nil {
			return err
		}
		if err := table.Accept(); err != nil {
			return lacking(err)
		}
		return nil
	}
	if err := table.Write(sys.out, form); err != nil {
		return err
	}
	if !table.OK() {
		return &exitError{code: exitFailed, err: fmt.Errorf("something differs"), silent: true}
	}
	return nil
}
