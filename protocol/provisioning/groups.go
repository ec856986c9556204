package provisioning

import (
	"fmt"
	"strings"
)

// Content types of this package's bodies ([MS-SIPREGE] 2.2.2, sip.md §5.3.1).
const (
	TypeProvisioning        = "application/vnd-microsoft-roaming-provisioning-v2+xml"
	TypeContacts            = "application/vnd-microsoft-roaming-contacts+xml"
	TypeSelf                = "application/vnd-microsoft-roaming-self+xml"
	TypePublish             = "application/msrtc-category-publish+xml"
	TypeSetContainerMembers = "application/msrtc-setcontainermembers+xml"
	TypeFault               = "application/msrtc-fault+xml"
)

const (
	nsGroupList    = "http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"
	nsNotification = "http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification"
)

// ServerConfiguration is the name of the group that holds the phone's settings.
const ServerConfiguration = "ServerConfiguration"

// GroupRequest is the body of SUBSCRIBE vnd-microsoft-provisioning-v2: the groups that are wanted
// ([MS-SIPREGE] 2.2.2.4).
type GroupRequest struct {
	Groups []string
	Subnet string // "" is left out
}

// Append writes the request.
func (r GroupRequest) Append(b []byte) ([]byte, error) {
	root := el("provisioningGroupList", []string{"xmlns", nsGroupList})
	if r.Subnet != "" {
		root.Attrs = append(root.Attrs, Attr{"subnet", r.Subnet})
	}
	for _, name := range r.Groups {
		root.Children = append(root.Children, el("provisioningGroup", []string{"name", name}))
	}
	return appendDocument(b, root)
}

// ParseGroupRequest reads the request. The optional attribute opaque of a group is not kept.
func ParseGroupRequest(b []byte) (GroupRequest, error) {
	root, err := parseRoot(b, "provisioningGroupList")
	if err != nil {
		return GroupRequest{}, err
	}
	r := GroupRequest{Subnet: root.Attr("subnet")}
	for _, c := range root.Children {
		name := c.Attr("name")
		if c.Local() != "provisioningGroup" || name == "" {
			return r, fmt.Errorf("%w: <%.40s> in the list of groups", ErrMalformed, c.Name)
		}
		r.Groups = append(r.Groups, name)
	}
	return r, nil
}

// Shape is how a group writes its properties (sip.md §5.3).
type Shape int

// The three shapes.
const (
	Plain    Shape = iota // one element a property: ServerConfiguration
	List                  // propertyEntryList/property: endpointConfiguration, presencePolicyV2, locationPolicy (inferred)
	Instance              // instance/property: ucPolicy
)

func (s Shape) wrapper() string {
	switch s {
	case List:
		return "propertyEntryList"
	case Instance:
		return "instance"
	}
	return ""
}

// Property is one setting.
type Property struct{ Name, Value string }

// Group is one group of settings.
type Group struct {
	Name       string
	Shape      Shape
	Properties []Property
	Unknown    []Element // what is no property of that shape, in order
}

// Property returns the first value of that name; names are compared without case, as sources spell them differently.
func (g Group) Property(name string) (string, bool) {
	for _, p := range g.Properties {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}

// Groups is the body that answers a GroupRequest.
type Groups []Group

// Group returns the group of that name.
func (g Groups) Group(name string) (Group, bool) {
	for _, group := range g {
		if strings.EqualFold(group.Name, name) {
			return group, true
		}
	}
	return Group{}, false
}

// Append writes the answer.
func (g Groups) Append(b []byte) ([]byte, error) {
	root := el("provisionGroupList", []string{"xmlns", nsNotification})
	for _, group := range g {
		root.Children = append(root.Children, group.element())
	}
	return appendDocument(b, root)
}

func (g Group) element() Element {
	e := el("provisionGroup", []string{"name", g.Name})
	var properties []Element
	for _, p := range g.Properties {
		if g.Shape == Plain {
			properties = append(properties, textEl(p.Name, p.Value))
		} else {
			properties = append(properties, Element{Name: "property", Attrs: []Attr{{"name", p.Name}}, Text: p.Value})
		}
	}
	if wrapper := g.Shape.wrapper(); wrapper != "" {
		properties = []Element{el(wrapper, nil, properties...)}
	}
	e.Children = append(properties, g.Unknown...)
	return e
}

// ParseGroups reads the answer.
func ParseGroups(b []byte) (Groups, error) {
	root, err := parseRoot(b, "provisionGroupList")
	if err != nil {
		return nil, err
	}
	var groups Groups
	for _, c := range root.Children {
		name := c.Attr("name")
		if c.Local() != "provisionGroup" || name == "" {
			return nil, fmt.Errorf("%w: <%.40s> in the list of groups", ErrMalformed, c.Name)
		}
		groups = append(groups, readGroup(name, c))
	}
	return groups, nil
}

func readGroup(name string, e Element) Group {
	g := Group{Name: name}
	for _, s := range []Shape{List, Instance} {
		wrapper, ok := e.Child(s.wrapper())
		if !ok {
			continue
		}
		g.Shape = s
		for _, c := range wrapper.Children {
			if c.Local() == "property" && c.Attr("name") != "" && len(c.Children) == 0 {
				g.Properties = append(g.Properties, Property{c.Attr("name"), c.Text})
			} else {
				g.Unknown = append(g.Unknown, c)
			}
		}
		for _, c := range e.Children {
			if c.Local() != s.wrapper() {
				g.Unknown = append(g.Unknown, c)
			}
		}
		return g
	}
	for _, c := range e.Children {
		if len(c.Children) == 0 && len(c.Attrs) == 0 {
			g.Properties = append(g.Properties, Property{c.Name, c.Text})
		} else {
			g.Unknown = append(g.Unknown, c)
		}
	}
	return g
}
