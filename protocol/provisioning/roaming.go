package provisioning

import (
	"fmt"
	"strings"
)

const (
	nsSelf       = "http://schemas.microsoft.com/2006/09/sip/roaming-self"
	nsCategories = "http://schemas.microsoft.com/2006/09/sip/categories"
	nsContainers = "http://schemas.microsoft.com/2006/09/sip/containers"
	nsMembers    = "http://schemas.microsoft.com/2006/09/sip/presence-subscribers"
)

// Contacts is the contact list in the answer to the roaming-contacts SUBSCRIBE. DeltaNum is never 0.
type Contacts struct{ DeltaNum int }

// Append writes an empty list with the one group that every user has.
func (c Contacts) Append(b []byte) ([]byte, error) {
	if c.DeltaNum <= 0 {
		return nil, fmt.Errorf("%w: deltaNum %d", ErrMalformed, c.DeltaNum)
	}
	return fmt.Appendf(b, `<contactList deltaNum="%d"><group id="1" name="~" externalURI=""/></contactList>`, c.DeltaNum), nil
}

// ParseContacts reads the list's number.
func ParseContacts(b []byte) (Contacts, error) {
	var doc struct {
		DeltaNum int `xml:"deltaNum,attr"`
	}
	err := decode(b, "contactList", &doc)
	return Contacts{doc.DeltaNum}, err
}

// SelfRequest is the body of the roaming-self SUBSCRIBE: categories, containers and subscribers.
type SelfRequest struct{}

// Append writes the request.
func (SelfRequest) Append(b []byte) ([]byte, error) {
	return fmt.Appendf(b, `<roamingList xmlns="%s"><roaming type="categories"/><roaming type="containers"/><roaming type="subscribers"/></roamingList>`, nsSelf), nil
}

// ParseSelfRequest returns the types asked for.
func ParseSelfRequest(b []byte) ([]string, error) {
	var doc struct {
		Roaming []struct {
			Type string `xml:"type,attr"`
		} `xml:"roaming"`
	}
	if err := decode(b, "roamingList", &doc); err != nil {
		return nil, err
	}
	var out []string
	for _, r := range doc.Roaming {
		out = append(out, r.Type)
	}
	return out, nil
}

// Category is one published category of the user. Line is set in userProperties.
type Category struct {
	Name      string `xml:"name,attr"`
	Instance  uint32 `xml:"instance,attr"`
	Container int    `xml:"container,attr"`
	Version   int    `xml:"version,attr"`
	Lines     []Line `xml:"userProperties>lines>line"`
}

// Line is one line of the user. Type Uc is an enterprise-voice line (inferred); Rcc and Dual mean remote call control.
type Line struct {
	Type string `xml:"lineType,attr"`
	URI  string `xml:",chardata"`
}

// Self is the body of roaming-self.
type Self struct {
	URI        string // sip:user@domain
	Categories []Category
}

// LineURI returns the user's enterprise-voice line, "" if there is none.
func (s Self) LineURI() string {
	for _, c := range s.Categories {
		for _, line := range c.Lines {
			if line.Type == "Uc" {
				return strings.TrimSpace(line.URI)
			}
		}
	}
	return ""
}

// Version is the current version of a publication, 0 if there is none.
func (s Self) Version(name string, instance uint32, container int) int {
	for _, c := range s.Categories {
		if c.Name == name && c.Instance == instance && c.Container == container {
			return c.Version
		}
	}
	return 0
}

// Append writes the body.
func (s Self) Append(b []byte) ([]byte, error) {
	b = fmt.Appendf(b, `<roamingData xmlns="%s"><categories xmlns="%s" uri="%s">`, nsSelf, nsCategories, escape(s.URI))
	for _, c := range s.Categories {
		b = fmt.Appendf(b, `<category name="%s" instance="%d" container="%d" version="%d">`, escape(c.Name), c.Instance, c.Container, c.Version)
		if len(c.Lines) > 0 {
			b = append(b, `<userProperties xmlns="http://schemas.microsoft.com/2006/09/sip/categories/userProperties"><lines>`...)
			for _, line := range c.Lines {
				b = fmt.Appendf(b, `<line lineType="%s">%s</line>`, escape(line.Type), escape(line.URI))
			}
			b = append(b, `</lines></userProperties>`...)
		}
		b = append(b, `</category>`...)
	}
	return fmt.Appendf(b, `</categories><containers xmlns="%s"/><subscribers xmlns="%s"/></roamingData>`, nsContainers, nsMembers), nil
}

// ParseSelf reads the body.
func ParseSelf(b []byte) (Self, error) {
	var doc struct {
		Categories struct {
			URI      string     `xml:"uri,attr"`
			Category []Category `xml:"category"`
		} `xml:"categories"`
	}
	if err := decode(b, "roamingData", &doc); err != nil {
		return Self{}, err
	}
	return Self{doc.Categories.URI, doc.Categories.Category}, nil
}
