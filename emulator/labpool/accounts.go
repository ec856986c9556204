package labpool

import (
	"slices"
	"strings"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// otherPIN and otherPassword replace the user's when a fault makes the entered one wrong.
const (
	otherPIN      = "864209"
	otherPassword = "Changed-since-then"
)

// newDirectory fills the directory and puts its faults on the user who signs in.
func (p *Pool) newDirectory() (*directory.Directory, error) {
	lab := p.cfg.Lab
	cfg := directory.Config{
		Policy: lab.Policy, Now: p.cfg.Now, Lab: lab.Name, State: p.cfg.DirectoryState,
		Unsaved: func(err error) {
			p.Timeline.Add(timeline.Observation{Kind: timeline.Note, Text: "directory not saved: " + err.Error()})
		},
	}
	meant := "" // SIP address of the user who signs in
	for _, u := range lab.Users {
		cfg.Accounts = append(cfg.Accounts, directory.Account{
			User: directory.User{SIPAddress: u.SIPAddress, LineURI: u.LineURI, Enabled: u.Enabled},
			PIN:  u.PIN, Login: u.Login, Password: u.Password, Locked: u.Locked,
		})
		if meant == "" && p.signsIn(u) {
			meant = u.SIPAddress
			if p.on("ticket=not-unique") {
				twin := cfg.Accounts[len(cfg.Accounts)-1]
				twin.SIPAddress, twin.Login = "sip:twin@"+lab.SIPDomain, ""
				cfg.Accounts = append(cfg.Accounts, twin)
			}
		}
	}
	d, err := directory.New(cfg)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name  string
		apply func(string) error
	}{
		{"ticket=wrong-pin", func(sip string) error { return d.SetPIN(sip, otherPIN) }},
		{"ticket=unknown-number", func(sip string) error { return d.SetLineURI(sip, "") }},
		{"ticket=pin-locked", d.Lock},
		{"ticket=pin-unset", d.ClearPIN},
		{"ticket=pin-expired", d.ExpirePIN},
		{"ticket=user-disabled", d.Disable},
		{"ticket=wrong-password", func(sip string) error { return d.SetPassword(sip, otherPassword) }},
	} {
		if meant == "" || !p.on(f.name) {
			continue
		}
		if err := f.apply(meant); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// signsIn reports whether the number or the login is the user's.
func (p *Pool) signsIn(u configs.User) bool {
	if p.cfg.DialledNumber == "" {
		user, ok := p.cfg.Lab.ByLogin(p.cfg.Login)
		return ok && user.Name == u.Name
	}
	return slices.Contains(configs.LineNumbers(u.LineURI), strings.TrimPrefix(p.cfg.DialledNumber, "+"))
}

// ApplyCableFaults strikes the cable of the named station.
func (p *Pool) ApplyCableFaults(station string) {
	if cable, ok := p.cfg.Cable.(Switch); ok && p.on("link=no-carrier") {
		cable.SetCarrier(station, false)
	}
}
