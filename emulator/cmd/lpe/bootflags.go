package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/credentials"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/probe"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

const (
	defaultLab = "litware"
	sipTLSPort = 5061
)

// bootFlags are the flags of `lpe boot` as given.
type bootFlags struct {
	lab, sipAddress string
	credentialFlags
	placeFlags
	profile, mac, flash          string
	timeout                      time.Duration
	stay, verbose, listFaults    bool
	output                       string // of dhcp discover
	faults                       []string
	capture, record              string
	captureSecrets               bool
	iface                        string
	host, allAddresses, retryPIN bool
	compareWarm                  bool
	outputs                      outputFlags
	users                        usersFlags
}

// declare defines the flags.
func (f *bootFlags) declare(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.lab, "lab", "", "boot against this lab pool, a name or a file (default litware)")
	flags.Lookup("lab").NoOptDefVal = defaultLab
	f.credentialFlags.declare(c, "the lab's first user")
	flags.StringVar(&f.sipAddress, "user-sip-address", "", "SIP address that the credentials must belong to")
	f.placeFlags.declare(c)
	flags.StringVar(&f.profile, "profile", rig.DefaultProfile, "model and firmware, see 'lpe profile list', or a profile's .yaml file")
	flags.StringVar(&f.mac, "mac", "", "MAC address (default: the model's OUI and three bytes derived from profile and user)")
	flags.StringVar(&f.flash, "flash", "", "directory of the handset's flash, and of the lab's certificates; with it the next boot is warm")
	flags.BoolVar(&f.compareWarm, "compare-warm", false, "boot with full flash and with wiped flash, and tell where they part; --flash is the full one and stays as it is")
	flags.DurationVar(&f.timeout, "timeout", 45*time.Second, "end the boot after this time")
	flags.BoolVar(&f.stay, "stay", false, "stay signed in until interrupted, and keep a diary on standard error; Ctrl-C signs off and is success")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print each message and decision on standard error, in the manner of the cmdlet's -Verbose")
	f.outputs.declare(c)
	f.users.declare(c)
	flags.StringSliceVar(&f.faults, "fault", nil, "faults of the lab, STAGE=KIND[:PARAM][,…], see --list-faults")
	flags.BoolVar(&f.listFaults, "list-faults", false, "print the faults and end")
	flags.StringVar(&f.capture, "capture", "", "write every frame to this pcapng file")
	flags.BoolVar(&f.captureSecrets, "capture-secrets", false,
		"put the TLS secrets into the capture: whoever has the file can read PIN and tickets")
	flags.StringVar(&f.record, "record", "", "write a scenario of the boot with every message, secrets masked, to this file, which only you can read")
	flags.StringVar(&f.iface, "interface", "", "join the segment of this interface as a host of its own")
	flags.BoolVar(&f.host, "host", false, "use this computer's own sockets, address and resolver")
	flags.BoolVar(&f.allAddresses, "all-addresses", false, "boot once against each address of --target-fqdn, one result each")
	flags.BoolVar(&f.retryPIN, "retry-pin", false, "send a PIN or password again that the pool has refused before; it may lock the user out")
	completeWith(c, "profile", configs.Profiles)
	completeWith(c, "lab", configs.Labs)
	completeWith(c, "fault", faultNames)
	completeWith(c, "labels", func() []string { return []string{"joined", "spaced"} })
}

// options checks the flags and makes a run of them.
func (f bootFlags) options(c *cobra.Command, sys system) (o rig.Options, err error) {
	if err := f.checkCable(); err != nil {
		return o, err
	}
	if f.captureSecrets && f.capture == "" {
		return o, usage("--capture-secrets needs --capture")
	}
	if f.timeout <= 0 {
		return o, usage("--timeout must be more than 0")
	}
	place, err := f.placeFlags.given()
	if err == nil {
		err = f.checkAddresses(place)
	}
	if err == nil {
		err = locate(&o, place)
	}
	if err != nil {
		return o, err
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
	if f.flash != "" {
		flash := handset.FlashDir(f.flash)
		if err := flash.Check(); err != nil {
			return o, flashError(err)
		}
		o.Flash = flash
		if f.lab != "" {
			name := strings.TrimSuffix(filepath.Base(f.lab), filepath.Ext(f.lab))
			o.LabState = filepath.Join(f.flash, "lab-"+name+".json")
		}
	}
	if o.Credentials, err = f.credentialFlags.given(); err != nil {
		return o, err
	}
	if err := signsInOn(o.Profile, o.Credentials); err != nil {
		return o, err
	}
	if err := f.credentialFlags.enter(c.Context(), sys, &o.Credentials); err != nil {
		return o, err
	}
	if o.Credentials == (handset.Credentials{}) && f.users.file == "" {
		if o.Lab == nil {
			return o, usage("boot needs --phone-or-ext and a PIN, or --user and a password; only a lab has a first user")
		}
		o.Credentials = rig.FirstUser(o.Lab, o.Profile)
	}
	if f.sipAddress != "" {
		if err := credentials.CheckSIP(f.sipAddress); err != nil {
			return o, usage("--user-sip-address: %w", err)
		}
	}
	o.Credentials.ExpectedSIP = f.sipAddress
	o.Interface, o.Host, o.RetryRefused, o.Further = f.iface, f.host, f.retryPIN, probe.Look
	o.Faults, o.Timeout, o.Capture, o.CaptureSecrets = f.faults, f.timeout, f.capture, f.captureSecrets
	if c.Flags().Changed("fault") && len(o.Faults) == 0 {
		return o, usage("--fault: STAGE=KIND expected, see --list-faults")
	}
	if err := rig.CheckFaults(o.Faults, o.Credentials); err != nil {
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

// checkAddresses wants one of the ways to choose the registrar's address.
func (f bootFlags) checkAddresses(p rig.Place) error {
	switch {
	case p.FQDN == "" && f.allAddresses:
		return usage("--all-addresses needs --target-fqdn")
	case p.Address != "" && f.allAddresses:
		return usage("give --target-address or --all-addresses, not both")
	}
	return nil
}

// checkFiles wants a file of its own for each thing that is written.
func (f bootFlags) checkFiles(outputs *report.Outputs) error {
	writes := map[string]string{}
	for _, one := range append(outputs.Files(), [2]string{"--capture", f.capture}, [2]string{"--record", f.record}) {
		flag, path := one[0], one[1]
		if path == "" {
			continue
		}
		path = filepath.Clean(path)
		if other, taken := writes[path]; taken {
			return usage("%s and %s would both write %s", other, flag, path)
		}
		writes[path] = flag
	}
	return nil
}

// checkCable wants one way to a pool, and only flags that mean something there.
func (f bootFlags) checkCable() error {
	ways := 0
	for _, given := range []bool{f.lab != "", f.iface != "", f.host} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return usage("give one of --lab, --interface and --host")
	case f.lab == "" && len(f.faults) > 0:
		return usage("--fault needs --lab: no fault is made in a real pool")
	case f.host && f.capture != "":
		return usage("--capture needs --lab or --interface: no frames pass here with --host, use tcpdump")
	case f.allAddresses && f.stay:
		return usage("--stay and --all-addresses exclude each other")
	case f.record != "" && f.allAddresses:
		return usage("--record and --all-addresses exclude each other: it is several boots")
	}
	return nil
}

func (f bootFlags) macAddress() (net.HardwareAddr, error) {
	if f.mac == "" {
		return nil, nil
	}
	mac, err := net.ParseMAC(f.mac)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 || slices.Max(mac) == 0 {
		return nil, usage("--mac: %q is no MAC address of one station", f.mac)
	}
	return mac, nil
}
