package provisioning

import (
	"fmt"
	"slices"
	"strconv"
)

const (
	nsPublish          = "http://schemas.microsoft.com/2006/09/sip/rich-presence"
	nsContainerMembers = "http://schemas.microsoft.com/2006/09/sip/container-management"
	nsDevice           = "http://schemas.microsoft.com/2006/09/sip/device"
	nsState            = "http://schemas.microsoft.com/2006/09/sip/state"
	nsInstance         = "http://www.w3.org/2001/XMLSchema-instance"
)

// Publish is the body of the SERVICE request that publishes categories (sip.md §5.3.1).
type Publish struct {
	URI          string // sip:user@domain
	Publications []Publication
}

// Publication is one category in one container. Version must be the pool's current one, 0 for a new publication.
type Publication struct {
	Category   string
	Instance   uint32
	Container  uint32
	Version    uint32
	ExpireType string // endpoint, static
	Content    []Element
}

// Append writes the body.
func (p Publish) Append(b []byte) ([]byte, error) {
	list := el("publications", []string{"uri", p.URI})
	for _, c := range p.Publications {
		list.Children = append(list.Children, el("publication", []string{
			"categoryName", c.Category, "instance", decimal(c.Instance), "container", decimal(c.Container),
			"version", decimal(c.Version), "expireType", c.ExpireType,
		}, c.Content...))
	}
	return appendDocument(b, el("publish", []string{"xmlns", nsPublish}, list))
}

// ParsePublish reads the body.
func ParsePublish(b []byte) (Publish, error) {
	root, err := parseRoot(b, "publish")
	if err != nil {
		return Publish{}, err
	}
	list, ok := root.Child("publications")
	if !ok {
		return Publish{}, fmt.Errorf("%w: no publications", ErrMalformed)
	}
	p := Publish{URI: list.Attr("uri")}
	for _, e := range list.Children {
		c := Publication{Category: e.Attr("categoryName"), ExpireType: e.Attr("expireType"), Content: e.Children}
		if e.Local() != "publication" || c.Category == "" {
			return p, fmt.Errorf("%w: <%.40s> in publications", ErrMalformed, e.Name)
		}
		for name, field := range map[string]*uint32{"instance": &c.Instance, "container": &c.Container, "version": &c.Version} {
			if *field, err = numberAttr(e, name); err != nil {
				return p, err
			}
		}
		p.Publications = append(p.Publications, c)
	}
	return p, nil
}

// Containers and the instance of user state, as pidgin-sipe publishes them (sip.md §5.3.1).
const (
	containerSelf      = 2
	containerOthers    = 3
	userStateInstance  = 0x20000000
	machineStatePrefix = 0x30000000
	available          = "3500"
)

// PhonePublications is what the handset publishes: device with voice alone, its machine state as deskphone, and the
// user's state. All of it is inferred: pidgin-sipe's form (sip.md §5.3.1) with the device type that presence shows for
// the phone (handset.md §1.2). instance is the endpoint's UUID in lower case; versions are those of self.
func PhonePublications(sipURI, instance, machineName string, self Self) Publish {
	device := instanceNumber(instance)
	machine := machineStatePrefix | device>>4
	capabilities := el("capabilities", []string{"preferred", "false", "uri", sipURI},
		el("voice", []string{"capture", "true", "render", "true", "publish", "false"}))
	p := Publish{URI: sipURI, Publications: []Publication{{
		Category: "device", Instance: device, Container: containerSelf, ExpireType: "endpoint",
		Content: []Element{el("device", []string{"xmlns", nsDevice, "endpointId", instance},
			capabilities, textEl("timezone", "00:00:00+00:00"), textEl("machineName", machineName))},
	}}}
	for _, container := range []uint32{containerSelf, containerOthers} {
		p.Publications = append(p.Publications, Publication{
			Category: "state", Instance: machine, Container: container, ExpireType: "endpoint",
			Content: []Element{stateElement("machineState", el("endpointLocation", nil), textEl("device", "deskphone"))},
		})
	}
	for _, container := range []uint32{containerSelf, containerOthers} {
		p.Publications = append(p.Publications, Publication{
			Category: "state", Instance: userStateInstance, Container: container, ExpireType: "static",
			Content: []Element{stateElement("userState")},
		})
	}
	for i, c := range p.Publications {
		p.Publications[i].Version = self.Version(c.Category, c.Instance, c.Container)
	}
	return p
}

func stateElement(kind string, more ...Element) Element {
	children := append([]Element{textEl("availability", available)}, more...)
	return el("state", []string{"xmlns", nsState, "manual", "false", "xmlns:xsi", nsInstance, "xsi:type", kind}, children...)
}

// instanceNumber is the first eight hex digits of the UUID; 0 if they are none.
func instanceNumber(uuid string) uint32 {
	if len(uuid) < 8 {
		return 0
	}
	n, err := strconv.ParseUint(uuid[:8], 16, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// Correct takes over the versions that a fault told.
func (p *Publish) Correct(f Fault) error {
	if f.Code != WrongDelta || len(f.Operations) == 0 {
		return fmt.Errorf("%w: fault %.60q with %d operations cannot be corrected", ErrMalformed, f.Code, len(f.Operations))
	}
	for _, o := range f.Operations {
		if o.Index < 1 || int(o.Index) > len(p.Publications) {
			return fmt.Errorf("%w: the fault names publication %d of %d", ErrMalformed, o.Index, len(p.Publications))
		}
	}
	p.Publications = slices.Clone(p.Publications)
	for _, o := range f.Operations {
		p.Publications[o.Index-1].Version = o.CurVersion
	}
	return nil
}

// WrongDelta is the code of a 409: a publication had another version than the pool's (sip.md §5.3.1).
const WrongDelta = "Client.BadCall.WrongDelta"

// Fault is the msrtc-fault body of a 409. The name of its root is inferred; any is read.
type Fault struct {
	Code       string
	Operations []Operation
}

// Operation is one refused publication: Index counts from 1 in the request, CurVersion is the pool's version.
type Operation struct{ Index, CurVersion uint32 }

// Append writes the body.
func (f Fault) Append(b []byte) ([]byte, error) {
	details := Element{Name: "details"}
	for _, o := range f.Operations {
		details.Children = append(details.Children, el("operation", []string{"index", decimal(o.Index), "curVersion", decimal(o.CurVersion)}))
	}
	return appendDocument(b, el("Fault", nil, textEl("Faultcode", f.Code), details))
}

// ParseFault reads the body.
func ParseFault(b []byte) (Fault, error) {
	root, err := parseDocument(b)
	if err != nil {
		return Fault{}, err
	}
	code, ok := root.Child("Faultcode")
	if !ok {
		return Fault{}, fmt.Errorf("%w: no Faultcode in <%.40s>", ErrMalformed, root.Name)
	}
	f := Fault{Code: code.Text}
	details, _ := root.Child("details")
	for _, e := range details.Children {
		if e.Local() != "operation" {
			continue
		}
		var o Operation
		if o.Index, err = numberAttr(e, "index"); err != nil {
			return f, err
		}
		if o.CurVersion, err = numberAttr(e, "curVersion"); err != nil {
			return f, err
		}
		f.Operations = append(f.Operations, o)
	}
	return f, nil
}

// SetContainerMembers is the body of the SERVICE request that fills containers (sip.md §5.3.1).
type SetContainerMembers struct{ Containers []Container }

// Append writes the body.
func (s SetContainerMembers) Append(b []byte) ([]byte, error) {
	root := el("setContainerMembers", []string{"xmlns", nsContainerMembers})
	for _, c := range s.Containers {
		root.Children = append(root.Children, c.element())
	}
	return appendDocument(b, root)
}

// ParseSetContainerMembers reads the body.
func ParseSetContainerMembers(b []byte) (SetContainerMembers, error) {
	root, err := parseRoot(b, "setContainerMembers")
	if err != nil {
		return SetContainerMembers{}, err
	}
	var s SetContainerMembers
	for _, e := range root.Children {
		c, err := readContainer(e)
		if err != nil {
			return s, err
		}
		s.Containers = append(s.Containers, c)
	}
	return s, nil
}
