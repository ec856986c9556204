// Package updates is the lab's device update service. No specification of the real one is known: the URL, the modules
// and the audit record are documented, the XML is this project's own (handset.md §3.3).
package updates

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/labpool/strictness"
	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

// Paths of the service; web servers of the time take them in any case (handset.md §3.1).
const (
	pathInternal = "/requesthandler/ucdevice.upx"
	pathExternal = "/requesthandlerext/ucdevice.upx" // for signed-in users only, handset.md §3.2
	pathFiles    = "/requesthandler/files/"
	fileName     = "CPE.nbt" // recollected

	maxBody = 256 << 10
)

// The faults of the service.
const (
	faultStatus  = "update=http-500"
	faultGarbage = "update=garbage"
	faultImage   = "update=image"         // an image that the handset can run
	faultUnknown = "update=unknown-image" // one that no profile describes
)

// Versions that the faults offer.
const (
	newestVersion  = "4.0.7577.4512"
	unknownVersion = "9.9.9999.9"
)

// Config is what the service needs.
type Config struct {
	Lab       *configs.Lab
	Host      string // authority of the web services, in the URL of images
	Authority *authority.Authority
	Faults    *faults.Set
	Timeline  *timeline.Timeline
	Now       func() time.Time // the pool's clock, nil: time.Now
}

// Service answers update queries and hands out images. It is an [http.Handler].
type Service struct {
	cfg     Config
	unknown unknown.Log
}

// New returns the service of a lab.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{cfg: cfg}
	s.unknown.Timeline, s.unknown.Protocol = cfg.Timeline, "http"
	return s
}

// check is one row of the strictness table with its status.
type check struct {
	strictness.Check
	status int
}

func newCheck(name, wrong string, status int, source string) check {
	refusal := fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))
	return check{strictness.Check{Stage: "update", Name: name, Wrong: wrong, Refusal: refusal, Source: source}, status}
}

var (
	checkPath      = newCheck("path", "another path than that of queries and images, or an image that there is not", http.StatusNotFound, "handset.md §3.1")
	checkMethod    = newCheck("method", "a query that is no POST, an image asked for otherwise than by GET", http.StatusMethodNotAllowed, "handset.md §3.3, inferred")
	checkOff       = newCheck("enabled", "a query while the lab's updates are off", http.StatusNotFound, "inferred")
	checkAnonymous = newCheck("anonymous", "an anonymous query to the external path", http.StatusForbidden, "handset.md §3.2; the status inferred")
	checkPublished = newCheck("certificate", "a client certificate that the pool has not published", http.StatusForbidden, "inferred")
	checkBody      = newCheck("body", "a query that is not the XML of one", http.StatusBadRequest, "inferred")
	checkSize      = newCheck("size", fmt.Sprintf("a query of more than %d bytes", maxBody), http.StatusRequestEntityTooLarge, "lab")
)

// Checks is the table of what the service verifies.
func Checks() []strictness.Check {
	var out []strictness.Check
	for _, c := range []check{checkPath, checkMethod, checkOff, checkAnonymous, checkPublished, checkBody, checkSize} {
		out = append(out, c.Check)
	}
	return out
}

// ServeHTTP answers one query or gives one image.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.unknown.TellHeaders(r, asked(r))
	path := strings.ToLower(r.URL.Path)
	switch {
	case strings.HasPrefix(path, pathFiles):
		s.image(w, r)
	case path == pathInternal, path == pathExternal:
		s.query(w, r, path == pathExternal)
	default:
		s.tellRequest(r, nil)
		s.refuse(w, r, checkPath, "no such path")
	}
}

// tellRequest tells of a query that is not as this project takes it: what the real one is like is an open question.
func (s *Service) tellRequest(r *http.Request, body []byte) {
	s.unknown.TellRequest(r, "device update "+asked(r), func() string { return unknown.Request(r, body) })
}

func asked(r *http.Request) string { return fmt.Sprintf("%.20s %.80s", r.Method, r.URL.EscapedPath()) }

func (s *Service) refuse(w http.ResponseWriter, r *http.Request, c check, format string, args ...any) {
	s.note(timeline.Dropped, r, "%s.%s: %s", c.Stage, c.Name, fmt.Sprintf(format, args...))
	http.Error(w, http.StatusText(c.status), c.status)
}

func (s *Service) note(kind timeline.Kind, r *http.Request, format string, args ...any) {
	s.cfg.Timeline.Tell(func() timeline.Observation {
		protocol := "http"
		if r.TLS != nil {
			protocol = "https"
		}
		o := timeline.Observation{Kind: kind, Protocol: protocol, Peer: r.RemoteAddr, Text: "device updates: " + fmt.Sprintf(format, args...)}
		if name, known := s.user(r); known {
			o.Fields = []timeline.Field{{Name: history.Who, Value: "sip:" + name}, {Name: history.Auth, Value: "certificate"}}
		}
		return o
	})
}

// query tells whether there is another image for the handset.
func (s *Service) query(w http.ResponseWriter, r *http.Request, external bool) {
	if r.Method != http.MethodPost {
		s.tellRequest(r, nil)
		w.Header().Set("Allow", http.MethodPost)
		s.refuse(w, r, checkMethod, "%.20q", r.Method)
		return
	}
	if s.struck(w, r) {
		return
	}
	user, known := s.user(r)
	switch {
	case user != "" && !known:
		s.refuse(w, r, checkPublished, "certificate of %.80q", user)
		return
	case user == "" && external:
		s.refuse(w, r, checkAnonymous, "anonymous query from outside")
		return
	}
	request, ok := s.read(w, r)
	if !ok {
		return
	}
	offer, enabled := s.offer(request)
	if !enabled {
		s.refuse(w, r, checkOff, "updates are off")
		return
	}
	s.answer(w, r, request, offer, user)
}

// struck does to a query what an active fault says.
func (s *Service) struck(w http.ResponseWriter, r *http.Request) bool {
	if _, on := s.cfg.Faults.On(faultStatus); on {
		s.note(timeline.Received, r, "fault %s", faultStatus)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return true
	}
	if _, on := s.cfg.Faults.On(faultGarbage); on {
		s.note(timeline.Received, r, "fault %s", faultGarbage)
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		io.WriteString(w, "<Response><Update></Response") // fails when the handset is gone
		return true
	}
	return false
}

// user is the CN of the TLS client certificate, "" if there is none; known says that the pool has published it.
func (s *Service) user(r *http.Request) (name string, known bool) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return "", false
	}
	certificate := r.TLS.PeerCertificates[0]
	name = cmp.Or(certificate.Subject.CommonName, "?")
	for _, published := range s.cfg.Authority.List(name) {
		if published.Certificate.Equal(certificate) && s.cfg.Now().Before(certificate.NotAfter) {
			return name, true
		}
	}
	return name, false
}

func (s *Service) read(w http.ResponseWriter, r *http.Request) (deviceupdate.Request, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		s.refuse(w, r, checkSize, "more than %d bytes", maxBody)
		return deviceupdate.Request{}, false
	}
	var request deviceupdate.Request
	if err == nil {
		request, err = deviceupdate.ParseRequest(body)
	}
	if err != nil {
		s.tellRequest(r, body)
		s.refuse(w, r, checkBody, "%v", err)
		return request, false
	}
	for _, e := range request.Unknown {
		s.unknown.TellRequest(r, "element "+unknown.Name(e.XMLName.Local)+" of a device update query", func() string { return unknown.Body(body) })
	}
	return request, true
}

// offer is the version that the handset should run, "" if it may stay as it is. A fault offers one whatever the lab
// says of updates.
func (s *Service) offer(r deviceupdate.Request) (version string, enabled bool) {
	if _, on := s.cfg.Faults.On(faultUnknown); on {
		return unknownVersion, true
	}
	version, enabled = s.cfg.Lab.Updates.Version, s.cfg.Lab.Updates.Enabled
	if _, on := s.cfg.Faults.On(faultImage); on {
		version, enabled = newestVersion, true
	}
	if runs(r, version) {
		return "", enabled
	}
	return version, enabled
}

func runs(r deviceupdate.Request, version string) bool {
	for _, module := range r.Modules {
		if module.Version == version {
			return true
		}
	}
	return false
}

func (s *Service) answer(w http.ResponseWriter, r *http.Request, request deviceupdate.Request, offer, user string) {
	var response deviceupdate.Response
	if offer != "" {
		update, err := s.update(request, offer)
		if err != nil {
			s.refuse(w, r, checkBody, "%v", err)
			return
		}
		response.Updates = append(response.Updates, update)
	}
	body, err := response.Append(nil)
	if err != nil {
		s.note(timeline.Note, r, "no answer: %v", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	s.note(timeline.Received, r, "%s", s.audit(r, request, response, user))
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Write(body) // fails when the handset is gone
}

func (s *Service) update(request deviceupdate.Request, version string) (deviceupdate.Update, error) {
	image, err := deviceupdate.Image{Model: request.Model, Version: version}.Append(nil)
	if err != nil {
		return deviceupdate.Update{}, err
	}
	sum := sha256.Sum256(image)
	uri := fmt.Sprintf("http://%s/RequestHandler/Files/%s/%s/%s", s.cfg.Host, escape(request.Model), version, fileName)
	return deviceupdate.Update{FileName: fileName, Version: version, URI: uri, SHA256: hex.EncodeToString(sum[:])}, nil
}
