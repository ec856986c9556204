package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
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
			options, err := f.options(c, sys)
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
		takes := map[string]string{"duration": " Takes :DURATION, such as :5s.", "times": " Takes :TIMES, such as :3."}[fault.Parameter]
		if _, err := fmt.Fprintf(sys.out, "%-36s %s%s\n", fault.Name, fault.Description, takes); err != nil {
			return err
		}
	}
	return nil
}

// options checks the flags and makes a run of them.
func (f bootFlags) options(c *cobra.Command, sys system) (o rig.Options, err error) {
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
	if o.Target, err = f.target(c.Flags().Changed("registrar-port")); err != nil {
		return o, err
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
		if o.MAC, err = net.ParseMAC(f.mac); err != nil || len(o.MAC) != 6 || o.MAC[0]&1 != 0 || slices.Max(o.MAC) == 0 {
			return o, usage("--mac: %q is no MAC address of one station", f.mac)
		}
	}
	if f.flash != "" {
		flash := handset.FlashDir(f.flash)
		if err := flash.Check(); err != nil {
			return o, flashError(err)
		}
		o.Flash = flash
		name := strings.TrimSuffix(filepath.Base(f.lab), filepath.Ext(f.lab))
		o.LabState = filepath.Join(f.flash, "lab-"+name+".json")
	}
	if o.Credentials, err = f.credentials(c.Context(), sys); err != nil {
		return o, err
	}
	if o.Credentials.Number == "" {
		o.Credentials = rig.FirstUser(o.Lab)
	}
	o.Credentials.ExpectedSIP = f.sipAddress
	o.Faults, o.Timeout, o.Capture, o.CaptureSecrets = f.faults, f.timeout, f.capture, f.captureSecrets
	if c.Flags().Changed("fault") && len(o.Faults) == 0 {
		return o, usage("--fault: STAGE=KIND expected, see --list-faults")
	}
	if err := rig.CheckFaults(o.Faults); err != nil {
		return o, usage("--fault: %w", err)
	}
	return o, nil
}

// flashError tells a flash that the computer does not let be read or written from one that is damaged.
func flashError(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return lacking(fmt.Errorf("--flash: %w", err))
	}
	return usage("--flash: %w", err)
}

var (
	numberText = regexp.MustCompile(`^\+?[0-9]{1,32}$`)
	fqdnText   = regexp.MustCompile(`(?i)^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// target checks what replaces discovery.
func (f bootFlags) target(withPort bool) (handset.Target, error) {
	t := handset.Target{FQDN: strings.TrimSuffix(f.targetFQDN, "."), URI: f.targetURI, Port: f.registrarPort}
	switch {
	case f.targetFQDN == "" && f.targetURI != "":
		return t, usage("--target-uri needs --target-fqdn")
	case f.targetFQDN == "" && withPort:
		return t, usage("--registrar-port needs --target-fqdn")
	case f.targetFQDN == "":
		return handset.Target{}, nil
	case !fqdnText.MatchString(t.FQDN) || len(t.FQDN) > 253:
		return t, usage("--target-fqdn: %q is no fully qualified domain name, such as pool.contoso.com", f.targetFQDN)
	case t.Port == 0:
		return t, usage("--registrar-port: 1 to 65535 expected")
	}
	if t.URI != "" {
		u, err := url.Parse(t.URI)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
			return t, usage("--target-uri: %q is no http or https URL", t.URI)
		}
	}
	return t, nil
}

func (f bootFlags) credentials(ctx context.Context, sys system) (c handset.Credentials, err error) {
	if f.number == "" {
		if f.pin != "" || f.pinFile != "" {
			return c, usage("a PIN needs --phone-or-ext")
		}
		return c, nil
	}
	if !numberText.MatchString(f.number) {
		return c, usage("--phone-or-ext: %q is no phone number or extension", f.number)
	}
	var pin secret.Value
	if pin, err = readPIN(ctx, sys, f.pin, f.pinFile); err != nil {
		return c, err
	}
	return handset.Credentials{Number: f.number, PIN: pin}, nil
}

func boot(ctx context.Context, sys system, f bootFlags, o rig.Options) error {
	o.Observers = append(o.Observers, report.Progress(sys.err, f.verbose))
	run, err := rig.Start(o)
	if err != nil {
		var problem *rig.ComputerError
		var file *fs.PathError
		if errors.As(err, &problem) || errors.As(err, &file) {
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
