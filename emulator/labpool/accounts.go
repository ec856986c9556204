package labpool

import (
	"slices"
	"strings"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
)

// newDirectory fills the directory, and finds whom its faults strike.
func (p *Pool) newDirectory() (*directory.Directory, error) {
	cfg := directory.Config{Policy: p.cfg.Lab.Policy, Now: p.cfg.Now}
	for _, u := range p.cfg.Lab.Users {
		cfg.Accounts = append(cfg.Accounts, directory.Account{
			User: directory.User{SIPAddress: u.SIPAddress, LineURI: u.LineURI, Enabled: u.Enabled},
			PIN:  u.PIN, Login: u.Login, Password: u.Password, Locked: u.Locked,
		})
		if p.dialled == "" && dials(p.cfg.DialledNumber, u.LineURI) {
			p.dialled = u.SIPAddress
		}
	}
	return directory.New(cfg)
}

// dials reports whether a number dials a line; none dials every line that can be dialled.
func dials(number, lineURI string) bool {
	numbers := configs.LineNumbers(lineURI)
	return number == "" && len(numbers) > 0 || slices.Contains(numbers, strings.TrimPrefix(number, "+"))
}

// sipOf is the SIP address of the user whom a name means, as [directory.Directory.Find] has it.
func (p *Pool) sipOf(who string) (string, bool) {
	u, err := p.Directory.Find(who)
	return u.SIPAddress, err == nil
}
