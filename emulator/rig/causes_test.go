package rig_test

import (
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
)

const oldCX700 = "polycom-cx700-3.5.6907.187"

// cause is a documented reason why a phone does not sign in, and how it is met here.
type cause struct {
	source, text string
	faults       []string
	change       func(*setting)
	profile      string // "": the default
	code         string // "": the handset boots
	warning      string
}

func expect(sip string) func(*setting) {
	return func(s *setting) { s.Credentials.ExpectedSIP = sip }
}

// byPassword signs in through a computer that the phone is tethered to.
func byPassword(s *setting) { s.Credentials = login(s.Lab.Users[0]) }

// causes are all of Microsoft's page on testing the login, of handset.md §5 and of discovery.md §4 to §6, but for those
// after the sign-in at Exchange (handset.md §5.2 #7, #8, §5.4), to which this handset does not speak, and a firmware
// that crashes (§5.2 #10).
var causes = []cause{
	{source: "testing the login", text: "the SIP address is not valid", change: expect("sip:kenmeyer@litwareinc.com"), code: "ticket.other-user"},
	{source: "testing the login", text: "the PIN is not valid", faults: []string{"ticket=wrong-pin"}, code: "ticket.refused"},
	{source: "testing the login", text: "the user has no PIN", faults: []string{"ticket=pin-unset"}, code: "ticket.refused"},
	{source: "testing the login", text: "the phone number is not valid", faults: []string{"ticket=unknown-number"}, code: "ticket.refused"},
	{source: "testing the login", text: "the pool is not DHCP-enabled", faults: []string{"discovery=responder-off"}, code: "discovery.no-certprov-url", warning: "discovery.inform-unanswered"},
	{source: "testing the login", text: "the Web Ticket service does not respond", faults: []string{"ticket=timeout"}, code: "ticket.timeout"},
	{source: "testing the login", text: "the Web Ticket service has a problem", faults: []string{"ticket=http-500"}, code: "ticket.http-500"},

	{source: "handset.md §5.2 #1", text: "no lease", faults: []string{"address=silent"}, code: "address.no-offer"},
	{source: "handset.md §5.2 #1", text: "the switch gives no VLAN", faults: []string{"vlan=silent"}},
	{source: "handset.md §5.2 #1", text: "cable in the wrong port", faults: []string{"link=no-carrier"}, code: "link.no-carrier"},
	{source: "handset.md §5.2 #3", text: "option 43 URL stale", faults: []string{"discovery=option43-wrong-host"}, code: "chain.unresolved"},
	{source: "handset.md §5.2 #3", text: "option 43 URL wrong", faults: []string{"chain=http-404"}, code: "chain.http-404"},
	{source: "handset.md §5.2 #3", text: "web service down", faults: []string{"web=refused"}, code: "chain.refused"},
	{source: "handset.md §5.2 #4", text: "chain download disabled", faults: []string{"chain=off"}, code: "chain.off"},
	{source: "handset.md §5.2 #4", text: "root CA not configured on the server", faults: []string{"chain=empty"}, code: "chain.empty"},
	{source: "handset.md §5.2 #5", text: "wiped phones after a pool was decommissioned", faults: []string{"discovery=decommissioned-pool"}, code: "register.timeout"},
	{source: "handset.md §5.2 #6", text: "server name only covered by a wildcard", faults: []string{"register=wildcard-certificate"}, code: "register.wildcard-certificate"},
	{source: "handset.md §5.2 #6", text: "the certificate download succeeds with a wildcard", faults: []string{"web=wildcard-certificate"}, warning: "ticket.wildcard-certificate"},
	{source: "handset.md §5.2 #6", text: "untrusted certificate", faults: []string{"register=untrusted-chain"}, code: "register.untrusted-chain"},
	{source: "handset.md §5.2 #9b", text: "PIN retries exhausted", faults: []string{"ticket=pin-locked"}, code: "ticket.refused"},
	{source: "handset.md §5.2 #9c", text: "a root of 4096 bits", profile: oldCX700, change: func(s *setting) { s.Lab.PKI.KeyBits = 4096 }, code: "chain.unreadable-root"},
	{source: "handset.md §5.2 #11", text: "401 for ever", faults: []string{"register=401"}, code: "register.401"},

	{source: "handset.md §5.3", text: "AD or user store outage", faults: []string{"enroll=http-500"}, code: "enroll.http-500"},
	{source: "handset.md §5.3", text: "registrar refuses", faults: []string{"register=refused"}, code: "register.refused"},
	{source: "handset.md §5.3", text: "registrar does not answer", faults: []string{"register=timeout"}, code: "register.timeout"},

	{source: "handset.md §5.4", text: "wrong system time", faults: []string{"time=wrong"}, code: "ticket.certificate-not-yet-valid"},
	{source: "handset.md §5.4", text: "UsePinAuth False", change: func(s *setting) { s.Lab.WebServices.UsePINAuth = false }, code: "ticket.pin-not-offered"},
	{source: "handset.md §5.4", text: "UseCertificateAuth False: the port that only a renewal needs is gone", change: func(s *setting) { s.Lab.WebServices.UseCertificateAuth = false }},
	{source: "handset.md §5.4", text: "client certificate revoked", faults: []string{"register=certificate-refused"}, code: "register.certificate-refused"},
	{source: "handset.md §5.4", text: "at an external network, never bootstrapped inside", faults: []string{"discovery=silent"}, code: "discovery.no-certprov-url"},
	{source: "handset.md §5.4", text: "tethered by USB without a lease", faults: []string{"address=silent"}, change: byPassword, code: "address.no-offer"},

	{source: "discovery.md §4", text: "no INFORM support", faults: []string{"discovery=silent"}, code: "discovery.no-certprov-url", warning: "discovery.inform-unanswered"},
	{source: "discovery.md §4", text: "class absent or in the wrong case, or matched without its NUL", faults: []string{"discovery=class-case"}, code: "discovery.no-certprov-url", warning: "discovery.option120-missing"},
	{source: "discovery.md §4", text: "option 43 of another vendor", faults: []string{"discovery=option43-foreign"}, code: "discovery.option43-foreign"},
	{source: "discovery.md §4", text: "option 120 raw text", faults: []string{"discovery=option120-text"}, warning: "discovery.option120-text"},
	{source: "discovery.md §4", text: "option 120 without type byte", faults: []string{"discovery=option120-no-type"}, warning: "discovery.option120-no-type"},
	{source: "discovery.md §4", text: "option 120 an address", faults: []string{"discovery=option120-address"}, warning: "discovery.option120-address"},
	{source: "discovery.md §4", text: "port binary", faults: []string{"discovery=option43-port-binary"}, code: "discovery.option43-port-binary"},
	{source: "discovery.md §4", text: "option 43 truncated", faults: []string{"discovery=option43-truncated"}, code: "discovery.option43-truncated"},
	{source: "discovery.md §4", text: "hex typed into a String option", faults: []string{"discovery=option43-hex-text"}, code: "discovery.option43-hex-text"},
	{source: "discovery.md §4", text: "DHCPUtil run with a name whose web pool differs", faults: []string{"discovery=option43-wrong-host"}, code: "chain.unresolved"},

	{source: "discovery.md §5", text: "wrong Registrar FQDN", faults: []string{"discovery=wrong-registrar"}, code: "discovery.registrar-unresolved"},
	{source: "discovery.md §5", text: "network to the registrar", faults: []string{"register=refused"}, code: "register.refused"},
	{source: "discovery.md §5 (B11)", text: "discovery data or trust, cold path", faults: []string{"chain=off"}, code: "chain.off"},
	{source: "discovery.md §1.5 (B10)", text: "the SRV target is outside the SIP domain", faults: []string{"dns=srv-other-domain", "discovery=option120-missing"}, code: "discovery.no-registrar", warning: "discovery.srv-domain-mismatch"},
	{source: "discovery.md §6", text: "no time server", faults: []string{"time=silent"}, code: "ticket.clock-not-set", warning: "time.no-answer"},
}

// TestDocumentedCauses meets each cause and expects its code, and a diagnosis of that code with a remedy.
func TestDocumentedCauses(t *testing.T) {
	for _, c := range causes {
		t.Run(c.source+" "+c.text, func(t *testing.T) {
			profile := c.profile
			if profile == "" {
				profile = rig.DefaultProfile
			}
			if c.profile == oldCX700 {
				warmKeys(t, 4096, 3)
			}
			virtual(t, "litware", profile, func(s *setting) {
				s.Faults = c.faults
				if c.change != nil {
					c.change(s)
				}
				result := s.boot()
				if result.Code != c.code || (result.Result == report.Success) != (c.code == "") {
					t.Fatalf("%s %q, want %q: %s\n%s", result.Result, result.Code, c.code, result.Diagnosis, s.log())
				}
				if c.warning != "" && !hasWarning(result, c.warning) {
					t.Errorf("no warning %s in %v", c.warning, result.Warnings)
				}
			})
		})
	}
}

// warmKeys makes keys outside of a bubble.
func warmKeys(t *testing.T, bits, n int) {
	t.Helper()
	source := prepared.Source()
	for range n {
		if _, err := source(bits); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNumberPINAndSIPAddress: all three must be right; each wrong alone is a failure, and which one is told apart
// wherever the pool tells.
func TestNumberPINAndSIPAddress(t *testing.T) {
	const number, pin, sip = "+12065551219", "0712", "sip:kenmyer@litwareinc.com"
	for _, test := range []struct {
		name, number, pin, sip string
		code                   string
		told                   string // by a pool that says why
	}{
		{"all right", number, pin, sip, "", ""},
		{"SIP address in capitals", number, pin, "SIP:KenMyer@LitwareInc.com", "", ""},
		{"wrong number", "+12065559999", pin, sip, "ticket.refused", "ticket.unknown-number"},
		{"somebody else's number", "+12065551220", pin, sip, "ticket.refused", "ticket.wrong-pin"},
		{"wrong PIN", number, "1712", sip, "ticket.refused", "ticket.wrong-pin"},
		{"wrong SIP address", number, pin, "sip:nobody@litwareinc.com", "ticket.other-user", "ticket.other-user"},
		{"somebody else's SIP address", number, pin, "sip:second@litwareinc.com", "ticket.other-user", "ticket.other-user"},
	} {
		for _, told := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
					s.Lab.WebServices.VerbosePINFailures = told
					s.Credentials = handset.Credentials{Number: test.number, PIN: secret.New(test.pin), ExpectedSIP: test.sip}
					want := test.code
					if told {
						want = test.told
					}
					if result := s.boot(); result.Code != want || (result.Result == report.Success) != (want == "") {
						t.Errorf("%s %q, want %q: %s", result.Result, result.Code, want, result.Diagnosis)
					}
				})
			})
		}
	}
}

// TestToldRefusals: a pool that says why it refuses a PIN is understood.
func TestToldRefusals(t *testing.T) {
	for fault, code := range map[string]string{
		"ticket=wrong-pin": "ticket.wrong-pin", "ticket=unknown-number": "ticket.unknown-number", "ticket=not-unique": "ticket.not-unique",
		"ticket=pin-locked": "ticket.locked", "ticket=pin-unset": "ticket.pin-unset", "ticket=pin-expired": "ticket.expired",
		"ticket=user-disabled": "ticket.disabled",
	} {
		virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
			s.Lab.WebServices.VerbosePINFailures, s.Faults = true, []string{fault}
			if result := s.boot(); result.Code != code {
				t.Errorf("%s: %q, want %q: %s", fault, result.Code, code, result.Diagnosis)
			}
		})
	}
}

// TestCausesNameFaults holds the names above to the list of faults.
func TestCausesNameFaults(t *testing.T) {
	list, err := configs.Faults()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, fault := range list {
		known[fault.Name] = true
	}
	for _, c := range causes {
		for _, name := range c.faults {
			if !known[name] {
				t.Errorf("%s: no fault %s", c.text, name)
			}
		}
	}
}
