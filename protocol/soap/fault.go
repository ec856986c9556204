package soap

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

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

// ParseFault looks for a fault in doc.
func ParseFault(doc *etree.Document) (Fault, bool) {
	e := Find(doc.Root(), "Fault")
	if e == nil {
		return Fault{}, false
	}
	f := Fault{String: Text(Child(e, "faultstring")), Reason: Text(Find(e, "Reason")), LabReason: Text(Find(e, "LabPinFailureReason"))}
	if code := Child(e, "faultcode"); code != nil {
		f.Code = QName(code, code.Text())
	} else if value := Path(e, "Code", "Subcode", "Value"); value != nil { // SOAP 1.2
		f.Code, f.String = QName(value, value.Text()), Text(Path(e, "Reason", "Text"))
	}
	if id, err := strconv.Atoi(Text(Find(e, "ErrorId"))); err == nil && id > 0 {
		f.ErrorID = id
	}
	return f, true
}

// Append writes the fault in the shape that a real service was seen to send (web-services.md §3.4).
func (f Fault) Append(b []byte) ([]byte, error) {
	if f.ErrorID <= 0 || f.Code.Local == "" {
		return nil, fmt.Errorf("a fault needs a code and a positive ErrorId, not %q and %d", f.Code.Local, f.ErrorID)
	}
	lab := ""
	if f.LabReason != "" {
		lab = fmt.Sprintf(`<LabPinFailureReason xmlns="%s">%s</LabPinFailureReason>`, NSLab, Escape(f.LabReason))
	}
	return fmt.Appendf(b, `<s:Envelope xmlns:s="%s"><s:Body><s:Fault><faultcode xmlns:a="%s">a:%s</faultcode>`+
		`<faultstring xml:lang="en-US">%s</faultstring><detail><OCSDiagnosticsFault xmlns="%s" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">`+
		`<Ms-Diagnostics-Fault><ErrorId>%d</ErrorId><Reason>%s</Reason></Ms-Diagnostics-Fault>`+
		`<NameValuePairs xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays"/>%s`+
		`</OCSDiagnosticsFault></detail></s:Fault></s:Body></s:Envelope>`,
		NSEnvelope11, Escape(f.Code.Space), Escape(f.Code.Local), Escape(f.String), NSWebAuth, f.ErrorID, Escape(f.Reason), lab), nil
}

// Diagnostics is the X-Ms-diagnostics header of HTTP, [MS-OCAUTHWS] 3.2.4.1.
type Diagnostics struct {
	ErrorID               int
	Source, Reason, Fault string
}

// ParseDiagnostics reads the header; a missing fault is tolerated, as real servers leave it out.
func ParseDiagnostics(header string) (Diagnostics, bool) {
	var d Diagnostics
	text, rest, _ := strings.Cut(header, ";")
	id, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return d, false
	}
	d.ErrorID = id
	for rest != "" {
		var name, value string
		name, rest, _ = strings.Cut(rest, "=")
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			value, rest, _ = strings.Cut(quoted, `"`)
			_, rest, _ = strings.Cut(rest, ";")
		} else {
			value, rest, _ = strings.Cut(rest, ";")
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

// String writes the header.
func (d Diagnostics) String() string {
	text := fmt.Sprintf(`%d;source="%s";reason="%s"`, d.ErrorID, d.Source, d.Reason)
	if d.Fault != "" {
		text += fmt.Sprintf(`;fault="%s"`, d.Fault)
	}
	return text
}
