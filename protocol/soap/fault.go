package soap

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/beevik/etree"
)

// Fault is a SOAP 1.1 fault with the OCSDiagnosticsFault detail, [MS-OCAUTHWS] 2.2.4.1.
type Fault struct {
	Code      xml.Name // resolved faultcode
	String    string
	ErrorID   int // 0: the fault has no such detail
	Reason    string
	LabReason string // extension of the lab, "" on a real pool
}

// NSLab is the namespace of the lab's own extension of a fault.
const NSLab = "urn:example:lab"

// ParseFault reads the fault that is the body of doc, of SOAP 1.1 or 1.2.
func ParseFault(doc *etree.Document) (Fault, bool) {
	body, err := Body(doc)
	e := Child(body, "Fault")
	if err != nil || e == nil {
		return Fault{}, false
	}
	diagnostics := Find(e, "Ms-Diagnostics-Fault")
	f := Fault{String: Text(Child(e, "faultstring")), Reason: Text(Child(diagnostics, "Reason")), LabReason: Text(Find(e, "LabPinFailureReason"))}
	if code := Child(e, "faultcode"); code != nil {
		f.Code = QName(code, Text(code))
	} else if code := Child(e, "Code"); code != nil { // SOAP 1.2
		value := Child(code, "Value")
		if sub := Path(code, "Subcode", "Value"); sub != nil {
			value = sub
		}
		f.Code, f.String = QName(value, Text(value)), Text(Path(e, "Reason", "Text"))
	}
	if id, err := strconv.Atoi(Text(Child(diagnostics, "ErrorId"))); err == nil && id > 0 {
		f.ErrorID = id
	}
	return f, true
}

// Append writes the fault in the shape that a real service was seen to send (web-services.md §3.4).
func (f Fault) Append(b []byte) ([]byte, error) {
	if f.ErrorID <= 0 || f.Code.Local == "" || strings.ContainsFunc(f.Code.Local, notInName) {
		return nil, fmt.Errorf("a fault needs a code and a positive ErrorId, not %q and %d", f.Code.Local, f.ErrorID)
	}
	code := fmt.Sprintf(`<faultcode xmlns:a="%s">a:%s</faultcode>`, Escape(f.Code.Space), Escape(f.Code.Local))
	if f.Code.Space == "" { // a prefix cannot stand for no namespace
		code = fmt.Sprintf(`<faultcode>%s</faultcode>`, Escape(f.Code.Local))
	}
	lab := ""
	if f.LabReason != "" {
		lab = fmt.Sprintf(`<LabPinFailureReason xmlns="%s">%s</LabPinFailureReason>`, NSLab, Escape(f.LabReason))
	}
	return fmt.Appendf(b, `<s:Envelope xmlns:s="%s"><s:Body><s:Fault>%s`+
		`<faultstring xml:lang="en-US">%s</faultstring><detail><OCSDiagnosticsFault xmlns="%s" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">`+
		`<Ms-Diagnostics-Fault><ErrorId>%d</ErrorId><Reason>%s</Reason></Ms-Diagnostics-Fault>`+
		`<NameValuePairs xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays"/>%s`+
		`</OCSDiagnosticsFault></detail></s:Fault></s:Body></s:Envelope>`,
		NSEnvelope11, code, Escape(f.String), NSWebAuth, f.ErrorID, Escape(f.Reason), lab), nil
}

func notInName(r rune) bool { return r == ':' || unicode.IsSpace(r) }

// Diagnostics is the X-Ms-diagnostics header of HTTP, [MS-OCAUTHWS] 3.2.4.1.
type Diagnostics struct {
	ErrorID               int
	Source, Reason, Fault string
}

// ParseDiagnostics reads the header; a missing fault is tolerated, as real servers leave it out.
func ParseDiagnostics(header string) (Diagnostics, bool) {
	var d Diagnostics
	text, rest, _ := strings.Cut(header, ";")
	id, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		return d, false
	}
	d.ErrorID = int(id)
	for rest != "" {
		end := strings.IndexAny(rest, "=;")
		if end < 0 {
			break
		}
		name, value, named := rest[:end], "", rest[end] == '='
		if rest = strings.TrimLeft(rest[end+1:], " \t"); !named {
			continue
		}
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			value, rest, _ = strings.Cut(quoted, `"`)
			_, rest, _ = strings.Cut(rest, ";")
		} else {
			value, rest, _ = strings.Cut(rest, ";")
			value = strings.TrimSpace(value)
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "source":
			d.Source = value
		case "reason":
			d.Reason = value
		case "fault":
			d.Fault = value
		}
	}
	return d, true
}

// String writes the header; what cannot stand in its values is replaced.
func (d Diagnostics) String() string {
	text := fmt.Sprintf(`%d;source="%s";reason="%s"`, d.ErrorID, quotable(d.Source), quotable(d.Reason))
	if d.Fault != "" {
		text += fmt.Sprintf(`;fault="%s"`, quotable(d.Fault))
	}
	return text
}

func quotable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case unicode.IsControl(r):
			return ' '
		}
		return r
	}, text)
}
