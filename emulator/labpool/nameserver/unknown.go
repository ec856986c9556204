package nameserver

import (
	"fmt"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// describedNames are the beginnings of the names that handsets are described to look up, in any domain
// (discovery.md §1.5, §6).
var describedNames = []string{
	"_sipinternaltls._tcp.", "_sip._tls.", "_sipinternal._tcp.", "_sip._tcp.", "sipinternal.", "sip.", "sipexternal.", "ucupdates-r2.", "ucupdates.",
	"_ntp._udp.", "time.windows.com",
}

// tellUnknown names a question that neither the zone answers nor a document describes.
func (s *Server) tellUnknown(q query, r result, peer string) {
	if len(r.answers) > 0 {
		return
	}
	name := key(q.question.Name.String())
	if t := q.question.Type; t == dnsmessage.TypeA || t == dnsmessage.TypeSRV || t == dnsmessage.TypeAAAA {
		for _, described := range describedNames {
			if strings.HasPrefix(name, described) {
				return
			}
		}
		if z := s.zone.Load(); len(z.hosts[name]) > 0 || len(z.services[name]) > 0 {
			return // of another type
		}
	}
	who, _, err := net.SplitHostPort(peer)
	if err != nil {
		who = peer
	}
	s.unknown.Tell(peer, who, fmt.Sprintf("question %s %.80q", typeName(q.question.Type), name), func() string { return codeName(r.code) })
}
