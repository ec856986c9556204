package labpool

import (
	"slices"
	"strings"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// newDirectory fills the directory, and finds whom its faults strike.
func (p *Pool) newDirectory() (*directory.Directory, error) {
	lab := p.cfg.Lab
	cfg := directory.Config{
		Policy: lab.Policy, Now: p.cfg.Now, Lab: lab.Name, State: p.cfg.DirectoryState,
		Unsaved: func(err error) {
			p.Timeline.Add(timeline.Observation{Kind: timeline.Note, Text: "directory not saved: " + err.Error()})
		},
	}
	for _, u := range lab.Users {
		cfg.Accounts = append(cfg.Accounts, directory.Account{
			User: directory.User{SIPAddress: u.SIPAddress, LineURI: u.LineURI, Enabled: u.Enabled},
			PIN:  u.PIN, Login: u.Login, Password: u.Password, Locked: u.Locked,
		})
		if p.dialled == "" && p.signsIn(u) {
			p.dialled = u.SIPAddress
		}
	}
	return directory.New(cfg)
}

// signsIn reports whether the number or the login is the user's; without either whoever has a number signs in.
func (p *Pool) signsIn(u configs.User) bool {
	numbers := configs.LineNumbers(u.LineURI)
	switch {
	case p.cfg.DialledNumber != "":
		return slices.Contains(numbers, strings.TrimPrefix(p.cfg.DialledNumber, "+"))
	case p.cfg.Login != "":
		user, ok := p.cfg.Lab.ByLogin(p.cfg.Login)
		return ok && user.Name == u.Name
	}
	return len(numbers) > 0
}

// sipOf is the SIP address of the user whom a name means, as [directory.Directory.Find] has it.
func (p *Pool) sipOf(who string) (string, bool) {
	u, err := p.Directory.Find(who)
	return u.SIPAddress, err == nil
}
