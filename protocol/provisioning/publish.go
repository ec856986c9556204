package provisioning

import (
	"fmt"
	"slices"
	"strconv"
)

const (
	nsPublish    = "http://schemas.microsoft.com/2006/09/sip/rich-presence"
	nsManagement = "http://schemas.microsoft.com/2006/09/sip/container-management"
	nsDevice     = "http://schemas.microsoft.com/2006/09/sip/device"
	nsState      = "http://schemas.microsoft.com/2006/09/sip/state"
	nsInstance   = "http://www.w3.org/2001/XMLSchema-instance"
)

// Publications is the body of the SERVICE request that publishes categories (sip.md §5.3.1).
type Publications struct {
	URI  string // sip:user@domain
	List []Publication
}

// Publication is one category in one container. Version must be the pool's current one, 0 for a new publication.
type Publication struct {
	Category   string
	Instance   uint32
	Container  int
	Version    int
	ExpireType string // endpoint, static
	Content    []Element
}

// Append writes the body.
func (p Publications) Append(b []byte) ([]byte, error) {
	list := el("publications", []string{"uri", p.URI})
	for _, one := range p.List {
		e := el("publication", []string{
			"categoryName", one.Category, "instance", decimal(one.Instance), "container", strconv.Itoa(one.Container),
			"version", strconv.Itoa(one.Version), "expireType", one.ExpireType,
		}, one.Content...)
		list.Children = append(list.Children, e)
	}
	return appendDocument(b, el("publish", []string{"xmlns", nsPublish}, list))
}

// ParsePublications reads the body.
func ParsePublications(b []byte) (Publications, error) {
	root, err := parseRoot(b, "publish")
	if err != nil {
		return Publications{}, err
	}
	list, ok := root.Child("publications")
	if !ok {
		return Publications{}, fmt.Errorf("%w: no publications", ErrMalformed)
	}
	p := Publications{URI: list.Attr("uri")}
	for _, e := range list.Children {
		one, err := readPublication(e)
		if err != nil {
			return p, err
		}
		p.List = append(p.List, one)
	}
	return p, nil
}

func readPublication(e Element) (one Publication, err error) {
	one.Category, one.ExpireType = e.Attr("categoryName"), e.Attr("expireType")
	if e.Local() != "publication" || one.Category == "" {
		return one, fmt.Errorf("%w: <%.40s> in publications", ErrMalformed, e.Name)
	}
	if one.Instance, err = instanceAttr(e); err != nil {
		return one, err
	}
	if one.Container, err = numberAttr(e, "container"); err != nil {
		return one, err
	}
	one.Version, err = numberAttr(e, "version")
	one.Content = e.Children
	return one, err
}

// Containers, and the numbers of instances, as pidgin-sipe publishes them (sip.md §5.3.1). That a machine state's
// number is 3 and the first seven digits of the device's is read from its one sample.
const (
	containerSelf      = 2
	containerOthers    = 3
	userStateInstance  = 0x20000000
	machineStatePrefix = 0x30000000
	available          = "3500"
)

// PhonePublications is what the handset publishes: device with voice alone, its machine state as deskphone, and the
// user's state. What the hardware publishes is unknown; all of it is inferred from pidgin-sipe's form (sip.md §5.3.1)
// and the device type that presence shows for the phone (handset.md §1.2). endpoint is the endpoint's UUID, sip starts
// with sip:, versions are those of self.
func PhonePublications(sip, endpoint, machine string, self Self) Publications {
	device := instanceNumber(endpoint)
	capabilities := el("capabilities", []string{"preferred", "false", "uri", sip},
		el("voice", []string{"capture", "true", "render", "true", "publish", "false"}))
	p := Publications{URI: sip}
	add := func(category string, instance uint32, container int, expireType string, content Element) {
		p.List = append(p.List, Publication{category, instance, container, self.Version(category, instance, container), expireType, []Element{content}})
	}
	add("device", device, containerSelf, "endpoint", el("device", []string{"xmlns", nsDevice, "endpointId", endpoint},
		capabilities, textEl("timezone", "00:00:00+00:00"), textEl("machineName", machine)))
	for _, container := range []int{containerSelf, containerOthers} {
		add("state", machineStatePrefix|device>>4, container, "endpoint",
			state("machineState", el("endpointLocation", nil), textEl("device", "deskphone")))
	}
	for _, container := range []int{containerSelf, containerOthers} {
		add("state", userStateInstance, container, "static", state("userState"))
	}
	return p
}

func state(kind string, more ...Element) Element {
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

// WrongVersion is the Code of a 409: a publication had another version than the pool's (sip.md §5.3.1).
const WrongVersion = "Client.BadCall.WrongDelta"

// Fault is the msrtc-fault body of a 409. The name of its root is inferred; any is read.
type Fault struct {
	Code       string
	Operations []Operation
}

// Operation is one refused publication: Index counts from 1 in the request, CurrentVersion is the pool's version.
type Operation struct{ Index, CurrentVersion int }

// Append writes the body.
func (f Fault) Append(b []byte) ([]byte, error) {
	details := Element{Name: "details"}
	for _, o := range f.Operations {
		details.Children = append(details.Children, el("operation", []string{"index", strconv.Itoa(o.Index), "curVersion", strconv.Itoa(o.CurrentVersion)}))
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
		if o.CurrentVersion, err = numberAttr(e, "curVersion"); err != nil {
			return f, err
		}
		f.Operations = append(f.Operations, o)
	}
	return f, nil
}

// Correct takes over the versions that a fault told.
func (p *Publications) Correct(f Fault) error {
	if f.Code != WrongVersion || len(f.Operations) == 0 {
		return fmt.Errorf("%w: fault %.60q with %d operations cannot be corrected", ErrMalformed, f.Code, len(f.Operations))
	}
	list := slices.Clone(p.List)
	for _, o := range f.Operations {
		if o.Index < 1 || o.Index > len(list) {
			return fmt.Errorf("%w: the fault names publication %d of %d", ErrMalformed, o.Index, len(list))
		}
		list[o.Index-1].Version = o.CurrentVersion
	}
	p.List = list
	return nil
}

// Member is who belongs to a container: Type is sameEnterprise, federated and others. In a change Action is add or
// remove, and Version is the container's.
type Member struct {
	Container           int
	Action, Type, Value string
	Version             int
}

// AppendContainerMembers writes the body of the SERVICE request that changes members, one container element for each
// run of members of the same container (sip.md §5.3.1).
func AppendContainerMembers(b []byte, members []Member) ([]byte, error) {
	var containers []Container
	for _, m := range members {
		n := len(containers)
		if n == 0 || containers[n-1].ID != m.Container {
			containers = append(containers, Container{ID: m.Container, Version: m.Version})
			n++
		}
		containers[n-1].Members = append(containers[n-1].Members, m)
	}
	root := el("setContainerMembers", []string{"xmlns", nsManagement})
	for _, c := range containers {
		root.Children = append(root.Children, c.element())
	}
	return appendDocument(b, root)
}

// ParseContainerMembers reads the body.
func ParseContainerMembers(b []byte) ([]Member, error) {
	root, err := parseRoot(b, "setContainerMembers")
	if err != nil {
		return nil, err
	}
	var members []Member
	for _, e := range root.Children {
		c, err := readContainer(e)
		if err != nil {
			return nil, err
		}
		members = append(members, c.Members...)
	}
	return members, nil
}
