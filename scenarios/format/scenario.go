// Package format reads scenarios: what is done with a handset and its pool, step by step, and what has to come of it.
//
// A scenario is a YAML file. Its keys are the key tags of [Scenario] and of what that is made of; [Schema] tells the same
// as a JSON Schema. Every problem of a file is found at once, with its line.
package format

import (
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/rig"
)

// Scenario is one scenario.
type Scenario struct {
	Name        string    `key:"name" need:"yes" doc:"lower case with hyphens, as the file"`
	Description string    `key:"description" need:"yes" doc:"what it is about"`
	Source      string    `key:"source" need:"yes" doc:"what says that this is what happens"`
	Handset     Handset   `key:"handset" doc:"the handset"`
	Lab         Lab       `key:"lab" doc:"the pool"`
	Target      rig.Place `key:"target" doc:"where the pool is, in the words of lpe boot (default: the handset discovers it)"`
	Cable       string    `key:"cable" oneof:"pipe segment" doc:"pipe: without a TCP/IP stack, in virtual time too (default); segment: with one; a real one is named by --interface or --host of lpe scenario run"`
	Impair      *Impair   `key:"impair" doc:"what the network does to frames"`
	Seed        uint64    `key:"seed" range:"0 1000000000" doc:"of what the network and the handset draw by lot; 0: as chance has it"`
	Faults      []Fault   `key:"faults" doc:"what goes wrong by the clock"`
	Steps       []Step    `key:"steps" need:"yes" doc:"what is done, one after the other"`
	Expect      Expect    `key:"expect" need:"yes" doc:"what has to come of it"`

	Exchange exchange.Messages `key:"exchange" doc:"the messages of the boot that this was recorded of, for scenario diff and replay"`

	File    string           // as it was named to [Parse]
	Text    []byte           // of the file
	As      string           // the profile in place of the file's, see [ParseAs]
	Profile *configs.Profile // of Handset, with its settings
	Pool    *configs.Lab     // of Lab, with its settings

	doc    *configs.Document
	parsed []faults.Fault // of Faults
	labels map[string]int // of Steps
}

// Stays is how much time the steps let pass, besides what they wait for.
func (s *Scenario) Stays() time.Duration {
	var sum time.Duration
	for _, step := range s.Steps {
		sum += step.Stay
	}
	return sum
}

// SignsIn is the user of the lab who signs in first, "" if no step is sign_in.
func (s *Scenario) SignsIn() string {
	for _, step := range s.Steps {
		if step.SignIn != "" {
			return step.SignIn
		}
	}
	return ""
}

// Handset is the handset of a scenario.
type Handset struct {
	Profile   string           `key:"profile" doc:"model and firmware, see lpe profile list, or a profile's .yaml file next to the scenario (default polycom-cx600-4.0.7577.4463)"`
	Set       configs.Settings `key:"set" doc:"facts in place of the profile's"`
	MAC       string           `key:"mac" quoted:"yes" doc:"MAC address (default: from profile and user)"`
	Kept      bool             `key:"kept" doc:"it has a flash from before, which lpe scenario run --flash names (default: flash is empty)"`
	Expects   string           `key:"user_sip_address" doc:"that the credentials which are entered must belong to, as of lpe boot"`
	UnlockPIN string           `key:"unlock_pin" quoted:"yes" doc:"that the user sets when the phone asks for one"`
}

// Lab is the pool of a scenario.
type Lab struct {
	Name string           `key:"name" doc:"a lab, or a lab file next to the scenario (default litware)"`
	Set  configs.Settings `key:"set" doc:"settings in place of the lab's"`
	User string           `key:"user" doc:"whom the faults of the directory strike (default: the lab's first user)"`
}

// Impair is what a network does to frames. It needs the cable segment.
type Impair struct {
	Delay     time.Duration `key:"delay" doc:"added to every frame"`
	Jitter    time.Duration `key:"jitter" doc:"up to this is added too"`
	Loss      int           `key:"loss_percent" range:"0 100" doc:"of frames"`
	Duplicate int           `key:"duplicate_percent" range:"0 100" doc:"of frames"`
	Reorder   int           `key:"reorder_percent" range:"0 100" doc:"of frames that are overtaken"`
}

// Fault is a fault of faults.yaml with its time.
type Fault struct {
	Fault string        `key:"fault" need:"yes" short:"yes" doc:"stage=kind[:parameter], see lpe boot --list-faults"`
	After string        `key:"after" doc:"label of the step after which it begins (default: before the first step)"`
	At    time.Duration `key:"at" doc:"so long after that it begins"`
	For   time.Duration `key:"for" doc:"so long it lasts (default: to the end)"`
	Until string        `key:"until" doc:"label of the step after which it is cleared"`
}

// Step is one thing that is done. It has one verb.
type Step struct {
	Label string `key:"label" doc:"by which faults and expectations name this step: the moment when it is done, or when a wait or a stay is over"`

	Power     string         `key:"power" oneof:"on off" verb:"yes" doc:"switches the handset on or off"`
	WipeFlash bool           `key:"wipe_flash" verb:"yes" doc:"empties flash while the power is off"`
	SignIn    string         `key:"sign_in" verb:"yes" doc:"a user of the lab enters number and PIN, or on a Tanjay user name and password; at a real pool the one whom --phone-or-ext or --user names"`
	Dial      string         `key:"dial" quoted:"yes" verb:"yes" doc:"the number that the next enter_pin belongs to"`
	EnterPIN  string         `key:"enter_pin" quoted:"yes" verb:"yes" doc:"the PIN of the number that was dialled"`
	Login     *Login         `key:"login" verb:"yes" doc:"user name and password are entered"`
	Do        string         `key:"do" oneof:"reboot sign-out hard-reset factory-reset phone-lock retry" verb:"yes" doc:"what the user does on the phone"`
	Unlock    string         `key:"phone_unlock" quoted:"yes" verb:"yes" doc:"the PIN that is entered at a locked phone"`
	Wait      string         `key:"wait" verb:"yes" doc:"until the handset enters this state"`
	Within    *time.Duration `key:"within" doc:"the longest that wait takes (default 1m)"`
	Stay      time.Duration  `key:"stay" verb:"yes" doc:"lets time pass"`
	Unplug    string         `key:"unplug" verb:"yes" doc:"takes the link of the handset away, or of a server by its FQDN"`
	Plug      string         `key:"plug" verb:"yes" doc:"gives it back"`
	FrontEnds string         `key:"front_ends" oneof:"down up" verb:"yes" doc:"the primary pool goes down, or comes back"`
	Clock     *Clock         `key:"clock" verb:"yes" doc:"a clock jumps"`

	Fault        string           `key:"fault" verb:"yes" doc:"a fault begins"`
	ClearFault   string           `key:"clear_fault" verb:"yes" doc:"a fault ends, by its stage=kind"`
	SetPIN       *SetPIN          `key:"set_pin" verb:"yes" doc:"an administrator gives a user a new PIN"`
	UnlockPIN    string           `key:"unlock_user_pin" verb:"yes" doc:"an administrator unlocks the PIN of this user"`
	Enable       string           `key:"enable" verb:"yes" doc:"an administrator enables this user"`
	Disable      string           `key:"disable" verb:"yes" doc:"an administrator disables this user"`
	Revoke       string           `key:"revoke_certificate" verb:"yes" doc:"an administrator revokes the certificates of this user"`
	Deregister   *Deregister      `key:"deregister" verb:"yes" doc:"the pool ends the registrations of a user"`
	Notify       *Notify          `key:"notify" verb:"yes" doc:"the pool tells the endpoints of a user something"`
	DropSA       bool             `key:"drop_associations" verb:"yes" doc:"the registrars forget their security associations"`
	SetRegistrar configs.Settings `key:"set_registrar" verb:"yes" doc:"Set-CsRegistrarConfiguration: keys as in a lab's registrar section"`
	SetWeb       configs.Settings `key:"set_web_services" verb:"yes" doc:"Set-CsWebServiceConfiguration: keys as in a lab's web_services section"`

	Verb string // the key of the verb
}

// Login is a sign-in by user name and password.
type Login struct {
	User     string `key:"user" need:"yes" doc:"DOMAIN\\user, or user@domain"`
	Password string `key:"password" need:"yes" quoted:"yes" doc:"the password"`
}

// Clock is a jump of a clock.
type Clock struct {
	Of string        `key:"of" need:"yes" oneof:"handset pool" doc:"whose clock"`
	By time.Duration `key:"by" need:"yes" signed:"yes" doc:"how far forward, or with a minus back"`
}

// SetPIN is Set-CsClientPin.
type SetPIN struct {
	User string `key:"user" need:"yes" doc:"a user of the lab"`
	PIN  string `key:"pin" need:"yes" quoted:"yes" doc:"the new PIN"`
}

// Deregister ends registrations.
type Deregister struct {
	User  string `key:"user" need:"yes" doc:"a user of the lab"`
	Event string `key:"event" need:"yes" oneof:"rejected unregistered deactivated" doc:"as [MS-SIPREGE] names it"`
}

// Notify is a NOTIFY.
type Notify struct {
	User        string `key:"user" need:"yes" doc:"a user of the lab"`
	Event       string `key:"event" need:"yes" doc:"to which the endpoint has subscribed"`
	ContentType string `key:"content_type" doc:"of the body"`
	Body        string `key:"body" doc:"the body"`
}

// Expect is what has to come of a scenario.
type Expect struct {
	States   []State   `key:"states" doc:"the states from the first to the last; ... stands for any number of them"`
	Glass    []string  `key:"glass" doc:"texts that the glass shows, in this order, others in between"`
	Codes    []string  `key:"codes" doc:"failure and warning codes that are diagnosed, in this order, others in between"`
	Result   *Result   `key:"result" doc:"what the handset has come to at the end"`
	Messages []Message `key:"messages" doc:"messages and their fields"`
	Never    []Never   `key:"never" doc:"what must not happen"`
	Flash    *Flash    `key:"flash" doc:"what flash holds at the end"`
	Pool     []Account `key:"pool" doc:"what the pool knows of a user at the end"`
}

// State is a state in order.
type State struct {
	State  string        `key:"state" need:"yes" short:"yes" doc:"a state, or ..."`
	Within time.Duration `key:"within" doc:"it is entered at most so long after the one before in the list, the first after the start"`
	After  time.Duration `key:"after" doc:"it is entered at least so long after that"`
}

// Any stands for any number of states.
const Any = "..."

// Result is what the handset has come to.
type Result struct {
	State    string    `key:"state" need:"yes" doc:"the state at the end"`
	Code     string    `key:"code" doc:"the failure code (default: none)"`
	Warnings *[]string `key:"warnings" doc:"the warning codes, in any order (default: not looked at)"`
	User     string    `key:"user" doc:"the SIP address that the pool told"`
	Profile  string    `key:"profile" doc:"the profile that runs at the end"`
}

// Message is a message of the handset's timeline, and one of its fields.
type Message struct {
	Message string  `key:"message" need:"yes" doc:"sent, received or dropped, the protocol, and how its text begins: sent sip REGISTER 1"`
	After   string  `key:"after" doc:"label of a step: only what comes after it counts"`
	Nth     int     `key:"nth" range:"1 100000" doc:"which one of those (default: the first)"`
	Count   *int    `key:"count" range:"0 100000" doc:"how many there are"`
	Least   int     `key:"least" range:"1 100000" doc:"how many there are at least"`
	Most    *int    `key:"most" range:"0 100000" doc:"how many there are at most"`
	Peer    string  `key:"peer" doc:"the peer's name or address contains this"`
	Field   string  `key:"field" doc:"a field by its name, as lpe boot -o jsonl shows it"`
	Equals  *string `key:"equals" doc:"its whole value" empty:"yes"`
	Matches string  `key:"matches" doc:"a regular expression (Go) that its value matches"`
	Absent  bool    `key:"absent" doc:"the message has no such field"`
}

// Never is something that must not happen.
type Never struct {
	After   string `key:"after" doc:"label of a step: only what comes after it counts"`
	State   string `key:"state" doc:"a state that is entered"`
	Code    string `key:"code" doc:"a code that is diagnosed"`
	Glass   string `key:"glass" doc:"a text on the glass"`
	Message string `key:"message" doc:"a message, as under messages"`
	Field   string `key:"field" doc:"a field of that message: then only messages count whose field matches"`
	Matches string `key:"matches" doc:"a regular expression (Go) that the field's value matches (default: the field is there)"`
}

// Flash is what flash holds. What is not named is not looked at.
type Flash struct {
	User               *string `key:"user" empty:"yes" doc:"SIP address, or nothing"`
	Registrar          *string `key:"registrar" empty:"yes" doc:"FQDN, or nothing"`
	OtherRegistrar     *string `key:"other_registrar" empty:"yes" doc:"FQDN of the backup, or of the primary; or nothing"`
	CertificateURL     *string `key:"certificate_url" empty:"yes" doc:"of certificate provisioning, or nothing"`
	Certificate        *bool   `key:"certificate" doc:"a certificate and its key"`
	CertificateRefused *bool   `key:"certificate_refused" doc:"the pool has refused that certificate"`
	CredentialsRefused *bool   `key:"credentials_refused" doc:"the pool has refused the credentials that were entered last"`
	Chain              *bool   `key:"chain" doc:"a root chain"`
	EPID               *bool   `key:"epid" doc:"an endpoint id"`
	UnlockPIN          *bool   `key:"unlock_pin" doc:"an unlock PIN"`
	ClockKept          *bool   `key:"clock_kept" doc:"a clock that a time server set"`
	PINForm            *string `key:"pin_form" empty:"yes" doc:"the form of the PIN that worked"`
	Profile            *string `key:"profile" empty:"yes" doc:"firmware that an update installed, or nothing"`
}

// Account is what the pool knows of a user.
type Account struct {
	User         string    `key:"user" need:"yes" doc:"a user of the lab"`
	Attempts     *int      `key:"attempts" doc:"wrong PINs that were counted"`
	Locked       *bool     `key:"locked" doc:"the PIN is locked"`
	Certificates *int      `key:"certificates" doc:"certificates that are published"`
	RegisteredAt *[]string `key:"registered_at" doc:"FQDN of each registrar with a live registration"`
	Endpoints    *[]string `key:"endpoints" doc:"the state of each endpoint: registered, signed-off, removed or expired"`
}
