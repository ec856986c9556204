package registrar

import (
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/protocol/provisioning"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// typeConferencing is that of getConferencingCapabilities, which this lab has nobody for.
const typeConferencing = "application/cccp+xml"

// service answers a SERVICE by its Content-Type (sip.md §5.3.1, §7.3).
func (c *connection) service(m *sipmessage.Message, a *association, id identity) {
	contentType, _, _ := strings.Cut(m.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(contentType)) {
	case provisioning.TypePublish:
		c.publish(m, a, id)
	case provisioning.TypeContainers:
		members, err := provisioning.ParseContainerMembers(m.Body)
		if err != nil {
			c.refuse(m, a, checkBody.refuse("%v", err))
			return
		}
		c.received(m, fmt.Sprintf("%d container members", len(members)))
		c.reply(m, a, 200, "OK", header("Server", c.s.server()))
	case typeConferencing:
		c.received(m, "no conferencing service")
		c.notFound(m, a)
	default:
		c.refuse(m, a, checkContentType.refuse("%.60q", contentType))
	}
}

// publish takes publications and tells their new versions, or which of them had a wrong one.
func (c *connection) publish(m *sipmessage.Message, a *association, id identity) {
	request, err := provisioning.ParsePublications(m.Body)
	if err != nil {
		c.refuse(m, a, checkBody.refuse("%v", err))
		return
	}
	if !strings.EqualFold(request.URI, id.aor) {
		c.refuse(m, a, checkPublisher.refuse("publications of %.80q", request.URI))
		return
	}
	wrong, full := c.s.endpoints.publish(id.aor, id.epid, request.List)
	if full {
		c.refuse(m, a, checkPublications.refuse("%d more", len(request.List)))
		return
	}
	if len(wrong) > 0 {
		c.conflict(m, a, wrong)
		return
	}
	self := provisioning.Self{URI: id.aor, Categories: c.s.endpoints.categories(id.aor, request.List)}
	body, err := self.Append(nil)
	if err != nil {
		c.refuse(m, a, checkBody.refuse("%v", err))
		return
	}
	c.received(m, fmt.Sprintf("%d publications", len(request.List)))
	c.replyBody(m, a, []sipmessage.Header{header("Server", c.s.server())}, provisioning.TypeSelf, body)
}

// conflict answers 409 with the current versions.
func (c *connection) conflict(m *sipmessage.Message, a *association, wrong []provisioning.Operation) {
	refused := checkVersion.refuse("%d publications, the first is number %d", len(wrong), wrong[0].Index)
	body, err := provisioning.Fault{Code: provisioning.WrongVersion, Operations: wrong}.Append(nil)
	if err != nil {
		c.refuse(m, a, checkBody.refuse("%v", err))
		return
	}
	refused.body, refused.contentType = body, provisioning.TypeFault
	c.refuse(m, a, refused)
}

// invite says that nobody is there: calls are not part of this lab, and ocschat, to which sipe probes, is no user.
func (c *connection) invite(m *sipmessage.Message, a *association) {
	c.received(m, "")
	c.reply(m, a, 100, "Trying")
	to, err := sipmessage.ParseAddress(m.Get("To"))
	if err == nil {
		if _, ok := c.s.cfg.Directory.BySIP(to.URI); ok {
			c.reply(m, a, 480, "Temporarily Unavailable", header("Server", c.s.server()))
			return
		}
	}
	c.notFound(m, a)
}

func (c *connection) notFound(m *sipmessage.Message, a *association) {
	c.reply(m, a, 404, "Not Found", diagnostics("ms-diagnostics", diagUnknownUser, "User does not exist", c.s.cfg.Host), header("Server", c.s.server()))
}
