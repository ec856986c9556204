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
	DeltaNum int // never 0: clients refuse that
	Groups   []ContactGroup
	Unknown  []Element // contacts and whatever else, in order
}

// ContactGroup is one group of the contact list; "~" is the group of those without one.
type ContactGroup struct {
	ID                int
	Name, ExternalURI string
}

// NoGroup is the group that every user has.
var NoGroup = ContactGroup{ID: 1, Name: "~"}

// Append writes the list.
func (c Contacts) Append(b []byte) ([]byte, error) {
	if c.DeltaNum <= 0 {
		return nil, fmt.Errorf("%w: deltaNum %d", ErrMalformed, c.DeltaNum)
	}
	root := el("contactList", []string{"deltaNum", strconv.Itoa(c.DeltaNum)})
	for _, g := range c.Groups {
		root.Children = append(root.Children, el("group", []string{"id", strconv.Itoa(g.ID), "name", g.Name, "externalURI", g.ExternalURI}))
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

// SelfRequest is the body of SUBSCRIBE vnd-microsoft-roaming-self: it asks for categories, containers and subscribers
// (sip.md §5.3.1).
type SelfRequest struct{}

// Append writes the request.
func (SelfRequest) Append(b []byte) ([]byte, error) {
	root := el("roamingList", []string{"xmlns", nsSelf})
	for _, t := range []string{"categories", "containers", "subscribers"} {
		root.Children = append(root.Children, el("roaming", []string{"type", t}))
	}
	return appendDocument(b, root)
}

// ParseSelfRequest returns the types that are asked for, at least one.
func ParseSelfRequest(b []byte) ([]string, error) {
	root, err := parseRoot(b, "roamingList")
	if err != nil {
		return nil, err
	}
	var types []string
	for _, c := range root.Children {
		t := c.Attr("type")
		if c.Local() != "roaming" || t == "" {
			return types, fmt.Errorf("%w: <%.40s> in the list of roaming types", ErrMalformed, c.Name)
		}
		types = append(types, t)
	}
	if len(types) == 0 {
		return nil, fmt.Errorf("%w: no roaming type", ErrMalformed)
	}
	return types, nil
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
	Container int
	Version   int
	Lines     []Line    // of userProperties
	Attrs     []Attr    // the others, such as publishTime
	Content   []Element // unless it is userProperties with nothing but lines
}

// Line is one line of the user, in category userProperties. Type Rcc and Dual mean remote call control; Uc for an
// enterprise-voice line is inferred (sip.md §5.3.1).
type Line struct {
	Type string
	URI  string // such as tel:+12065551219;ext=1219
}

// Container is an access level with its members.
type Container struct {
	ID, Version int
	Members     []Member
}

// LineURI is the user's enterprise-voice line (Uc), else the first line, else "".
func (s Self) LineURI() string {
	first := ""
	for _, c := range s.Categories {
		for _, line := range c.Lines {
			if line.Type == "Uc" {
				return line.URI
			}
			if first == "" {
				first = line.URI
			}
		}
	}
	return first
}

// Version is the pool's version of a publication, 0 if it holds none.
func (s Self) Version(category string, instance uint32, container int) int {
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
		categories.Children = append(categories.Children, c.element())
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

// element writes the category; the namespace of userProperties is not known, so it has none of its own.
func (c Category) element() Element {
	e := el("category", []string{
		"name", c.Name, "instance", decimal(c.Instance), "container", strconv.Itoa(c.Container), "version", strconv.Itoa(c.Version),
	})
	e.Attrs = append(e.Attrs, c.Attrs...)
	if len(c.Lines) > 0 && len(c.Content) == 0 {
		lines := Element{Name: "lines"}
		for _, l := range c.Lines {
			lines.Children = append(lines.Children, Element{Name: "line", Attrs: []Attr{{"lineType", l.Type}}, Text: l.URI})
		}
		e.Children = []Element{el("userProperties", nil, lines)}
	}
	e.Children = append(e.Children, c.Content...)
	return e
}

func readCategory(e Element) (Category, error) {
	c := Category{Name: e.Attr("name")}
	if e.Local() != "category" || c.Name == "" {
		return c, fmt.Errorf("%w: <%.40s> in categories", ErrMalformed, e.Name)
	}
	for _, a := range e.Attrs {
		var err error
		switch a.Name {
		case "name":
		case "instance":
			c.Instance, err = instanceAttr(e)
		case "container":
			c.Container, err = numberAttr(e, a.Name)
		case "version":
			c.Version, err = numberAttr(e, a.Name)
		default:
			c.Attrs = append(c.Attrs, a)
		}
		if err != nil {
			return c, err
		}
	}
	plain := readLines(e, &c)
	if !plain {
		c.Content = e.Children
	}
	return c, nil
}

// readLines takes the lines of userProperties; it reports whether the category holds nothing else.
func readLines(e Element, c *Category) bool {
	if c.Name != "userProperties" {
		return false
	}
	properties, ok := e.Child("userProperties")
	if !ok {
		return false
	}
	lines, ok := properties.Child("lines")
	if !ok {
		return false
	}
	plain := len(e.Children) == 1 && len(properties.Children) == 1 && len(properties.Attrs) == 0
	for _, l := range lines.Children {
		uri := strings.TrimSpace(l.Text)
		if l.Local() != "line" || uri == "" {
			plain = false
			continue
		}
		c.Lines = append(c.Lines, Line{l.Attr("lineType"), uri})
		plain = plain && len(l.Attrs) == 1 && l.Attrs[0].Name == "lineType" && len(l.Children) == 0
	}
	return plain && len(c.Lines) > 0
}

func (c Container) element() Element {
	e := el("container", []string{"id", strconv.Itoa(c.ID), "version", strconv.Itoa(c.Version)})
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
		c.Members = append(c.Members, Member{c.ID, m.Attr("action"), m.Attr("type"), m.Attr("value"), c.Version})
	}
	return c, nil
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// numberAttr reads an attribute that must be there, 0 to 2147483647.
func numberAttr(e Element, name string) (int, error) {
	n, err := strconv.ParseUint(e.Attr(name), 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%w: %s=%.20q of <%s> is no number", ErrMalformed, name, e.Attr(name), e.Name)
	}
	return int(n), nil
}

func instanceAttr(e Element) (uint32, error) {
	n, err := strconv.ParseUint(e.Attr("instance"), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: instance=%.20q of <%s> is no number", ErrMalformed, e.Attr("instance"), e.Name)
	}
	return uint32(n), nil
}
