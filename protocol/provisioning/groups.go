package provisioning

import (
	"fmt"
	"slices"
)

// Content types of this package's bodies ([MS-SIPREGE] 2.2.2, sip.md §5.3.1).
const (
	TypeProvisioning = "application/vnd-microsoft-roaming-provisioning-v2+xml"
	TypeContacts     = "application/vnd-microsoft-roaming-contacts+xml"
	TypeSelf         = "application/vnd-microsoft-roaming-self+xml"
	TypePublish      = "application/msrtc-category-publish+xml"
	TypeContainers   = "application/msrtc-setcontainermembers+xml"
	TypeFault        = "application/msrtc-fault+xml"
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
type Shape string

// The three shapes. The empty Shape stands for the documented one of the group's name: Plain for ServerConfiguration,
// Instance for ucPolicy, List for the others (for locationPolicy and mediaConfiguration inferred).
const (
	Plain    Shape = "plain"             // one element a property
	List     Shape = "propertyEntryList" // property elements in a propertyEntryList
	Instance Shape = "instance"          // property elements in an instance
)

// Property is one setting.
type Property struct{ Name, Value string }

// Group is one group of settings.
type Group struct {
	Name       string
	Properties []Property
	Shape      Shape
	Unknown    []Element // what is no property of that shape, in order
}

func (g Group) shape() Shape {
	switch {
	case g.Shape != "":
		return g.Shape
	case g.Name == ServerConfiguration:
		return Plain
	case g.Name == "ucPolicy":
		return Instance
	}
	return List
}

// Groups is the body that answers a GroupRequest, [MS-SIPREGE] 4.2.2.
type Groups struct{ Groups []Group }

// Append writes the answer.
func (g Groups) Append(b []byte) ([]byte, error) {
	root := el("provisionGroupList", []string{"xmlns", nsNotification})
	for _, group := range g.Groups {
		root.Children = append(root.Children, group.element())
	}
	return appendDocument(b, root)
}

func (g Group) element() Element {
	shape := g.shape()
	var properties []Element
	for _, p := range g.Properties {
		if shape == Plain {
			properties = append(properties, textEl(p.Name, p.Value))
		} else {
			properties = append(properties, Element{Name: "property", Attrs: []Attr{{"name", p.Name}}, Text: p.Value})
		}
	}
	if shape != Plain {
		properties = []Element{el(string(shape), nil, properties...)}
	}
	return el("provisionGroup", []string{"name", g.Name}, append(properties, g.Unknown...)...)
}

// ParseGroups reads the answer.
func ParseGroups(b []byte) (Groups, error) {
	root, err := parseRoot(b, "provisionGroupList")
	if err != nil {
		return Groups{}, err
	}
	var g Groups
	for _, c := range root.Children {
		name := c.Attr("name")
		if c.Local() != "provisionGroup" || name == "" {
			return g, fmt.Errorf("%w: <%.40s> in the list of groups", ErrMalformed, c.Name)
		}
		g.Groups = append(g.Groups, readGroup(name, c))
	}
	return g, nil
}

func readGroup(name string, e Element) Group {
	g := Group{Name: name, Shape: Plain}
	wrapped := e.Children
	for i, c := range e.Children {
		if s := Shape(c.Local()); s == List || s == Instance {
			g.Shape, wrapped = s, c.Children
			g.Unknown = slices.Delete(slices.Clone(e.Children), i, i+1)
			break
		}
	}
	var unknown []Element
	for _, c := range wrapped {
		property := Property{c.Attr("name"), c.Text}
		known := c.Local() == "property" && len(c.Attrs) == 1
		if g.Shape == Plain {
			property.Name, known = c.Name, len(c.Attrs) == 0
		}
		if known && property.Name != "" && len(c.Children) == 0 {
			g.Properties = append(g.Properties, property)
		} else {
			unknown = append(unknown, c)
		}
	}
	g.Unknown = append(unknown, g.Unknown...)
	return g
}
