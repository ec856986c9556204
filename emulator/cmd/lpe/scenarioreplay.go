package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/replay"
	scenariorun "github.com/phone-edition/lpe/scenarios/run"
)

const scenarioReplayLong = `replay runs a boot that was recorded (boot --record) or imported (scenario import) again, and tells what comes out otherwise.

--as handset sends what was recorded to a lab with the names of the recorded pool, or with --interface or --host to the pool that
is there, and tells each difference in its answers. There --phone-or-ext or --user say who signs in, as with lpe boot, in the place
of the lab's user in sign_in, unless the steps say it with dial and enter_pin, or with login; the target of the scenario, or flags
that go before it, say where the pool is if it is not to be discovered.
--as pool is that lab and says what was recorded, to the handset of the scenario, one with another profile if wanted, and tells each
difference in its requests. With --interface or --host the handset is one that is there, a real phone: the pool is served as by
'lpe pool serve', until Ctrl-C, SIGTERM or --timeout, and what the handset that came the furthest said is compared then. It signs
in with the number of the recording and the PIN of the lab's user whom the scenario names.

What was recorded is sent as it was: LLDP, DHCP options, DNS records, NTP, HTTP and SIP status, headers and bodies, in their order.
TLS, TLS-DSK, random numbers, tickets, signatures, dates and tags are made anew, secrets are those of the one who signs in now, and
addresses are those of the network now: they are told, and compared as if they were the recorded ones. What this side cannot say as
it was recorded is told, too. When something came is not compared.
Exit code 1: something of the other side differs, or the handset came to another end than the recorded one.`

func scenarioReplayCommand(sys system) *cobra.Command {
	var f replayFlags
	c := command("replay FILE", "Run a recorded boot again, as the handset or as the pool", scenarioReplayLong,
		"  lpe scenario replay recorded.yaml --as handset\n  lpe scenario replay recorded.yaml --as handset --interface eth0 --phone-or-ext 1219 --pin-file pin.txt\n  lpe scenario replay recorded.yaml --as pool --profile polycom-cx600-4.0.7577.4512\n"+
			"  lpe scenario replay recorded.yaml --as pool --interface eth0 --serve-network",
		func(c *cobra.Command, args []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			masks, err := loadMasks(f.masks)
			if err != nil {
				return err
			}
			s, err := format.LoadAs(args[0], f.profile)
			if err != nil {
				return usage("%w", err)
			}
			if f.as == replay.Pool && f.run.Real() {
				return f.serve(c, sys, s, masks)
			}
			if err := f.target.onRealCable(&f.run, s); err != nil {
				return err
			}
			if err := f.who.atRealPool(c.Context(), sys, &f.run, false, s); err != nil {
				return err
			}
			ctx, cancel := f.within(c.Context())
			defer cancel()
			result, err := replay.Run(ctx, s, f.as, f.run, masks)
			switch {
			case c.Context().Err() != nil:
				return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
			case ctx.Err() != nil:
				return &exitError{code: exitFailed, err: fmt.Errorf("the replay was not over after %v", f.timeout)}
			case err != nil:
				return startError(err)
			}
			return replayed(sys, f.as, result)
		})
	c.Args = oneName
	f.declare(c)
	return c
}

// replayFlags are the flags of `lpe scenario replay` as given.
type replayFlags struct {
	as, profile, masks string
	timeout            time.Duration
	run                scenariorun.Options
	target             placeFlags      // of a pool that is there
	who                credentialFlags // who signs in there
	served             serveFlags      // of a pool for a handset that is there
}

func (f *replayFlags) declare(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.as, "as", "", "handset or pool: which side is replayed")
	flags.StringVar(&f.profile, "profile", "", "the handset's model and firmware (default: the scenario's)")
	completeWith(c, "profile", configs.Profiles)
	flags.StringVar(&f.masks, "masks", "", "file of masks (default: scenarios/masks.yaml, which this program brings)")
	flags.DurationVar(&f.timeout, "timeout", 0, "the longest that it takes (default: as the scenario says; a served pool does not end)")
	realCable(c, &f.run, &f.target, &f.who)
	f.served.declarePlace(c)
}

// servedFlags are those of a served pool alone.
var servedFlags = []string{
	"listen", "serve-network", "http-port", "https-port", "sip-tls-port", "sip-tcp-port", "dhcp-port", "dns-port", "ntp-port", "management-port", "ready-file",
}

func (f *replayFlags) check(c *cobra.Command) error {
	switch {
	case f.as != replay.Handset && f.as != replay.Pool:
		return usage("--as takes handset or pool, not %q", f.as)
	case f.run.Interface != "" && f.run.Host:
		return usage("give --interface or --host, not both")
	case f.as == replay.Pool && f.run.Real() && f.profile != "":
		return usage("--profile is of this program's handset: with --interface or --host another one is there")
	case f.timeout < 0:
		return usage("--timeout: %v is negative", f.timeout)
	case f.as == replay.Pool && f.run.Real():
		if name := f.target.first(); name != "" {
			return usage("--%s is of a pool that is there, and --as pool is one itself", name)
		}
		if name := f.who.first(); name != "" {
			return usage("--%s is for this program's handset: with --interface or --host another one is there, and signs in itself", name)
		}
		return nil
	}
	for _, name := range servedFlags {
		if c.Flags().Changed(name) {
			return usage("--%s is of a pool for a handset that is there: it needs --as pool, and --host or --interface", name)
		}
	}
	return nil
}

func (f *replayFlags) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, f.timeout)
}

// serve is the recorded pool for a handset that is there.
func (f *replayFlags) serve(c *cobra.Command, sys system, s *format.Scenario, masks compare.Masks) error {
	var o rig.ServeOptions
	f.served.iface = f.run.Interface
	if err := f.served.place(c, &o); err != nil {
		return err
	}
	served, err := replay.Serve(s, &o)
	if err != nil {
		return usage("%w", err)
	}
	ctx, cancel := f.within(c.Context())
	defer cancel()
	return serve(ctx, sys, o, func() error {
		result, ok, err := served.Result(masks)
		switch {
		case err != nil:
			return lacking(err)
		case !ok:
			return &exitError{code: exitFailed, err: errors.New("no handset came")}
		}
		return replayed(sys, replay.Pool, result)
	})
}

func replayed(sys system, as string, r replay.Result) error {
	for _, a := range r.Addresses {
		if _, err := fmt.Fprintf(sys.out, "%s has %s here, and had %s\n", a.Of, a.Replayed, a.Recorded); err != nil {
			return err
		}
	}
	if len(r.Unseen) > 0 {
		if _, err := fmt.Fprintf(sys.out, "not compared, as the recording holds nothing of it: %s\n", strings.ToUpper(strings.Join(r.Unseen, ", "))); err != nil {
			return err
		}
	}
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
	case r.Other:
		return &exitError{code: exitFailed, err: fmt.Errorf("the handset came to %s, which is not where the recorded one came to", cameTo(r))}
	case len(r.Answers.Differences) > 0:
		return &exitError{code: exitFailed, err: fmt.Errorf("%d differences", len(r.Answers.Differences)), silent: true}
	}
	return nil
}

func cameTo(r replay.Result) string {
	if r.Code == "" {
		return r.State
	}
	return r.State + " with " + r.Code
}
