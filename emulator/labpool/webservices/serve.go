package webservices

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/beevik/etree"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/soap"
)

const (
	maxBody = soap.MaxSize

	pathCertProv  = "/certprov/certprovisioningservice.svc"
	pathWebTicket = "/webticket/webticketservice.svc"
	pathProof     = pathCertProv + "/webticket_proof_sha1"
	pathUpdates   = "/requesthandler/"

	typeXML    = "text/xml; charset=utf-8"             // SOAP 1.1
	typeSOAP12 = "application/soap+xml; charset=utf-8" // inferred, web-services.md §1.4
)

// An exchange is one request with what the history tells about it.
type exchange struct {
	request *http.Request
	body    []byte
	parsed  *etree.Document // the body, once it was read as XML
	who     string          // SIP address, or the number dialled; never a PIN
	auth    string          // how who was proved, as [history.Auth] has it
	what    string
}

// document is the body as XML. It is read once, for whoever answers and for what no document describes, and not changed.
func (x *exchange) document() (*etree.Document, error) {
	if x.parsed != nil {
		return x.parsed, nil
	}
	doc, err := soap.Parse(x.body)
	x.parsed = doc
	return doc, err
}

// route is what is served at one path.
type route struct {
	stage   string // whose faults strike
	methods string // allowed, separated by ", "
	answer  func(*exchange) (response, *refusal)
}

// route finds what is served at a path. Paths are case-insensitive, as in IIS (web-services.md §1.1). A port whose
// switch is off is not there.
func (s *Server) route(path string, secure bool) (route, bool) {
	path = strings.ToLower(path)
	on := s.cfg.Settings.WebServices()
	if !secure {
		switch path {
		case pathCertProv + "/mex":
			return route{"chain", metadataMethods(on), s.anonymousMetadata}, true
		case pathCertProv, pathCertProv + "/anon":
			return route{"chain", "POST", s.rootChain}, true
		}
		return route{}, false
	}
	switch path {
	case pathCertProv + "/mex":
		return route{"ticket", metadataMethods(on), s.certProvMetadata}, true
	case pathWebTicket + "/mex":
		return route{"ticket", metadataMethods(on), s.webTicketMetadata}, true
	case pathWebTicket:
		return route{"ticket", "POST", s.windowsTicket}, !s.windowsOff()
	case pathWebTicket + "/pin":
		return route{"ticket", "POST", s.pinTicket}, on.UsePINAuth
	case pathWebTicket + "/cert":
		return route{"ticket", "POST", s.certificateTicket}, on.UseCertificateAuth
	case pathProof:
		return route{"enroll", "POST", s.enroll}, true
	}
	return route{}, false
}

// metadataMethods are those of the forms of metadata that are answered (web-services.md §1.3, §1.4).
func metadataMethods(on configs.WebServices) string {
	switch on.Metadata {
	case "get":
		return http.MethodGet
	case "transfer":
		return http.MethodPost
	}
	return "GET, POST"
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if a, ok := connectionOf(r).Conn.(*arrival); ok {
		defer a.begin(r)()
	}
	if s.updates != nil && strings.HasPrefix(strings.ToLower(r.URL.Path), pathUpdates) {
		s.updates.ServeHTTP(w, r)
		return
	}
	x := &exchange{request: r, what: r.Method + " " + shorten(r.URL.EscapedPath())}
	s.headers(w, r)
	found, ok := s.route(r.URL.Path, r.TLS != nil)
	if ok {
		if kind := s.spoil(w, r, found.stage); kind != "" {
			s.history(x, timeline.Received, "fault: "+kind)
			return
		}
	}
	answer, refused := s.dispatch(w, x, found, ok)
	s.tellUnknown(x, found, refused)
	if refused != nil {
		s.history(x, timeline.Dropped, refused.verdict, timeline.Field{Name: history.Refused, Value: refused.check})
		answer = refused.response()
	} else {
		s.history(x, timeline.Received, "answered")
	}
	write(w, answer)
}

func (s *Server) dispatch(w http.ResponseWriter, x *exchange, found route, ok bool) (response, *refusal) {
	r := x.request
	if !ok {
		return response{}, checkPath.refuse("no such service")
	}
	if !strings.Contains(found.methods, r.Method) {
		refused := checkMethod.refuse("%s expected", found.methods)
		refused.header = http.Header{"Allow": {found.methods}}
		return response{}, refused
	}
	var err error
	x.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return response{}, checkSize.refuse("more than %d bytes", maxBody)
	case err != nil:
		return response{}, checkXML.refuse("the body ends early: %v", err)
	}
	return found.answer(x)
}

// headers sets what every answer of the services carries (web-services.md §3.4, §5, seen on Skype for Business 2015).
func (s *Server) headers(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"] = []string{"private"}
	h["X-MS-Server-Fqdn"] = []string{s.server}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if r.TLS != nil {
		h["Strict-Transport-Security"] = []string{"max-age=31536000; includeSubDomains"}
	}
}

// response is what goes back to the handset.
type response struct {
	status      int
	contentType string
	header      http.Header
	body        []byte
}

// plain is an answer of the web server itself, without SOAP.
func plain(status int) response {
	return response{status: status, contentType: "text/plain; charset=utf-8", body: []byte(http.StatusText(status) + "\n")}
}

func write(w http.ResponseWriter, a response) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(a.body)))
	w.WriteHeader(a.status)
	w.Write(a.body) // fails when the handset is gone
}

// history puts a request into the timeline: who asked what, and what became of it.
func (s *Server) history(x *exchange, kind timeline.Kind, verdict string, more ...timeline.Field) {
	s.cfg.Timeline.Tell(func() timeline.Observation { return x.observation(kind, verdict, more) })
}

func (x *exchange) observation(kind timeline.Kind, verdict string, more []timeline.Field) timeline.Observation {
	protocol := "http"
	if x.request.TLS != nil {
		protocol = "https"
	}
	o := timeline.Observation{
		Kind: kind, Protocol: protocol, Peer: x.request.RemoteAddr, Text: x.what + ": " + verdict,
		Fields: append([]timeline.Field{{Name: "what", Value: x.what}, {Name: "verdict", Value: verdict}}, more...),
	}
	if x.auth != "" {
		o.Fields = append([]timeline.Field{{Name: history.Auth, Value: x.auth}}, o.Fields...)
	}
	if name := agent(x.request); name != "" {
		o.Fields = append(o.Fields, timeline.Field{Name: "agent", Value: name})
	}
	if x.who != "" {
		o.Fields = append([]timeline.Field{{Name: history.Who, Value: x.who}}, o.Fields...)
	}
	return o
}

// shorten bounds what a stranger can put into the history, and keeps control characters out of it.
func shorten(text string) string {
	const most = 120
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
