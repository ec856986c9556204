package provisioning

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	nsGroupRequest = "http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"
	nsGroups       = "http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification"
)

// GroupRequest is the body of the provisioning SUBSCRIBE, [MS-SIPREGE] 2.2.2.4.
type GroupRequest struct{ Groups []string }

// Append writes the request.
func (r GroupRequest) Append(b []byte) ([]byte, error) {
	b = fmt.Appendf(b, `<provisioningGroupList xmlns="%s">`, nsGroupRequest)
	for _, name := range r.Groups {
		b = fmt.Appendf(b, `<provisioningGroup name="%s"/>`, escape(name))
	}
	return append(b, "</provisioningGroupList>"...), nil
}

// ParseGroupRequest reads the request.
func ParseGroupRequest(b []byte) (GroupRequest, error) {
	var doc struct {
		Groups []struct {
			Name string `xml:"name,attr"`
		} `xml:"provisioningGroup"`
	}
	var r GroupRequest
	if err := decode(b, "provisioningGroupList", &doc); err != nil {
		return r, err
	}
	for _, g := range doc.Groups {
		r.Groups = append(r.Groups, g.Name)
	}
	return r, nil
}

// Property is one setting of a group.
type Property struct{ Name, Value string }

// Group is one provisionGroup. ServerConfiguration holds plain child elements, ucPolicy an instance with properties,
// the others a propertyEntryList (sip.md §5.3; for locationPolicy inferred).
type Group struct {
	Name       string
	Properties []Property
}

// Groups is the body of the answer, [MS-SIPREGE] 4.2.2.
type Groups struct{ Groups []Group }

// Append writes the answer.
func (g Groups) Append(b []byte) ([]byte, error) {
	b = fmt.Appendf(b, `<provisionGroupList xmlns="%s">`, nsGroups)
	for _, group := range g.Groups {
		b = fmt.Appendf(b, `<provisionGroup name="%s">`, escape(group.Name))
		open, end := "<propertyEntryList>", "</propertyEntryList>"
		switch group.Name {
		case ServerConfiguration:
			open, end = "", ""
		case "ucPolicy":
			open, end = "<instance>", "</instance>"
		}
		b = append(b, open...)
		for _, p := range group.Properties {
			if group.Name == ServerConfiguration {
				if !isName(p.Name) {
					return nil, fmt.Errorf("%w: setting %q is no element name", ErrMalformed, p.Name)
				}
				b = fmt.Appendf(b, "<%s>%s</%s>", p.Name, escape(p.Value), p.Name)
				continue
			}
			b = fmt.Appendf(b, `<property name="%s">%s</property>`, escape(p.Name), escape(p.Value))
		}
		b = append(append(b, end...), "</provisionGroup>"...)
	}
	return append(b, "</provisionGroupList>"...), nil
}

func isName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

type entry struct {
	XMLName xml.Name
	Name    string  `xml:"name,attr"`
	Text    string  `xml:",chardata"`
	Entries []entry `xml:",any"`
}

// ParseGroups reads the answer; the shape of each group does not matter.
func ParseGroups(b []byte) (Groups, error) {
	var doc entry
	var g Groups
	if err := decode(b, "provisionGroupList", &doc); err != nil {
		return g, err
	}
	for _, e := range doc.Entries {
		if e.XMLName.Local == "provisionGroup" {
			g.Groups = append(g.Groups, Group{Name: e.Name, Properties: properties(e.Entries)})
		}
	}
	return g, nil
}

func properties(entries []entry) []Property {
	var out []Property
	for _, e := range entries {
		switch e.XMLName.Local {
		case "propertyEntryList", "instance":
			out = append(out, properties(e.Entries)...)
		case "property":
			out = append(out, Property{e.Name, strings.TrimSpace(e.Text)})
		default:
			out = append(out, Property{e.XMLName.Local, strings.TrimSpace(e.Text)})
		}
	}
	return out
}

// ServerConfiguration is the group that holds the phone's settings.
const ServerConfiguration = "ServerConfiguration"

// Configuration is what a handset uses of ServerConfiguration (handset.md §4). A setting that is absent keeps its default.
type Configuration struct {
	EnforcePINLock     bool
	MinPINLength       int
	PhoneTimeout       time.Duration
	CalendarPoll       time.Duration // ucExchangeMWIPoll, minutes on the wire
	SecurityMode       string
	Voice8021p         int
	VoiceDiffServ      int
	LoggingLevel       string
	UpdatesEnabled     bool
	UpdatesInternalURL string
	UpdatesExternalURL string
	Unknown            []Property
}

// Defaults are those of Set-CsUCPhoneConfiguration.
func Defaults() Configuration {
	return Configuration{
		EnforcePINLock: true, MinPINLength: 6, PhoneTimeout: 10 * time.Minute, CalendarPoll: 3 * time.Minute,
		SecurityMode: "High", VoiceDiffServ: 40, LoggingLevel: "Off",
	}
}

// Configuration reads the group; names in any case.
func (g Groups) Configuration() (Configuration, error) {
	c := Defaults()
	for _, group := range g.Groups {
		if group.Name != ServerConfiguration {
			continue
		}
		for _, p := range group.Properties {
			if err := c.set(p); err != nil {
				return c, fmt.Errorf("%w: %s is %.40q", ErrMalformed, p.Name, p.Value)
			}
		}
	}
	return c, nil
}

func (c *Configuration) set(p Property) (err error) {
	var n int
	switch strings.ToLower(p.Name) {
	case "ucenforcepinlock":
		c.EnforcePINLock, err = strconv.ParseBool(p.Value)
	case "ucminpinlength":
		c.MinPINLength, err = strconv.Atoi(p.Value)
	case "ucphonetimeout":
		n, err = strconv.Atoi(p.Value)
		c.PhoneTimeout = time.Duration(n) * time.Minute
	case "ucexchangemwipoll":
		n, err = strconv.Atoi(p.Value)
		c.CalendarPoll = time.Duration(n) * time.Minute
	case "ucenablesipsecuritymode":
		c.SecurityMode = p.Value
	case "ucvoice802_1p":
		c.Voice8021p, err = strconv.Atoi(p.Value)
	case "ucdiffservvoice":
		c.VoiceDiffServ, err = strconv.Atoi(p.Value)
	case "logginglevel":
		c.LoggingLevel = p.Value
	case "updatesserverenabled":
		c.UpdatesEnabled, err = strconv.ParseBool(p.Value)
	case "updatesserverinternalurl":
		c.UpdatesInternalURL = p.Value
	case "updatesserverexternalurl":
		c.UpdatesExternalURL = p.Value
	default:
		c.Unknown = append(c.Unknown, p)
	}
	return err
}

// Properties writes the configuration as the settings of ServerConfiguration.
func (c Configuration) Properties() []Property {
	minutes := func(d time.Duration) string { return strconv.Itoa(int(d / time.Minute)) }
	out := []Property{
		{"ucEnforcePinLock", strconv.FormatBool(c.EnforcePINLock)},
		{"ucMinPinLength", strconv.Itoa(c.MinPINLength)},
		{"ucPhoneTimeOut", minutes(c.PhoneTimeout)},
		{"ucExchangeMWIPoll", minutes(c.CalendarPoll)},
		{"ucEnableSIPSecurityMode", c.SecurityMode},
		{"ucVoice802_1p", strconv.Itoa(c.Voice8021p)},
		{"ucDiffServVoice", strconv.Itoa(c.VoiceDiffServ)},
		{"loggingLevel", c.LoggingLevel},
		{"updatesServerEnabled", strconv.FormatBool(c.UpdatesEnabled)},
		{"updatesServerInternalURL", c.UpdatesInternalURL},
		{"updatesServerExternalURL", c.UpdatesExternalURL},
	}
	return append(out, c.Unknown...)
}
