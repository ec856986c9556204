package updates

import (
	"net/http"
	"strings"

	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

// auditTime is a date and time; the real log's format has no source.
const auditTime = "2006-01-02 15:04:05"

// audit is the service's record of one query: LoggingDateTime; UserHostAddress; DeviceType; MACAddress; SerialNumber;
// Vendor; Model; Revision; Locale; RequestModules; ResponseModules; UserID. Modules are separated by #, the parts of
// one by ; as well (handset.md §3.3).
func (s *Service) audit(r *http.Request, request deviceupdate.Request, response deviceupdate.Response, user string) string {
	var asked, offered []string
	for _, m := range request.Modules {
		asked = append(asked, clean(m.FileName)+";"+clean(m.Version)+";"+clean(m.Timestamp))
	}
	for _, u := range response.Updates {
		offered = append(offered, clean(u.FileName)+";"+clean(u.Version))
	}
	return strings.Join([]string{
		s.cfg.Now().UTC().Format(auditTime), r.RemoteAddr, clean(request.DeviceType), clean(request.MACAddress), clean(request.SerialNumber),
		clean(request.Vendor), clean(request.Model), clean(request.Revision), clean(request.Locale),
		strings.Join(asked, "#"), strings.Join(offered, "#"), clean(user),
	}, ";")
}

// maxField bounds a field of the record.
const maxField = 64

// clean keeps a field of a query from looking like more than one.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == ';' || r == '#' || r == 0x7f {
			return '_'
		}
		return r
	}, text)
	if len(text) > maxField {
		text = strings.ToValidUTF8(text[:maxField], "") // the last character may have been cut
	}
	return text
}
