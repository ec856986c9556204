package provisioning

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	nsSelf        = "http://schemas.microsoft.com/2006/09/sip/roaming-self"
	nsCategories  = "http://schemas.microsoft.com/2006/09/sip/categories"
	nsContainers  = "http://schemas.microsoft.com/2006/09/sip/containers"
	nsSubscribers = "http://schemas.microsoft.com/2006/09/sip/presence-subscribers"
)

// Contacts is the body of roaming-contacts (sip.md §5.3.1).
type Contacts struct {
	DeltaNum uint32 // never 0: clients refuse that
	Groups   []ContactGroup
	Unknown  []Element // contacts and whatever else, in order
}

// ContactGroup is one group of the contact list; "~" is the group of those without one.
type ContactGroup struct {
	ID                uint32
	Name, ExternalURI string
}

// Append writes the list.
func (c Contacts) Append(b []byte) ([]byte, error) {
	if c.DeltaNum == 0 {
		return nil, fmt.Errorf("%w: deltaNum 0", ErrMalformed)
	}
	root := el("contactList", []string{"deltaNum", decimal(c.DeltaNum)})
	for _, g := range c.Groups {
		root.Children = append(root.Children, el("group", []string{"id", decimal(g.ID), "name", g.Name, "externalURI", g.ExternalURI}))
	}
	root.Children = append(root.Children, c.Unknown...)
	return appendDocument(b, root)
}

// ParseContacts reads the list.
func ParseContacts(b []byte) (Contacts, error) {
	root, err := parseRoot(b, "contactList")
	if err != nil {
		return Contacts{}, err
	}
	var c Contacts
	if c.DeltaNum, err = numberAttr(root, "deltaNum"); err != nil {
		return c, err
	}
	if c.DeltaNum == 0 {
		return c, fmt.Errorf("%w: deltaNum 0", ErrMalformed)
	}
	for _, e := range root.Children {
		if e.Local() != "group" {
			c.Unknown = append(c.Unknown, e)
			continue
		}
		id, err := numberAttr(e, "id")
		if err != nil {
			return c, err
		}
		c.Groups = append(c.Groups, ContactGroup{id, e.Attr("name"), e.Attr("externalURI")})
	}
	return c, nil
}

// SelfRequest is the body of SUBSCRIBE vnd-microsoft-roaming-self. Without Types it asks for categories, containers
// and subscribers (sip.md §5.3.1).
type SelfRequest struct{ Types []string }

// Append writes the request.
func (r SelfRequest) Append(b []byte) ([]byte, error) {
	types := r.Types
	if len(types) == 0 {
		types = []string{"categories", "containers", "subscribers"}
	}
	root := el("roamingList", []string{"xmlns", nsSelf})
	for _, t := range types {
		root.Children = append(root.Children, el("roaming", []string{"type", t}))
	}
	return appendDocument(b, root)
}

// ParseSelfRequest reads the request.
func ParseSelfRequest(b []byte) (SelfRequest, error) {
	root, err := parseRoot(b, "roamingList")
	if err != nil {
		return SelfRequest{}, err
	}
	var r SelfRequest
	for _, c := range root.Children {
		t := c.Attr("type")
		if c.Local() != "roaming" || t == "" {
			return r, fmt.Errorf("%w: <%.40s> in the list of roaming types", ErrMalformed, c.Name)
		}
		r.Types = append(r.Types, t)
	}
	if len(r.Types) == 0 {
		return r, fmt.Errorf("%w: no roaming type", ErrMalformed)
	}
	return r, nil
}

// Self is the body of roaming-self: what the pool holds of the user. It also answers a publication with the new
// versions (sip.md §5.3.1).
type Self struct {
	URI         string // sip:user@domain, attribute of categories
	Categories  []Category
	Containers  []Container
	Subscribers []Element
	Unknown     []Element
}

// Category is one published category.
type Category struct {
	Name      string
	Instance  uint32
	Container uint32
	Version   uint32
	Attrs     []Attr // the others, such as publishTime
	Content   []Element
}

// Container is an access level with its members.
type Container struct {
	ID, Version uint32
	Members     []Member
}

// Member is who belongs to a container: Type is sameEnterprise, federated and others; Action only in
// SetContainerMembers, add or remove.
type Member struct{ Action, Type, Value string }

// UserProperties is the category that carries the user's line (sip.md §5.3.1); lineType Uc for an enterprise-voice
// line, its namespace and instance are inferred. Without a line there is none.
func UserProperties(lineURI string, container, version uint32) Category {
	line := Element{Name: "line", Attrs: []Attr{{"lineType", "Uc"}}, Text: lineURI}
	var lines []Element
	if lineURI != "" {
		lines = append(lines, line)
	}
	return Category{
		Name: "userProperties", Container: container, Version: version,
		Content: []Element{el("userProperties", nil, el("lines", nil, lines...))},
	}
}

// LineURI is the user's line: text of userProperties/lines/line, an enterprise-voice line (Uc) before one with remote
// call control. It is "" if the user has none.
func (s Self) LineURI() string {
	first := ""
	for _, c := range s.Categories {
		if c.Name != "userProperties" {
			continue
		}
		for _, content := range c.Content {
			lines, _ := content.Child("lines")
			for _, line := range lines.Children {
				uri := strings.TrimSpace(line.Text)
				if line.Local() != "line" || uri == "" {
					continue
				}
				if line.Attr("lineType") == "Uc" {
					return uri
				}
				if first == "" {
					first = uri
				}
			}
		}
	}
	return first
}

// Version is the pool's version of a publication, 0 if it holds none.
func (s Self) Version(category string, instance, container uint32) uint32 {
	for _, c := range s.Categories {
		if c.Name == category && c.Instance == instance && c.Container == container {
			return c.Version
		}
	}
	return 0
}

// Append writes the body; categories, containers and subscribers are always there, as clients wait for them.
func (s Self) Append(b []byte) ([]byte, error) {
	categories := el("categories", []string{"xmlns", nsCategories, "uri", s.URI})
	for _, c := range s.Categories {
		e := el("category", []string{"name", c.Name, "instance", decimal(c.Instance), "container", decimal(c.Container), "version", decimal(c.Version)}, c.Content...)
		e.Attrs = append(e.Attrs, c.Attrs...)
		categories.Children = append(categories.Children, e)
	}
	containers := el("containers", []string{"xmlns", nsContainers})
	for _, c := range s.Containers {
		containers.Children = append(containers.Children, c.element())
	}
	subscribers := el("subscribers", []string{"xmlns", nsSubscribers}, s.Subscribers...)
	root := el("roamingData", []string{"xmlns", nsSelf}, categories, containers, subscribers)
	root.Children = append(root.Children, s.Unknown...)
	return appendDocument(b, root)
}

// ParseSelf reads the body; each of its parts may be absent.
func ParseSelf(b []byte) (Self, error) {
	root, err := parseRoot(b, "roamingData")
	if err != nil {
		return Self{}, err
	}
	var s Self
	for _, part := range root.Children {
		switch part.Local() {
		case "categories":
			s.URI = part.Attr("uri")
			for _, e := range part.Children {
				c, err := readCategory(e)
				if err != nil {
					return s, err
				}
				s.Categories = append(s.Categories, c)
			}
		case "containers":
			for _, e := range part.Children {
				c, err := readContainer(e)
				if err != nil {
					return s, err
				}
				s.Containers = append(s.Containers, c)
			}
		case "subscribers":
			s.Subscribers = append(s.Subscribers, part.Children...)
		default:
			s.Unknown = append(s.Unknown, part)
		}
	}
	return s, nil
}

func readCategory(e Element) (Category, error) {
	c := Category{Name: e.Attr("name"), Content: e.Children}
	if e.Local() != "category" || c.Name == "" {
		return c, fmt.Errorf("%w: <%.40s> in categories", ErrMalformed, e.Name)
	}
	for _, a := range e.Attrs {
		var field *uint32
		switch a.Name {
		case "name":
			continue
		case "instance":
			field = &c.Instance
		case "container":
			field = &c.Container
		case "version":
			field = &c.Version
		default:
			c.Attrs = append(c.Attrs, a)
			continue
		}
		n, err := numberAttr(e, a.Name)
		if err != nil {
			return c, err
		}
		*field = n
	}
	return c, nil
}

func (c Container) element() Element {
	e := el("container", []string{"id", decimal(c.ID), "version", decimal(c.Version)})
	for _, m := range c.Members {
		member := Element{Name: "member"}
		for _, a := range []Attr{{"action", m.Action}, {"type", m.Type}, {"value", m.Value}} {
			if a.Value != "" {
				member.Attrs = append(member.Attrs, a)
			}
		}
		e.Children = append(e.Children, member)
	}
	return e
}

func readContainer(e Element) (Container, error) {
	var c Container
	if e.Local() != "container" {
		return c, fmt.Errorf("%w: <%.40s> in containers", ErrMalformed, e.Name)
	}
	var err error
	if c.ID, err = numberAttr(e, "id"); err != nil {
		return c, err
	}
	if c.Version, err = numberAttr(e, "version"); err != nil {
		return c, err
	}
	for _, m := range e.Children {
		if m.Local() != "member" || m.Attr("type") == "" {
			return c, fmt.Errorf("%w: <%.40s> in container %d", ErrMalformed, m.Name, c.ID)
		}
		c.Members = append(c.Members, Member{m.Attr("action"), m.Attr("type"), m.Attr("value")})
	}
	return c, nil
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// numberAttr reads an attribute that must be there.
func numberAttr(e Element, name string) (uint32, error) {
	n, err := strconv.ParseUint(e.Attr(name), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: %s=%.20q of <%s> is no number", ErrMalformed, name, e.Attr(name), e.Name)
	}
	return uint32(n), nil
}
