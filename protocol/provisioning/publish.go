package provisioning

import (
	"encoding/xml"
	"fmt"
	"hash/fnv"
)

const (
	nsPublish   = "http://schemas.microsoft.com/2006/09/sip/rich-presence"
	nsContainer = "http://schemas.microsoft.com/2006/09/sip/container-management"
)

// Publication is one category to publish; Content is its XML.
type Publication struct {
	Category   string
	Instance   uint32
	Container  int
	Version    int // the server's current one, 0 for the first
	ExpireType string
	Content    string
}

// Publications is the body of a SERVICE that publishes.
type Publications struct {
	URI  string // sip:user@domain
	List []Publication
}

// PhonePublications are those of a handset: device with voice only and machine state, in the versions of self. What the
// hardware publishes is unknown; these are inferred from the desktop client's (sip.md §5.3.1).
func PhonePublications(sip, endpoint, machine string, self Self) Publications {
	hash := fnv.New32a()
	hash.Write([]byte(endpoint))
	instance := hash.Sum32()
	device := fmt.Sprintf(`<device xmlns="http://schemas.microsoft.com/2006/09/sip/device" endpointId="%s"><capabilities preferred="false" uri="%s">`+
		`<voice capture="true" render="true" publish="false"/></capabilities><timezone>00:00:00+00:00</timezone><machineName>%s</machineName></device>`,
		escape(endpoint), escape(sip), escape(machine))
	state := `<state xmlns="http://schemas.microsoft.com/2006/09/sip/state" manual="false" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="machineState">` +
		`<availability>3500</availability><endpointLocation/><device>deskphone</device></state>`
	p := Publications{URI: sip}
	for _, one := range []struct {
		category  string
		container int
		content   string
	}{{"device", 2, device}, {"state", 2, state}, {"state", 3, state}} {
		p.List = append(p.List, Publication{
			one.category, instance, one.container, self.Version(one.category, instance, one.container), "endpoint", one.content,
		})
	}
	return p
}

// Append writes the body.
func (p Publications) Append(b []byte) ([]byte, error) {
	b = fmt.Appendf(b, `<publish xmlns="%s"><publications uri="%s">`, nsPublish, escape(p.URI))
	for _, one := range p.List {
		b = fmt.Appendf(b, `<publication categoryName="%s" instance="%d" container="%d" version="%d" expireType="%s">%s</publication>`,
			escape(one.Category), one.Instance, one.Container, one.Version, escape(one.ExpireType), one.Content)
	}
	return append(b, "</publications></publish>"...), nil
}

// ParsePublications reads the body.
func ParsePublications(b []byte) (Publications, error) {
	var doc struct {
		Publications struct {
			URI  string `xml:"uri,attr"`
			List []struct {
				Category   string `xml:"categoryName,attr"`
				Instance   uint32 `xml:"instance,attr"`
				Container  int    `xml:"container,attr"`
				Version    int    `xml:"version,attr"`
				ExpireType string `xml:"expireType,attr"`
				Content    string `xml:",innerxml"`
			} `xml:"publication"`
		} `xml:"publications"`
	}
	if err := decode(b, "publish", &doc); err != nil {
		return Publications{}, err
	}
	p := Publications{URI: doc.Publications.URI}
	for _, one := range doc.Publications.List {
		p.List = append(p.List, Publication(one))
	}
	return p, nil
}

// Operation is one publication that had the wrong version.
type Operation struct {
	Index          int `xml:"index,attr"` // from 1
	CurrentVersion int `xml:"curVersion,attr"`
}

// Fault is the body of a 409, msrtc-fault.
type Fault struct {
	Code       string
	Operations []Operation
}

// WrongVersion is the Code of a fault about versions.
const WrongVersion = "Client.BadCall.WrongDelta"

// Append writes the fault.
func (f Fault) Append(b []byte) ([]byte, error) {
	b = fmt.Appendf(b, `<Fault xmlns="http://schemas.microsoft.com/2006/09/sip/fault"><Faultcode>%s</Faultcode><details>`, escape(f.Code))
	for _, op := range f.Operations {
		b = fmt.Appendf(b, `<operation index="%d" curVersion="%d"/>`, op.Index, op.CurrentVersion)
	}
	return append(b, "</details></Fault>"...), nil
}

// ParseFault reads the fault.
func ParseFault(b []byte) (Fault, error) {
	var doc struct {
		Code       string      `xml:"Faultcode"`
		Operations []Operation `xml:"details>operation"`
	}
	err := decode(b, "Fault", &doc)
	return Fault{doc.Code, doc.Operations}, err
}

// Correct takes the versions of a fault.
func (p *Publications) Correct(f Fault) error {
	if f.Code != WrongVersion || len(f.Operations) == 0 {
		return fmt.Errorf("%w: fault %.60q with %d operations", ErrMalformed, f.Code, len(f.Operations))
	}
	for _, op := range f.Operations {
		if op.Index < 1 || op.Index > len(p.List) {
			return fmt.Errorf("%w: fault about publication %d of %d", ErrMalformed, op.Index, len(p.List))
		}
		p.List[op.Index-1].Version = op.CurrentVersion
	}
	return nil
}

// Member is one change of a container's membership.
type Member struct {
	Container int
	Action    string
	Type      string
}

// ParseContainerMembers reads the body of a SERVICE that sets container members.
func ParseContainerMembers(b []byte) ([]Member, error) {
	var doc struct {
		XMLName    xml.Name
		Containers []struct {
			ID      int `xml:"id,attr"`
			Members []struct {
				Action string `xml:"action,attr"`
				Type   string `xml:"type,attr"`
			} `xml:"member"`
		} `xml:"container"`
	}
	if err := decode(b, "setContainerMembers", &doc); err != nil {
		return nil, err
	}
	if doc.XMLName.Space != nsContainer {
		return nil, fmt.Errorf("%w: namespace %.80q", ErrMalformed, doc.XMLName.Space)
	}
	var out []Member
	for _, c := range doc.Containers {
		for _, m := range c.Members {
			out = append(out, Member{c.ID, m.Action, m.Type})
		}
	}
	return out, nil
}
