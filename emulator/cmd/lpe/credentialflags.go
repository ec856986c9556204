package main

import (
	"context"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/credentials"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/scenarios/format"
	scenariorun "github.com/phone-edition/lpe/scenarios/run"
)

// credentialFlags are the flags that say who signs in, as given.
type credentialFlags struct {
	number, pin, pinFile string
	user, passwordFile   string
	ask                  *cobra.Command // which flags were given
}

// credentialFlag are their names.
var credentialFlag = []string{"phone-or-ext", "user", "pin", "pin-file", "password-file"}

// declare defines the flags; without says who signs in without them.
func (f *credentialFlags) declare(c *cobra.Command, without string) {
	f.ask = c
	flags := c.Flags()
	flags.StringVar(&f.number, "phone-or-ext", "", "phone number or extension to sign in with (default: "+without+")")
	flags.StringVar(&f.pin, "pin", "", "PIN; others can see it in the process list, prefer --pin-file or LPE_PIN")
	flags.StringVar(&f.pinFile, "pin-file", "", "file that holds the PIN; refused if others can read it")
	flags.StringVar(&f.user, "user", "", `user name to sign in with, DOMAIN\user or user@domain: on the CX700, or on a phone that is tethered by USB`)
	flags.StringVar(&f.passwordFile, "password-file", "", "file that holds the user's password; refused if others can read it (or LPE_PASSWORD)")
}

// maxUser is longer than any user principal name, 64 and 256 characters and an @.
const maxUser = 512

var userText = regexp.MustCompile(`^[^\pC\\@:]+([\\@][^\pC\\@:]+)?$`) // a colon ends the user in Basic

// given is who signs in, without PIN and password; nobody if no flag says it.
func (f credentialFlags) given() (c handset.Credentials, err error) {
	switch {
	case f.number != "" && f.user != "":
		return c, usage("give --phone-or-ext or --user, not both")
	case f.number == "" && (f.pin != "" || f.pinFile != ""):
		return c, usage("a PIN needs --phone-or-ext")
	case f.user == "" && f.passwordFile != "":
		return c, usage("--password-file needs --user")
	case f.user != "" && (len(f.user) > maxUser || !userText.MatchString(f.user)):
		return c, usage(`--user: %q is no user name such as LITWARE\kenmyer or kenmyer@litwareinc.com`, f.user)
	case f.number != "":
		if err := credentials.CheckNumber(f.number); err != nil {
			return c, usage("--phone-or-ext: %w", err)
		}
	}
	return handset.Credentials{Number: f.number, User: f.user}, nil
}

// signsInOn refuses credentials that a profile has no way to take.
func signsInOn(p *configs.Profile, c handset.Credentials) error {
	switch {
	case c.Number != "" && !p.PIN:
		return usage("%s signs in with user name and password, not with a PIN: give --user", p.Name)
	case c.User != "" && !p.Password:
		return usage("%s signs in with number and PIN alone, it cannot be tethered: give --phone-or-ext", p.Name)
	}
	return nil
}

// enter reads the PIN or the password of who signs in.
func (f credentialFlags) enter(ctx context.Context, sys system, c *handset.Credentials) (err error) {
	switch {
	case c.Number != "":
		c.PIN, err = readPIN(ctx, sys, f.pin, f.pinFile)
	case c.User != "":
		c.Password, err = readPassword(ctx, sys, f.passwordFile)
	}
	return err
}

// first is one of the flags that were given, "" if none was.
func (f credentialFlags) first() string {
	i := slices.IndexFunc(credentialFlag, f.ask.Flags().Changed)
	if i < 0 {
		return ""
	}
	return credentialFlag[i]
}

// atRealPool puts who signs in into the options of scenarios, checks those, and reads PIN or password once they are in order.
func (f credentialFlags) atRealPool(ctx context.Context, sys system, o *scenariorun.Options, virtual bool, list ...*format.Scenario) error {
	if name := f.first(); name != "" {
		if !o.Real() {
			return usage("--%s needs --interface or --host: without them the pool is a lab in this process, and its users sign in", name)
		}
		who, err := f.given()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(list, func(s *format.Scenario) bool { return s.SignsIn() != "" }) {
			return usage("--%s says who signs in where a step is sign_in, and no step is: dial and enter_pin, or login, say it, or nobody signs in", name)
		}
		o.SignsIn = &who
	}
	for _, s := range list {
		if err := scenariorun.Check(s, *o, virtual); err != nil {
			return usage("%w", err)
		}
	}
	if o.SignsIn == nil {
		return nil
	}
	return f.enter(ctx, sys, o.SignsIn)
}
