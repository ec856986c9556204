package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/emulator/rig"
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

// locate puts a place that flags name into the options. Without its FQDN it is a part of one where partly is set.
func locate(o *rig.Options, p rig.Place, partly bool) (first error) {
	o.Locate(p, func(field string, err error) {
		switch needs := errors.Is(err, rig.ErrNeedsFQDN); {
		case first != nil || needs && partly:
		case needs:
			first = usage("--%s needs --target-fqdn", placeFlag[field])
		default:
			first = usage("%w", fmt.Errorf("--%s: %w", placeFlag[field], err))
		}
	})
	return first
}
