package manage

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/history"
)

const schema = "lpe.manage/1"

func (s *Server) getPool(*http.Request) (any, error) {
	p := Pool{Schema: schema, Lab: s.pool.Lab().Name, Pool: s.pool.Lab().Pool, CertProvURL: s.pool.CertProvURL()}
	for _, r := range s.pool.Registrars {
		p.Registrars = append(p.Registrars, r.Addresses().TLS)
	}
	return p, nil
}

func sameUser(sip string, u directory.User) bool { return strings.EqualFold(sip, u.SIPAddress) }

func registrationOf(r labpool.Registration) Registration {
	return Registration{
		SIPAddress: r.SIP, EPID: r.EPID, State: string(r.State), Registrar: r.Host, UserAgent: r.UserAgent, Contact: r.Contact,
		Since: r.Since.UTC(), Expires: r.Expires.UTC(),
	}
}

func (s *Server) registrations(wanted func(labpool.Registration) bool) list[Registration] {
	out := list[Registration]{List: []Registration{}}
	for _, r := range s.pool.Registrations() {
		if wanted(r) {
			out.List = append(out.List, registrationOf(r))
		}
	}
	return out
}

func all(labpool.Registration) bool { return true }

func (s *Server) getRegistrations(*http.Request) (any, error) { return s.registrations(all), nil }

func (s *Server) dropAssociations(r *http.Request) (any, error) {
	if err := s.pool.DropAssociations(r.Context()); err != nil {
		return nil, err
	}
	s.note("", "the registrars have forgotten their security associations")
	return s.registrations(all), nil
}

func certificateOf(p authority.Published) Certificate {
	sum := sha1.Sum(p.Certificate.Raw)
	return Certificate{
		SIPAddress: p.SIP, DeviceID: p.DeviceID, Serial: p.Certificate.SerialNumber.Text(16),
		Thumbprint: strings.ToUpper(hex.EncodeToString(sum[:])),
		NotBefore:  p.Certificate.NotBefore.UTC(), NotAfter: p.Certificate.NotAfter.UTC(),
	}
}

func (s *Server) getCertificates(*http.Request) (any, error) {
	out := list[Certificate]{List: []Certificate{}}
	for _, u := range s.pool.Directory.Users() {
		for _, p := range s.pool.Authority.List(u.SIPAddress) {
			out.List = append(out.List, certificateOf(p))
		}
	}
	return out, nil
}

// revoke takes back the certificates of a user, or that of one device, as Revoke-CsClientCertificate does.
func (s *Server) revoke(r *http.Request) (any, error) {
	out := list[Certificate]{List: []Certificate{}}
	device := strings.ToLower(strings.Trim(r.PathValue("device"), "{}"))
	u, err := s.pool.User(r.PathValue("user"))
	if err != nil {
		return nil, err
	}
	for _, p := range s.pool.Authority.List(u.SIPAddress) {
		if device == "" || p.DeviceID == device {
			out.List = append(out.List, certificateOf(p))
		}
	}
	if _, err := s.pool.Authority.Revoke(u.SIPAddress, device); err != nil {
		return nil, err
	}
	s.note(u.SIPAddress, u.SIPAddress+": certificates revoked: "+strconv.Itoa(len(out.List)))
	return out, nil
}

// getHistory gives a page of the history.
func (s *Server) getHistory(r *http.Request) (any, error) {
	query, after := r.URL.Query(), uint64(0)
	if text := query.Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, problem(http.StatusBadRequest, CodeMalformed, "after %.40q is not the number of an entry", text)
		}
	}
	entries, err := s.entries(query.Get("user"), after)
	if err != nil {
		return nil, err
	}
	out := list[Entry]{List: []Entry{}}
	for _, e := range entries[:min(len(entries), pageSize)] {
		out.List = append(out.List, Entry{e.Observation, e.User})
	}
	return out, nil
}

func (s *Server) entries(user string, after uint64) ([]history.Entry, error) {
	if user == "" {
		return s.pool.History.All(after), nil
	}
	return s.pool.HistoryOf(user, after)
}

func (s *Server) getFaults(*http.Request) (any, error) {
	known, err := configs.Faults()
	if err != nil {
		return nil, err
	}
	out := list[Fault]{List: []Fault{}}
	for _, f := range s.pool.Faults() {
		one := Fault{Fault: f.String(), User: f.User}
		for _, k := range known {
			if k.Name == f.Name {
				one.Description = k.Description
			}
		}
		out.List = append(out.List, one)
	}
	return out, nil
}

func (s *Server) putFault(r *http.Request) (any, error) {
	var f SetFault
	if err := read(r, &f); err != nil {
		return nil, err
	}
	if _, _, err := faults.Known(f.Fault); err != nil && !errors.Is(err, faults.ErrUnknown) {
		return nil, problem(http.StatusUnprocessableEntity, CodeInvalid, "%v", err)
	}
	if err := s.pool.SetFault(f.Fault, f.User); err != nil {
		return nil, err
	}
	return s.getFaults(r)
}

func (s *Server) clearFaults(r *http.Request) (any, error) {
	for _, f := range s.pool.Faults() {
		if _, err := s.pool.ClearFault(f.Name); err != nil {
			return nil, err
		}
	}
	return s.getFaults(r)
}

func (s *Server) clearFault(r *http.Request) (any, error) {
	name := r.PathValue("fault")
	was, err := s.pool.ClearFault(name)
	if err != nil {
		return nil, err
	}
	if !was {
		return nil, problem(http.StatusNotFound, CodeUnknownFault, "fault %.80s is not set", name)
	}
	return s.getFaults(r)
}

type controlKey struct{}

// withDeadlines lets a handler that waits extend the times of its connection.
func withDeadlines(ctx context.Context, c *http.ResponseController) context.Context {
	return context.WithValue(ctx, controlKey{}, c)
}

// extend gives a request more time than others have.
func extend(r *http.Request, more time.Duration) {
	c, ok := r.Context().Value(controlKey{}).(*http.ResponseController)
	if !ok {
		return
	}
	end := time.Now().Add(more + answerTime)
	c.SetReadDeadline(end) // both fail only when the connection has ended
	c.SetWriteDeadline(end)
}
