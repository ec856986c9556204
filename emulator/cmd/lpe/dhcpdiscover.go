package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

func dhcpDiscoverCommand(sys system) *cobra.Command {
	var f bootFlags
	c := command("discover", "Ask DHCP as a handset does and judge the answers",
		"discover sends what a booting handset sends to DHCP servers: DISCOVER and REQUEST of class CPE-OCPHONE, then INFORM of class MS-UC-Client. It shows every answer, byte and meaning, and names each mistake with what mends it. The lease is given back. With --host only INFORM is sent, from this computer's address and UDP port 68. Exit code 1: a handset would not find registrar and certificate URL.",
		"  lpe dhcp discover --interface eth0\n  lpe dhcp discover --host -o json\n  lpe dhcp discover --lab contoso",
		func(c *cobra.Command, _ []string) error {
			o, err := f.surveyOptions()
			if err != nil {
				return err
			}
			return discover(c.Context(), sys, f, o)
		})
	flags := c.Flags()
	flags.StringVar(&f.lab, "lab", "", "ask this lab's servers, a name or a file (default litware)")
	flags.Lookup("lab").NoOptDefVal = defaultLab
	flags.StringVar(&f.iface, "interface", "", "ask on the segment of this interface, as a host of its own")
	flags.BoolVar(&f.host, "host", false, "ask from this computer's own address")
	flags.StringVar(&f.profile, "profile", rig.DefaultProfile, "model and firmware, see 'lpe profile list', or a profile's .yaml file")
	flags.StringVar(&f.mac, "mac", "", "MAC address (default: the model's OUI and three bytes derived from computer and interface)")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "end after this time")
	flags.StringVarP(&f.output, "output", "o", "list", "list or json")
	flags.StringSliceVar(&f.faults, "fault", nil, "faults of the lab, STAGE=KIND[:PARAM][,…]")
	return c
}

func (f bootFlags) surveyOptions() (o rig.Options, err error) {
	if err := f.checkCable(); err != nil {
		return o, err
	}
	if f.output != "list" && f.output != "json" {
		return o, usage("-o takes list or json, not %q", f.output)
	}
	if f.timeout <= 0 {
		return o, usage("--timeout must be more than 0")
	}
	if f.lab != "" {
		if o.Lab, err = configs.LoadLab(f.lab); err != nil {
			return o, usage("%w", err)
		}
	}
	if o.Profile, err = configs.ProfileOf(f.profile); err != nil {
		return o, usage("%w", err)
	}
	if o.MAC, err = f.macAddress(); err != nil {
		return o, err
	}
	if err := rig.CheckFaults(f.faults, handset.Credentials{}); err != nil {
		return o, usage("--fault: %w", err)
	}
	o.Interface, o.Host, o.Faults, o.Timeout = f.iface, f.host, f.faults, f.timeout
	return o, nil
}

func discover(ctx context.Context, sys system, f bootFlags, o rig.Options) error {
	if err := f.printMAC(sys, o); err != nil {
		return err
	}
	survey, err := rig.Survey(ctx, o)
	if err != nil {
		return startError(err)
	}
	if f.output == "json" {
		err = report.WriteSurveyJSON(sys.out, survey)
	} else {
		err = report.WriteSurvey(sys.out, survey)
	}
	switch {
	case err != nil:
		return lacking(err)
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	case !survey.OK():
		return &exitError{code: exitFailed, err: errors.New("no registrar or no certificate URL"), silent: true}
	}
	return nil
}
