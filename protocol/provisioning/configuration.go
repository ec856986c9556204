package provisioning

import (
	"fmt"
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
	MWIPoll        time.Duration // ucExchangeMWIPoll: whole minutes, 0 to 60
	SecurityMode   string        // ucEnableSIPSecurityMode: Low, Medium, High
	Voice8021p     int           // ucVoice802_1p: 0 to 7
	DiffServVoice  int           // ucDiffServVoice: 0 to 63
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

// DefaultConfiguration has the defaults of Get-CsUCPhoneConfiguration.
func DefaultConfiguration() Configuration {
	return Configuration{
		EnforcePINLock: true, MinPINLength: 6, PhoneTimeout: 10 * time.Minute, MWIPoll: 3 * time.Minute,
		SecurityMode: "High", DiffServVoice: 40, LoggingLevel: "Off",
	}
}

// setting binds a key to a field, in both directions.
type setting struct {
	key      string
	text     func() string
	set      func(string) error
	optional bool // left out when it has no text
}

func (c *Configuration) settings() []setting {
	return []setting{
		boolean("ucEnforcePinLock", &c.EnforcePINLock),
		number("ucMinPinLength", &c.MinPINLength, 4, 15),
		minutes("ucPhoneTimeOut", &c.PhoneTimeout),
		minutes("ucExchangeMWIPoll", &c.MWIPoll),
		choice("ucEnableSIPSecurityMode", &c.SecurityMode, "Low", "Medium", "High"),
		number("ucVoice802_1p", &c.Voice8021p, 0, 7),
		number("ucDiffServVoice", &c.DiffServVoice, 0, 63),
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

// Configuration reads the ServerConfiguration group. A value out of its range is an error that names the key.
func (g Groups) Configuration() (Configuration, error) {
	c := DefaultConfiguration()
	group, ok := g.Group(ServerConfiguration)
	if !ok {
		return c, fmt.Errorf("%w: no group %s", ErrMalformed, ServerConfiguration)
	}
	settings := c.settings()
	seen := map[string]bool{}
	for _, p := range group.Properties {
		known := false
		for _, s := range settings {
			if !strings.EqualFold(s.key, p.Name) {
				continue
			}
			known = true
			if seen[s.key] {
				return c, fmt.Errorf("%w: %s twice", ErrMalformed, s.key)
			}
			seen[s.key] = true
			if err := s.set(strings.TrimSpace(p.Value)); err != nil {
				return c, fmt.Errorf("%w: %s: %w", ErrMalformed, s.key, err)
			}
		}
		if !known {
			c.Unknown = append(c.Unknown, p)
		}
	}
	return c, nil
}

// Group makes the ServerConfiguration group, in the order of sip.md §8.9. Values out of their range are refused.
func (c Configuration) Group() (Group, error) {
	g := Group{Name: ServerConfiguration, Shape: Plain}
	for _, s := range c.settings() {
		value := s.text()
		if value == "" && s.optional {
			continue
		}
		if err := s.set(value); err != nil {
			return g, fmt.Errorf("%s: %w", s.key, err)
		}
		g.Properties = append(g.Properties, Property{s.key, value})
	}
	g.Properties = append(g.Properties, c.Unknown...)
	return g, nil
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
		key: key, optional: true,
		text: func() string { return *field },
		set: func(value string) error {
			*field = value
			return nil
		},
	}
}
