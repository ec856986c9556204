package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/replay"
	scenariorun "github.com/phone-edition/lpe/scenarios/run"
)

const scenarioReplayLong = `replay runs a boot that was recorded (boot --record) or imported (scenario import) again, and tells what comes out otherwise.
--as handset sends what was recorded to the pool of the scenario, or with --interface or --host to the one that is there, and tells
each difference in the pool's answers. DHCP options, HTTP and SIP headers are those that were recorded, in their order; bodies are
made by the profile. --as pool is the lab of the scenario with the SIP headers that were recorded, and tells each difference in the
requests of the handset, one with another profile if wanted. TLS, TLS-DSK, random numbers, tickets, signatures, dates and tags are
made anew. What this side cannot say as it was recorded is told, too.
At a real pool the steps say who signs in: dial and enter_pin, or login, in place of sign_in. The target of the scenario, or flags
that go before it, say where the pool is if it is not to be discovered.
A real handset at this program's pool is recorded with 'lpe pool serve --record', and compared with 'lpe scenario diff'.
Exit code 1: something of the other side differs, or the handset did not come as far.`

func scenarioReplayCommand(sys system) *cobra.Command {
	var o scenariorun.Options
	var place placeFlags
	var as, profile, masksFile string
	c := command("replay FILE", "Run a recorded boot again, as the handset or as the pool", scenarioReplayLong,
		"  lpe scenario replay recorded.yaml --as handset\n  lpe scenario replay recorded.yaml --as pool --profile polycom-cx600-4.0.7577.4512",
		func(c *cobra.Command, args []string) error {
			switch {
			case as != replay.Handset && as != replay.Pool:
				return usage("--as takes handset or pool, not %q", as)
			case as == replay.Pool && (o.Interface != "" || o.Host):
				return usage("--as pool is in this process alone: for a real handset 'lpe pool serve' is the pool")
			}
			masks, err := loadMasks(masksFile)
			if err != nil {
				return err
			}
			s, err := format.LoadAs(args[0], profile)
			if err != nil {
				return usage("%w", err)
			}
			if err := place.onRealCable(&o, s); err != nil {
				return err
			}
			if err := scenariorun.Check(s, o, false); err != nil {
				return usage("%w", err)
			}
			result, err := replay.Run(c.Context(), s, as, o, masks)
			switch {
			case c.Context().Err() != nil:
				return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
			case err != nil:
				return startError(err)
			}
			return replayed(sys, as, result)
		})
	c.Args = oneName
	flags := c.Flags()
	flags.StringVar(&as, "as", "", "handset or pool: which side is replayed")
	flags.StringVar(&profile, "profile", "", "the handset's model and firmware (default: the scenario's)")
	completeWith(c, "profile", configs.Profiles)
	flags.StringVar(&masksFile, "masks", "", "file of masks (default: scenarios/masks.yaml, which this program brings)")
	realCable(c, &o, &place)
	return c
}

func replayed(sys system, as string, r replay.Result) error {
	other := map[string]string{replay.Handset: "the pool answers", replay.Pool: "the handset asks"}[as]
	for _, one := range []struct {
		what string
		all  compare.Comparison
	}{{"otherwise than recorded, " + other, r.Answers}, {"not to be replayed as recorded, this side says", r.Own}} {
		if len(one.all.Differences) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(sys.out, "%s:\n", one.what); err != nil {
			return err
		}
		if err := compare.WriteText(sys.out, one.all); err != nil {
			return err
		}
	}
	switch {
	case r.Code != "":
		return &exitError{code: exitFailed, err: fmt.Errorf("the handset came to %s: %s", r.State, r.Code)}
	case len(r.Answers.Differences) > 0:
		return &exitError{code: exitFailed, err: fmt.Errorf("%d differences", len(r.Answers.Differences)), silent: true}
	}
	return nil
}
