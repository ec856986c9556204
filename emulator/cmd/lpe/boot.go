package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
)

const defaultLab = "litware"

// bootFlags are the flags of `lpe boot` as given.
type bootFlags struct {
	lab, number, pin, pinFile, sipAddress string
	targetFQDN, targetURI                 string
	registrarPort                         uint16
	profile, mac, flash                   string
	timeout                               time.Duration
	stay, verbose, listFaults             bool
	output                                string
	faults                                []string
	capture                               string
	captureSecrets                        bool
}

func bootCommand(sys system) *cobra.Command {
	var f bootFlags
	c := command("boot", "Boot one handset",
		"boot boots one handset from the cable to Ready. With --lab it boots against a lab pool in this process, over an Ethernet segment in memory: no network, no privilege.\nProgress goes to standard error, the result to standard output.",
		"  lpe boot --lab\n  lpe boot --lab contoso -o json\n  lpe boot --lab --phone-or-ext 1219 --pin-file pin.txt --fault discovery=option43-port-binary",
		func(c *cobra.Command, _ []string) error {
			if f.listFaults {
				return listFaults(sys)
			}
			options, err := f.options(sys)
			if err != nil {
				return err
			}
			return boot(c.Context(), sys, f, options)
		})
	flags := c.Flags()
	flags.StringVar(&f.lab, "lab", "", "boot against this lab pool, a name or a file (default litware)")
	flags.Lookup("lab").NoOptDefVal = defaultLab
	flags.StringVar(&f.number, "phone-or-ext", "", "phone number or extension to sign in with (default: the lab's first user)")
	flags.StringVar(&f.pin, "pin", "", "PIN; others can see it in the process list, prefer --pin-file or LPE_PIN")
	flags.StringVar(&f.pinFile, "pin-file", "", "file that holds the PIN; refused if others can read it")
	flags.StringVar(&f.sipAddress, "user-sip-address", "", "SIP address that number and PIN must belong to")
	flags.StringVar(&f.targetFQDN, "target-fqdn", "", "registrar; skips discovery")
	flags.StringVar(&f.targetURI, "target-uri", "", "certificate provisioning URL, with --target-fqdn")
	flags.Uint16Var(&f.registrarPort, "registrar-port", 5061, "port of the registrar, with --target-fqdn")
	flags.StringVar(&f.profile, "profile", rig.DefaultProfile, "model and firmware, see 'lpe profile list'")
	flags.StringVar(&f.mac, "mac", "", "MAC address (default: the model's OUI and three bytes derived from profile and user)")
	flags.StringVar(&f.flash, "flash", "", "directory of the handset's flash, and of the lab's certificates; with it the next boot is warm")
	flags.DurationVar(&f.timeout, "timeout", 45*time.Second, "end the boot after this time")
	flags.BoolVar(&f.stay, "stay", false, "stay signed in until interrupted, and keep a diary on standard error")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print each message and decision on standard error")
	flags.StringVarP(&f.output, "output", "o", "list", "list or json")
	flags.StringSliceVar(&f.faults, "fault", nil, "faults of the lab, STAGE=KIND[:PARAM][,…], see --list-faults")
	flags.BoolVar(&f.listFaults, "list-faults", false, "print the faults and end")
	flags.StringVar(&f.capture, "capture", "", "write every frame to this pcapng file")
	flags.BoolVar(&f.captureSecrets, "capture-secrets", false,
		"put the TLS secrets into the capture: whoever has the file can read PIN and tickets")
	return c
}

func listFaults(sys system) error {
	faults, err := configs.Faults()
	if err != nil {
		return err
	}
	for _, fault := range faults {
		if _, err := fmt.Fprintf(sys.out, "%-36s %s\n", fault.Name, fault.Description); err != nil {
			return err
		}
	}
	return nil
}

// options checks the flags and makes a run of them.
func (f bootFlags) options(sys system) (o rig.Options, err error) {
	if f.lab == "" {
		return o, usage("boot needs --lab: this version boots against a lab pool")
	}
	if f.output != "list" && f.output != "json" {
		return o, usage("-o takes list or json, not %q", f.output)
	}
	if f.captureSecrets && f.capture == "" {
		return o, usage("--capture-secrets needs --capture")
	}
	if f.timeout <= 0 {
		return o, usage("--timeout must be more than 0")
	}
	if f.targetFQDN == "" && f.targetURI != "" {
		return o, usage("--target-uri needs --target-fqdn")
	}
	if o.Lab, err = configs.LoadLab(f.lab); err != nil {
		return o, usage("%w", err)
	}
	if o.Profile, err = configs.LoadProfile(f.profile); err != nil {
		return o, usage("%w", err)
	}
	if !o.Profile.PIN {
		return o, usage("%s signs in with user name and password, not with a PIN; this version cannot", o.Profile.Name)
	}
	if f.mac != "" {
		if o.MAC, err = net.ParseMAC(f.mac); err != nil || len(o.MAC) != 6 || o.MAC[0]&1 != 0 {
			return o, usage("--mac: %q is no MAC address of one station", f.mac)
		}
	}
	if f.flash != "" {
		o.Flash = handset.FlashDir(f.flash)
		name := strings.TrimSuffix(filepath.Base(f.lab), filepath.Ext(f.lab))
		o.LabState = filepath.Join(f.flash, "lab-"+name+".json")
	}
	if o.Credentials, err = f.credentials(sys); err != nil {
		return o, err
	}
	if o.Credentials.Number == "" {
		o.Credentials = rig.FirstUser(o.Lab)
	}
	o.Credentials.ExpectedSIP = f.sipAddress
	o.Target = handset.Target{FQDN: f.targetFQDN, URI: f.targetURI, Port: f.registrarPort}
	o.Faults, o.Timeout, o.Capture, o.CaptureSecrets = f.faults, f.timeout, f.capture, f.captureSecrets
	if err := rig.CheckFaults(o.Faults, o.Lab.Name); err != nil {
		return o, usage("--fault: %w", err)
	}
	return o, nil
}

func (f bootFlags) credentials(sys system) (c handset.Credentials, err error) {
	if f.number == "" {
		if f.pin != "" || f.pinFile != "" {
			return c, usage("a PIN needs --phone-or-ext")
		}
		return c, nil
	}
	if strings.Trim(f.number, "+0123456789") != "" || len(f.number) > 32 {
		return c, usage("--phone-or-ext: %q is no phone number or extension", f.number)
	}
	var pin secret.Value
	if pin, err = readPIN(sys, f.pin, f.pinFile); err != nil {
		return c, err
	}
	return handset.Credentials{Number: f.number, PIN: pin}, nil
}

func boot(ctx context.Context, sys system, f bootFlags, o rig.Options) error {
	o.Observers = append(o.Observers, report.Progress(sys.err, f.verbose))
	run, err := rig.Start(o)
	if err != nil {
		var problem *rig.ComputerError
		if errors.As(err, &problem) {
			return lacking(err)
		}
		return usage("%w", err)
	}
	result := run.Boot(ctx)
	report.WriteLast(sys.err, result)
	written := f.write(sys, result)
	if f.stay && result.Result == report.Success && written == nil {
		run.Timeline.Observe(report.Diary(report.NewDiary(sys.err)))
		if result = run.Stay(ctx); result.Result != report.Success {
			written = f.write(sys, result)
		}
	}
	if err := errors.Join(written, run.Close()); err != nil {
		return lacking(err)
	}
	switch {
	case result.Result == report.Success && (f.stay || ctx.Err() == nil):
		return nil
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	}
	return &exitError{code: exitFailed, err: errors.New(result.Code), silent: true}
}

func (f bootFlags) write(sys system, result report.Result) error {
	if f.output == "json" {
		return report.WriteJSON(sys.out, result)
	}
	return report.WriteList(sys.out, result)
}
