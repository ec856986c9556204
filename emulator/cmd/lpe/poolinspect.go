package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/probe"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

const inspectLong = `inspect looks at what a pool shows to everybody, and judges it as a handset of the profile would: the registrar's TLS versions, suites,
certificates and its challenge to a REGISTER without credentials (port 5061), the certificate provisioning URL that it names, the web
services' TLS (443), the metadata of both services in both forms, and the root chain by http (80). It makes some thirty connections to
each port. Nobody is signed in and no credentials are sent. What does not answer is told and does not end the look.

Name the pool, or the URL of certificate provisioning (DHCP option 43). Each obstacle and warning says what was seen, what it means to
the phone and what to do; an obstacle has the code that a boot would end with, see 'lpe explain'.

--save writes a lab file that imitates what was seen, as far as a lab can: 'lpe boot --lab FILE' boots against it, 'lpe pool serve --lab FILE'
serves it. Comments in it say what it does not imitate; network, user and PIN are invented.

Exit code 0: a handset would sign in, as far as can be told without a user. 1: it would not.`

func poolInspectCommand(sys system) *cobra.Command {
	var f inspectFlags
	c := command("inspect FQDN|URL", "Look at a real pool without signing in", inspectLong,
		"  lpe pool inspect pool.contoso.com\n  lpe pool inspect pool.contoso.com -o json --save contoso.yaml\n"+
			"  lpe pool inspect https://web.contoso.com:443/CertProv/CertProvisioningService.svc --dns 192.0.2.53 --ca root.pem",
		func(c *cobra.Command, args []string) error {
			options, subject, err := f.options(args[0])
			if err != nil {
				return err
			}
			return inspect(c.Context(), sys, f, options, subject)
		})
	c.Args = oneName
	flags := c.Flags()
	flags.StringVar(&f.profile, "profile", rig.DefaultProfile, "model and firmware to judge for, see 'lpe profile list'")
	completeWith(c, "profile", configs.Profiles)
	flags.StringVar(&f.address, "address", "", "address of all hosts of the pool, whatever DNS says")
	flags.StringVar(&f.dns, "dns", "", "address of the DNS server to ask (default: this computer's)")
	flags.StringVar(&f.ca, "ca", "", "check with the certificates in this PEM file instead of the chain that is downloaded")
	flags.Uint16Var(&f.sipTLSPort, "sip-tls-port", sipTLSPort, "port of the registrar")
	flags.Uint16Var(&f.httpPort, "http-port", 80, "port of the root chain")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "end the look after this time")
	flags.StringVar(&f.save, "save", "", "write a lab that imitates the pool to this file")
	flags.StringVarP(&f.output, "output", "o", "list", "list or json")
	return c
}

// inspectFlags are the flags of `lpe pool inspect` as given.
type inspectFlags struct {
	profile, address, dns, ca, output, save string
	sipTLSPort, httpPort                    uint16
	timeout                                 time.Duration
}

// options checks what is given.
func (f inspectFlags) options(name string) (o rig.Options, s probe.Subject, err error) {
	if s, err = subjectOf(name); err != nil {
		return o, s, err
	}
	s.SIPPort, s.HTTPPort = f.sipTLSPort, f.httpPort
	switch {
	case f.sipTLSPort == 0:
		return o, s, usage("--sip-tls-port: 1 to 65535 expected")
	case f.httpPort == 0:
		return o, s, usage("--http-port: 1 to 65535 expected")
	case f.timeout <= 0:
		return o, s, usage("--timeout must be more than 0")
	case f.output != "list" && f.output != "json":
		return o, s, usage("-o takes list or json, not %q", f.output)
	}
	if o.Profile, err = configs.ProfileOf(f.profile); err != nil {
		return o, s, usage("%w", err)
	}
	if f.dns != "" {
		if o.Network.DNS, err = rig.IPv4(f.dns); err != nil {
			return o, s, usage("--dns: %w", err)
		}
	}
	if f.address != "" {
		if o.Network.Hosts, err = rig.IPv4(f.address); err != nil {
			return o, s, usage("--address: %w", err)
		}
	}
	if o.Authorities, err = rig.ReadAuthorities(f.ca); err != nil {
		return o, s, usage("--ca: %w", err)
	}
	o.Host, o.Timeout = true, f.timeout
	return o, s, nil
}

// subjectOf reads a pool's FQDN, or the URL of certificate provisioning.
func subjectOf(name string) (s probe.Subject, err error) {
	if !strings.Contains(name, "://") {
		s.Registrar = strings.ToLower(strings.TrimSuffix(name, "."))
		if rig.CheckFQDN(s.Registrar) != nil {
			return s, usage("%q is neither a fully qualified domain name, such as pool.contoso.com, nor a URL", name)
		}
		return s, nil
	}
	if s.URL, err = rig.CertificateURL(name); err != nil {
		return s, usage("%w", err)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return s, usage("%w", err)
	}
	if u.Scheme != "https" {
		return s, usage("%q: certificate provisioning has an https URL", name)
	}
	if rig.CheckFQDN(u.Hostname()) != nil {
		return s, usage("the URL's host is %q: its name is expected, certificates are for names", u.Hostname())
	}
	s.Registrar = strings.ToLower(u.Hostname())
	return s, nil
}

func inspect(ctx context.Context, sys system, f inspectFlags, o rig.Options, s probe.Subject) error {
	got, err := probe.Inspect(ctx, o, s)
	if err != nil {
		return startError(err)
	}
	if ctx.Err() != nil {
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	}
	if f.output == "json" {
		err = report.WriteObjectsJSON(sys.out, got)
	} else {
		err = report.WriteInspection(sys.out, got)
	}
	if err == nil && f.save != "" {
		err = saveLab(f.save, got)
	}
	switch {
	case errors.Is(err, probe.ErrNothingSeen):
		return &exitError{code: exitFailed, err: fmt.Errorf("--save: %w", err)}
	case err != nil:
		return lacking(err)
	case !got.WouldSignIn:
		return &exitError{code: exitFailed, err: errors.New("a handset would not sign in"), silent: true}
	}
	return nil
}

func saveLab(file string, got report.Inspection) error {
	text, err := probe.Imitate(got)
	if err != nil {
		return err
	}
	return wholefile.Write(file, text)
}
