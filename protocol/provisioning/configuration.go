package provisioning

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Configuration is the ServerConfiguration group. Keys and sample values are Microsoft's UCMA article, ranges those of
// Set-CsUCPhoneConfiguration (sip.md §5.3, handset.md §4). A setting that the group leaves out has the default of
// Get-CsUCPhoneConfiguration; that the hardware does the same is inferred.
type Configuration struct {
	EnforcePINLock bool          // ucEnforcePinLock
	MinPINLength   int           // ucMinPinLength: digits of the unlock PIN, 4 to 15
	PhoneTimeout   time.Duration // ucPhoneTimeOut: whole minutes until the phone locks, 0 to 60
	CalendarPoll   time.Duration // ucExchangeMWIPoll: whole minutes, 0 to 60
	SecurityMode   string        // ucEnableSIPSecurityMode: Low, Medium, High
	Voice8021p     int           // ucVoice802_1p: 0 to 7
	VoiceDiffServ  int           // ucDiffServVoice: 0 to 63
	LoggingLevel   string        // loggingLevel: Off, Low, Medium, High

	UpdatesEnabled     bool   // updatesServerEnabled; false when left out
	UpdatesInternalURL string // updatesServerInternalURL
	UpdatesExternalURL string // updatesServerExternalURL
	ABSInternalURL     string // absInternalServerUrl
	DLXInternalURL     string // dlxInternalUrl
	LISInternalURL     string // lisInternalUrl
	VoicemailURI       string // voicemailUri

	Unknown []Property // every other key, in order
}

// Defaults are those of Get-CsUCPhoneConfiguration (handset.md §4).
func Defaults() Configuration {
	return Configuration{
		EnforcePINLock: true, MinPINLength: 6, PhoneTimeout: 10 * time.Minute, CalendarPoll: 3 * time.Minute,
		SecurityMode: "High", VoiceDiffServ: 40, LoggingLevel: "Off",
	}
}

// setting binds a key to a field, in both directions.
type setting struct {
	key  string
	text func() string
	set  func(string) error
}

func (c *Configuration) settings() []setting {
	return []setting{
		boolean("ucEnforcePinLock", &c.EnforcePINLock),
		number("ucMinPinLength", &c.MinPINLength, 4, 15),
		minutes("ucPhoneTimeOut", &c.PhoneTimeout),
		minutes("ucExchangeMWIPoll", &c.CalendarPoll),
		choice("ucEnableSIPSecurityMode", &c.SecurityMode, "Low", "Medium", "High"),
		number("ucVoice802_1p", &c.Voice8021p, 0, 7),
		number("ucDiffServVoice", &c.VoiceDiffServ, 0, 63),
		choice("loggingLevel", &c.LoggingLevel, "Off", "Low", "Medium", "High"),
		boolean("updatesServerEnabled", &c.UpdatesEnabled),
		text("updatesServerInternalURL", &c.UpdatesInternalURL),
		text("updatesServerExternalURL", &c.UpdatesExternalURL),
		text("absInternalServerUrl", &c.ABSInternalURL),
		text("dlxInternalUrl", &c.DLXInternalURL),
		text("lisInternalUrl", &c.LISInternalURL),
		text("voicemailUri", &c.VoicemailURI),
	}
}

// Configuration reads the ServerConfiguration group; keys are compared without case, as sources spell them
// differently. Without the group it is Defaults. A value out of its range is an error that names the key.
func (g Groups) Configuration() (Configuration, error) {
	c := Defaults()
	settings := c.settings()
	seen := map[string]bool{}
	for _, group := range g.Groups {
		if group.Name != ServerConfiguration {
			continue
		}
		for _, p := range group.Properties {
			i := slices.IndexFunc(settings, func(s setting) bool { return strings.EqualFold(s.key, p.Name) })
			if i < 0 {
				c.Unknown = append(c.Unknown, p)
				continue
			}
			s := settings[i]
			if seen[s.key] {
				return c, fmt.Errorf("%w: %s twice", ErrMalformed, s.key)
			}
			seen[s.key] = true
			if err := s.set(strings.TrimSpace(p.Value)); err != nil {
				return c, fmt.Errorf("%w: %s: %w", ErrMalformed, s.key, err)
			}
		}
	}
	return c, nil
}

// Properties writes the configuration as the settings of ServerConfiguration, in the order of sip.md §8.9. A text
// that is empty is left out. [Groups.Configuration] refuses values out of their range.
func (c Configuration) Properties() []Property {
	var out []Property
	for _, s := range c.settings() {
		if value := s.text(); value != "" {
			out = append(out, Property{s.key, value})
		}
	}
	return append(out, c.Unknown...)
}

func boolean(key string, field *bool) setting {
	return setting{
		key:  key,
		text: func() string { return strconv.FormatBool(*field) },
		set: func(value string) error {
			switch strings.ToLower(value) {
			case "true":
				*field = true
			case "false":
				*field = false
			default:
				return fmt.Errorf("%.20q, expected true or false", value)
			}
			return nil
		},
	}
}

func number(key string, field *int, low, high int) setting {
	return setting{
		key:  key,
		text: func() string { return strconv.Itoa(*field) },
		set: func(value string) error {
			n, err := strconv.Atoi(value)
			if err != nil || n < low || n > high {
				return fmt.Errorf("%.20q, expected a number from %d to %d", value, low, high)
			}
			*field = n
			return nil
		},
	}
}

const maxMinutes = 60

func minutes(key string, field *time.Duration) setting {
	return setting{
		key: key,
		text: func() string {
			if *field%time.Minute != 0 {
				return field.String()
			}
			return strconv.Itoa(int(*field / time.Minute))
		},
		set: func(value string) error {
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n > maxMinutes {
				return fmt.Errorf("%.20q, expected whole minutes from 0 to %d", value, maxMinutes)
			}
			*field = time.Duration(n) * time.Minute
			return nil
		},
	}
}

func choice(key string, field *string, words ...string) setting {
	return setting{
		key:  key,
		text: func() string { return *field },
		set: func(value string) error {
			for _, w := range words {
				if strings.EqualFold(w, value) {
					*field = w
					return nil
				}
			}
			return fmt.Errorf("%.20q, expected one of %s", value, strings.Join(words, ", "))
		},
	}
}

func text(key string, field *string) setting {
	return setting{
		key:  key,
		text: func() string { return *field },
		set: func(value string) error {
			*field = value
			return nil
		},
	}
}
