package replay

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/course"
)

// names are those of a recorded pool and its user, "" where the recording does not tell.
type names struct {
	domain, dns   string
	director      string // that redirects
	registrar     string // that handsets are told, or are redirected to
	front         string // that the registrar calls itself
	web           string
	user          string // SIP address
	dialled, line string // number as dialled, LineURI
}

// namesIn finds the names of a recording.
func namesIn(list []exchange.Message) names {
	n := names{user: course.Registered(list)}
	first := func(to *string, text string) {
		if *to == "" && configs.IsFQDN(strings.ToLower(text)) {
			*to = strings.ToLower(text)
		}
	}
	for _, m := range list {
		switch {
		case m.Protocol == "sip" && m.Sent && strings.HasPrefix(m.Kind, "REGISTER") && course.Registered([]exchange.Message{m}) != "":
			first(&n.registrar, m.Peer)
			first(&n.domain, strings.TrimPrefix(value(m.Fields, "request"), "REGISTER sip:"))
		case m.Protocol == "sip" && strings.HasPrefix(m.Kind, "301 "):
			if n.director == "" && strings.EqualFold(m.Peer, n.registrar) {
				n.director, n.registrar, n.front = n.registrar, "", ""
			}
		case m.Protocol == "sip" && strings.HasPrefix(m.Kind, "401 "):
			first(&n.front, strings.Trim(value(m.Fields, "WWW-Authenticate;targetname"), `"`))
		case m.Protocol == "http" && m.Sent && strings.Contains(strings.ToLower(m.Kind), "/certprov/"):
			first(&n.web, m.Peer)
			if number := value(m.Fields, "Header/Security/UsernameToken/Username"); n.dialled == "" && number != "" {
				n.dialled = number
			}
		case m.Protocol == "http" && m.Sent && n.dialled == "":
			n.dialled = value(m.Fields, "Header/Security/UsernameToken/Username")
		case m.Protocol == "sip" && !m.Sent && n.line == "":
			n.line = value(m.Fields, "roamingData/categories/category/userProperties/lines/line")
		case m.Protocol == "dhcp" && m.Kind == "ACK":
			first(&n.dns, strings.Trim(optionText(m, 15), `"`))
		}
	}
	return n
}

// labOf is the lab with the names of the recorded pool and its user, and the lab itself where it has them all or the
// recording does not tell them. The user who signs in keeps name and PIN.
func labOf(lab *configs.Lab, list []exchange.Message, user string) (*configs.Lab, error) {
	n := namesIn(list)
	if n.domain == "" || n.registrar == "" || n.domain == lab.SIPDomain {
		return lab, nil
	}
	out := *lab
	out.SIPDomain, out.DNSDomain, out.Pool, out.Web = n.domain, n.domain, n.registrar, n.registrar
	if n.dns != "" {
		out.DNSDomain = n.dns
	}
	if n.web != "" {
		out.Web = n.web
	}
	if n.front == "" {
		n.front = n.registrar
	}
	out.Edition, out.Backup, out.Director, out.Certificates = "enterprise", nil, nil, configs.CertificateNames{}
	out.FrontEnds = []configs.Host{{FQDN: n.front, Address: lab.FrontEnds[0].Address}}
	if n.director != "" {
		out.Director = &configs.Host{FQDN: n.director, Address: free(lab)}
	}
	out.Users = slices.Clone(lab.Users)
	for i := range out.Users {
		u := &out.Users[i]
		name, _, _ := strings.Cut(strings.TrimPrefix(u.SIPAddress, "sip:"), "@")
		u.SIPAddress = "sip:" + name + "@" + n.domain
		if u.Name != user {
			continue
		}
		if strings.HasPrefix(n.user, "sip:") {
			u.SIPAddress = n.user
		}
		switch {
		case n.line != "" && (n.dialled == "" || slices.Contains(configs.LineNumbers(n.line), strings.TrimPrefix(n.dialled, "+"))):
			u.LineURI = n.line
		case n.dialled != "":
			u.LineURI = lineOf(n.dialled)
		}
	}
	checked, err := configs.ParseLab(lab.Name, out.Format())
	if err != nil {
		return nil, fmt.Errorf("a lab with the names of the recording: %w", err)
	}
	return checked, nil
}

// free is an address of the lab's network that no machine and no lease has.
func free(lab *configs.Lab) netip.Addr {
	taken := []netip.Addr{lab.Network.Server, lab.Network.Gateway}
	for _, host := range lab.FrontEnds {
		taken = append(taken, host.Address)
	}
	a := lab.Network.Subnet.Addr().Next()
	for slices.Contains(taken, a) {
		a = a.Next()
	}
	return a
}

// lineOf is the LineURI of the number that was dialled: a whole one, or an extension.
func lineOf(number string) string {
	const whole = 7 // digits
	digits := strings.TrimPrefix(number, "+")
	if len(digits) >= whole {
		return "tel:+" + digits
	}
	return "tel:+12065551219;ext=" + digits
}
