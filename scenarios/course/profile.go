package course

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/rig"
)

// shipped are the profiles of this program.
var shipped = sync.OnceValue(func() []*configs.Profile {
	var out []*configs.Profile
	for _, name := range configs.Profiles() {
		if p, err := configs.LoadProfile(name); err == nil { // a test loads each
			out = append(out, p)
		}
	}
	return out
})

// Nearest is the shipped profile that is most like a model and a firmware, either of which may be "".
func Nearest(model, firmware string) (name, why string) {
	var sameModel, sameFirmware string
	for _, p := range shipped() {
		isModel, isFirmware := model != "" && strings.EqualFold(p.Model, model), firmware != "" && p.Firmware == firmware
		switch {
		case isModel && isFirmware:
			return p.Name, fmt.Sprintf("model %s with firmware %s", model, firmware)
		case isModel:
			sameModel = p.Name
		case isFirmware && sameFirmware == "":
			sameFirmware = p.Name
		}
	}
	switch {
	case sameModel != "":
		return sameModel, fmt.Sprintf("model %s; of firmware %q there is no profile", model, firmware)
	case sameFirmware != "":
		return sameFirmware, fmt.Sprintf("firmware %s; of model %q there is no profile", firmware, model)
	}
	return rig.DefaultProfile, "the default: neither a model nor a firmware was seen that there is a profile of"
}

// firmwareInAgent is the build in the User-Agent of these phones (handset.md).
var firmwareInAgent = regexp.MustCompile(`^CPE/([0-9]+(?:\.[0-9]+)+) OCPhone/`)

// FirmwareOf is the build that a User-Agent names, "" if it names none.
func FirmwareOf(agent string) string {
	if found := firmwareInAgent.FindStringSubmatch(agent); found != nil {
		return found[1]
	}
	return ""
}

// Recognise is the shipped profile that is most like the handset of messages, and what it was recognised by: LLDP-MED's
// inventory, its query for updates, its User-Agent.
func Recognise(messages []exchange.Message) (name, why string) {
	model, firmware := "", ""
	var by []string
	for i := range messages {
		m := &messages[i]
		if !m.Sent {
			continue
		}
		one, build, source := "", "", ""
		switch m.Protocol {
		case "lldp":
			one, build, source = value(m, "model"), value(m, "firmware"), "LLDP-MED"
		case "http":
			one, build, source = value(m, "Request/Model"), value(m, "Request/Modules/Module/Version"), "the update query"
		case "sip":
			build, source = FirmwareOf(value(m, "User-Agent")), "the User-Agent"
		}
		if one != "" && model == "" || build != "" && firmware == "" {
			by = append(by, source)
		}
		if model == "" {
			model = one
		}
		if firmware == "" {
			firmware = build
		}
	}
	name, why = Nearest(model, firmware)
	if len(by) > 0 {
		why += ", by " + strings.Join(by, " and ")
	}
	return name, why
}
