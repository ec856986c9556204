package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/format"
	scenariorun "github.com/phone-edition/lpe/scenarios/run"
)

// placeFlags are the flags that say where a pool is, as given.
type placeFlags struct {
	place rig.Place
	port  uint16
	ask   *cobra.Command // which flags were given
}

// placeFlag is the flag of each field of a place.
var placeFlag = map[string]string{
	rig.PlaceFQDN: "target-fqdn", rig.PlaceURI: "target-uri", rig.PlaceAddress: "target-address", rig.PlacePort: "registrar-port",
	rig.PlaceCA: "ca", rig.PlaceDNS: "dns", rig.PlaceDomain: "domain",
}

// declare defines the flags.
func (f *placeFlags) declare(c *cobra.Command) {
	f.ask = c
	flags := c.Flags()
	flags.StringVar(&f.place.FQDN, "target-fqdn", "", "registrar; skips discovery")
	flags.StringVar(&f.place.URI, "target-uri", "", "certificate provisioning URL (default: the one that DHCP tells, or the registrar that --target-fqdn names)")
	flags.StringVar(&f.place.Address, "target-address", "", "address of the registrar that --target-fqdn names: try this front end")
	flags.Uint16Var(&f.port, "registrar-port", sipTLSPort, "port of the registrar, with --target-fqdn")
	flags.StringVar(&f.place.CA, "ca", "", "trust the certificates in this PEM file instead of the chain that is downloaded")
	flags.StringVar(&f.place.DNS, "dns", "", "address of the DNS server to ask (default: the lease's, or this computer's)")
	flags.StringVar(&f.place.Domain, "domain", "", "DNS domain (default: the lease's, or this computer's)")
}

// given is the place that the flags name.
func (f placeFlags) given() (rig.Place, error) {
	p := f.place
	if f.ask.Flags().Changed("registrar-port") {
		if f.port == 0 {
			return p, usage("--registrar-port: 1 to 65535 expected")
		}
		p.Port = int(f.port)
	}
	return p, nil
}

// locate puts a place that flags name into the options.
func locate(o *rig.Options, p rig.Place) (first error) {
	o.Locate(p, func(field string, err error) {
		switch {
		case first != nil:
		case errors.Is(err, rig.ErrNeedsFQDN):
			first = usage("--%s needs --target-fqdn: a registrar that is discovered is asked at port %d of the address that DNS tells", placeFlag[field], sipTLSPort)
		default:
			first = usage("--%s: %w", placeFlag[field], err)
		}
	})
	return first
}

// realCable defines the flags that have scenarios run at a real pool: which cable, where the pool is, who signs in.
func realCable(c *cobra.Command, o *scenariorun.Options, f *placeFlags, who *credentialFlags) {
	flags := c.Flags()
	flags.StringVar(&o.Interface, "interface", "", "join the segment of this interface as a host of its own")
	flags.BoolVar(&o.Host, "host", false, "use this computer's own sockets, address and resolver")
	f.declare(c)
	who.declare(c, "as the steps say; sign_in is a user of the lab, and needs this at a real pool")
}

// onRealCable checks those flags. What a flag says goes before what the target of a scenario says.
func (f placeFlags) onRealCable(o *scenariorun.Options, list ...*format.Scenario) error {
	var err error
	if o.Place, err = f.given(); err != nil {
		return err
	}
	switch {
	case o.Interface != "" && o.Host:
		return usage("give --interface or --host, not both")
	case !o.Real() && o.Place != rig.Place{}:
		return usage("--%s needs --interface or --host: without them the pool is a lab in this process", f.first())
	}
	for _, s := range list {
		if err := locate(&rig.Options{}, o.Place.Over(s.Target)); err != nil {
			return err
		}
	}
	return nil
}

// first is one of the flags that were given.
func (f placeFlags) first() (name string) {
	for _, flag := range placeFlag {
		if f.ask.Flags().Changed(flag) && (name == "" || flag < name) {
			name = flag
		}
	}
	return name
}
