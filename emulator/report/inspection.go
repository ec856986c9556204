package report

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// InspectionSchema is the version of the JSON form of [Inspection].
const InspectionSchema = "lpe.pool-inspect/1"

// Inspection is what of a pool can be seen without a user, and what a handset would make of it.
type Inspection struct {
	Schema        string              `json:"schema"`
	At            Time                `json:"at"`
	Profile       string              `json:"profile"`
	TLS           string              `json:"tls"`           // versions of the profile, 1.0 or 1.0 to 1.2
	CertURL       string              `json:"certUrl"`       // certificate provisioning
	CertURLSource string              `json:"certUrlSource"` // given, sts-uri or default-path
	Ports         []InspectedPort     `json:"ports"`
	Challenge     *InspectedChallenge `json:"challenge"` // null: there was none
	RootChain     InspectedChain      `json:"rootChain"`
	Services      []InspectedService  `json:"services"`
	Findings      []Finding           `json:"findings"`
	WouldSignIn   bool                `json:"wouldSignIn"` // as far as can be told
}

// The services of an [InspectedPort].
const (
	InspectedSIP = "sip-tls"
	InspectedWeb = "https"
)

// InspectedPort is a port with TLS.
type InspectedPort struct {
	Service         string                 `json:"service"`
	Host            string                 `json:"host"`
	Port            uint16                 `json:"port"`
	Unresolved      string                 `json:"unresolved,omitempty"` // why the name has no address
	Addresses       []InspectedAddress     `json:"addresses"`
	Handset         InspectedHandshake     `json:"handset"`         // the handset's own
	Versions        []InspectedHandshake   `json:"versions"`        // each by itself
	Suites          []string               `json:"suites"`          // that are taken up to TLS 1.2
	NeedsServerName bool                   `json:"needsServerName"` // takes only who names the host in the hello; Versions and Suites are told to such
	Certificates    []InspectedCertificate `json:"certificates"`
}

// InspectedAddress is one address of a port.
type InspectedAddress struct {
	Address string `json:"address"`
	Answers bool   `json:"answers"`
	Seen    string `json:"seen,omitempty"` // if it does not
}

// InspectedHandshake is one TLS handshake.
type InspectedHandshake struct {
	Version string `json:"version"` // that was negotiated, or tried
	OK      bool   `json:"ok"`
	Suite   string `json:"suite,omitempty"`
	Seen    string `json:"seen,omitempty"` // if it failed
}

// InspectedCertificate is what of a certificate counts here.
type InspectedCertificate struct {
	Subject     string   `json:"subject"` // common name
	Names       []string `json:"names"`   // DNS names
	Issuer      string   `json:"issuer"`
	NotBefore   Time     `json:"notBefore"`
	NotAfter    Time     `json:"notAfter"`
	Key         string   `json:"key"` // RSA 2048
	Bits        int      `json:"bits"`
	Signature   string   `json:"signature"` // SHA256-RSA
	SelfSigned  bool     `json:"selfSigned"`
	Fingerprint string   `json:"sha256"`
}

// InspectedChallenge is the registrar's answer to a REGISTER without Authorization.
type InspectedChallenge struct {
	Status  int               `json:"status"`
	Reason  string            `json:"reason"`
	Server  string            `json:"server"`
	Schemes []InspectedScheme `json:"schemes"`
}

// InspectedScheme is one WWW-Authenticate.
type InspectedScheme struct {
	Name       string `json:"name"`
	Realm      string `json:"realm"`
	TargetName string `json:"targetName"`
	Version    string `json:"version"`
	STSURI     string `json:"stsUri,omitempty"`
	Seen       string `json:"seen,omitempty"` // if it cannot be read
}

// InspectedChain is the anonymous root chain.
type InspectedChain struct {
	OK           bool                   `json:"ok"`
	Seen         string                 `json:"seen,omitempty"` // if there is none
	Certificates []InspectedCertificate `json:"certificates"`
}

// InspectedService is the metadata of one web service.
type InspectedService struct {
	Name  string             `json:"name"` // CertProv or WebTicket
	URL   string             `json:"url"`
	Forms []InspectedForm    `json:"forms"`
	Ports []InspectedWebPort `json:"ports"`
}

// InspectedForm is one form of asking for metadata.
type InspectedForm struct {
	Form string `json:"form"` // get or transfer
	OK   bool   `json:"ok"`
	Seen string `json:"seen,omitempty"` // if it failed
}

// InspectedWebPort is a port of a web service.
type InspectedWebPort struct {
	Name     string `json:"name"`
	Location string `json:"location"`
	Issuer   string `json:"issuer,omitempty"` // of tickets
}

// Port returns the port of a service, the zero one if it was not looked at.
func (i Inspection) Port(service string) InspectedPort {
	for _, p := range i.Ports {
		if p.Service == service {
			return p
		}
	}
	return InspectedPort{}
}

// Service returns the metadata of a web service.
func (i Inspection) Service(name string) InspectedService {
	for _, s := range i.Services {
		if s.Name == name {
			return s
		}
	}
	return InspectedService{}
}

// Spoken are the versions that a port speaks.
func (p InspectedPort) Spoken() []string {
	var out []string
	for _, v := range p.Versions {
		if v.OK {
			out = append(out, v.Version)
		}
	}
	return out
}

func (p InspectedPort) String() string { return fmt.Sprintf("%s:%d", p.Host, p.Port) }

// NewInspectedCertificate tells of a certificate.
func NewInspectedCertificate(c *x509.Certificate) InspectedCertificate {
	sum := sha256.Sum256(c.Raw)
	out := InspectedCertificate{
		Subject: Clip(c.Subject.CommonName), Names: []string{}, Issuer: Clip(c.Issuer.CommonName),
		NotBefore: Time{c.NotBefore}, NotAfter: Time{c.NotAfter},
		Key: c.PublicKeyAlgorithm.String(), Signature: c.SignatureAlgorithm.String(),
		SelfSigned:  string(c.RawSubject) == string(c.RawIssuer),
		Fingerprint: hex.EncodeToString(sum[:]),
	}
	for _, name := range c.DNSNames[:min(len(c.DNSNames), maxInspected)] {
		out.Names = append(out.Names, Clip(name))
	}
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		out.Bits = key.N.BitLen()
		out.Key = fmt.Sprintf("RSA %d", out.Bits)
	}
	return out
}

const (
	maxInspected     = 64  // entries of a list that a pool gives
	maxInspectedText = 300 // characters of a text that a pool gives
)

// Clip makes what a pool says fit to be shown: one line, without control characters, of at most 300 characters.
func Clip(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > maxInspectedText {
		text = string(runes[:maxInspectedText]) + "…"
	}
	return text
}

// WriteInspection writes the inspection as text: what was seen, each finding with what it means and what to do, the
// verdict.
func WriteInspection(w io.Writer, i Inspection) error {
	t := &inspectionText{}
	t.line(0, "profile", "%s, TLS %s", i.Profile, i.TLS)
	for _, p := range i.Ports {
		t.port(p)
		if p.Service == InspectedSIP {
			t.challenge(i.Challenge)
		}
	}
	t.line(0, "cert-url", "%s (%s)", i.CertURL, i.CertURLSource)
	for _, s := range i.Services {
		t.service(s)
	}
	if i.RootChain.OK {
		t.line(0, "root chain", "%d certificates by http", len(i.RootChain.Certificates))
	} else {
		t.line(0, "root chain", "%s", i.RootChain.Seen)
	}
	t.certificates(i.RootChain.Certificates)
	for _, f := range i.Findings {
		t.finding(f)
	}
	if len(i.Findings) > 0 {
		t.b.WriteString("\n")
	}
	t.line(0, "verdict", "%s", i.Verdict())
	_, err := io.WriteString(w, t.b.String())
	return err
}

// Verdict is the end of it all, in a sentence.
func (i Inspection) Verdict() string {
	stop, mind := 0, 0
	for _, f := range i.Findings {
		if f.Stops {
			stop++
		} else {
			mind++
		}
	}
	text := fmt.Sprintf("a handset would sign in, as far as can be told without a user; warnings: %d", mind)
	if !i.WouldSignIn {
		text = fmt.Sprintf("a handset would not sign in; obstacles: %d, warnings: %d", stop, mind)
	}
	return text
}

type inspectionText struct{ b strings.Builder }

func (t *inspectionText) line(depth int, label, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s%-*s %s", 2*depth, "", 14-2*depth, label, text), " ") + "\n")
}

func (t *inspectionText) port(p InspectedPort) {
	t.line(0, p.Service, "%s", p)
	if p.Unresolved != "" {
		t.line(1, "name", "%s", p.Unresolved)
	}
	for _, a := range p.Addresses {
		if seen := a.Seen; a.Answers {
			t.line(1, "address", "%s", a.Address)
		} else {
			t.line(1, "address", "%s: %s", a.Address, seen)
		}
	}
	if len(p.Versions) == 0 {
		return
	}
	if spoken := p.Spoken(); len(spoken) > 0 {
		t.line(1, "TLS", "%s", strings.Join(spoken, ", "))
	} else {
		t.line(1, "TLS", "none: %s", p.Handset.Seen)
	}
	if p.NeedsServerName {
		t.line(1, "", "to those alone who name the host in the hello (SNI)")
	}
	if p.Handset.OK {
		t.line(1, "handset", "TLS %s, %s", p.Handset.Version, p.Handset.Suite)
	} else {
		t.line(1, "handset", "no handshake: %s", p.Handset.Seen)
	}
	for n, suite := range p.Suites {
		label := ""
		if n == 0 {
			label = "suites"
		}
		t.line(1, label, "%s", suite)
	}
	t.certificates(p.Certificates)
}

func (t *inspectionText) certificates(list []InspectedCertificate) {
	for _, c := range list {
		of := fmt.Sprintf("%q", c.Subject)
		if len(c.Names) > 0 {
			of = strings.Join(c.Names, ", ")
		}
		t.line(1, "certificate", "%s; %s to %s; %s, %s; by %q", of, c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly), c.Key, c.Signature, c.Issuer)
	}
}

func (t *inspectionText) challenge(c *InspectedChallenge) {
	if c == nil {
		t.line(1, "challenge", "none")
		return
	}
	t.line(1, "challenge", "%s", strings.TrimSuffix(fmt.Sprintf("%d %s, %s", c.Status, c.Reason, c.Server), ", "))
	for _, s := range c.Schemes {
		text := fmt.Sprintf("realm %q, targetname %q, version %s", s.Realm, s.TargetName, s.Version)
		switch {
		case s.Seen != "":
			text = s.Seen
		case s.STSURI != "":
			text += ", sts-uri " + s.STSURI
		}
		t.line(2, s.Name, "%s", text)
	}
}

func (t *inspectionText) service(s InspectedService) {
	t.line(0, s.Name, "%s", s.URL)
	for _, f := range s.Forms {
		if f.OK {
			t.line(1, f.Form, "answered")
		} else {
			t.line(1, f.Form, "%s", f.Seen)
		}
	}
	for _, p := range s.Ports {
		issuer := ""
		if p.Issuer != "" {
			issuer = ", tickets by " + p.Issuer
		}
		t.line(1, "port", "%s %s%s", p.Name, p.Location, issuer)
	}
}

func (t *inspectionText) finding(f Finding) {
	kind := "warning"
	if f.Stops {
		kind = "obstacle"
	}
	t.b.WriteString("\n")
	t.line(0, kind, "%s, %s", f.Code, f.Where)
	t.line(1, "seen", "%s", f.Seen)
	t.line(1, "means", "%s", f.Means)
	t.line(1, "do", "%s", f.Do)
}
