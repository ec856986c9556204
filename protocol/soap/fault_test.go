package soap_test

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/soap"
)

const (
	noToken = "No valid security token."
	prefix  = "before"
)

func securityFault() soap.Fault {
	return soap.Fault{
		Code:   xml.Name{Space: soap.NSSecurity, Local: "FailedAuthentication"},
		String: noToken, ErrorID: 28020, Reason: noToken,
	}
}

// The fault of web-services.md §3.4, as the lab sends it in either mode.
func TestFaultBytes(t *testing.T) {
	realistic := compact(read(t, "fault.xml"))
	verbose := strings.NewReplacer(
		"<Reason>"+noToken, "<Reason>The PIN is locked &amp; &lt;held&gt;.",
		"</OCSDiagnosticsFault>", `<LabPinFailureReason xmlns="urn:example:lab">UserPinAccountLocked</LabPinFailureReason></OCSDiagnosticsFault>`,
	).Replace(realistic)
	locked := securityFault()
	locked.Reason, locked.LabReason = "The PIN is locked & <held>.", "UserPinAccountLocked"
	unqualified := securityFault()
	unqualified.Code.Space = ""
	for _, test := range []struct {
		name, text string
		fault      soap.Fault
	}{
		{"realistic", realistic, securityFault()},
		{"verbose", verbose, locked},
		{"code of no namespace", strings.NewReplacer(` xmlns:a="`+soap.NSSecurity+`"`, "", "a:Failed", "Failed").Replace(realistic), unqualified},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.fault.Append([]byte(prefix))
			if diff := cmp.Diff(prefix+test.text, string(got)); diff != "" || err != nil {
				t.Errorf("written: %v %s", err, diff)
			}
			back, ok := soap.ParseFault(parse(t, test.text))
			if diff := cmp.Diff(test.fault, back); diff != "" || !ok {
				t.Errorf("read: %v %s", ok, diff)
			}
		})
	}
}

func TestFaultAppendRefuses(t *testing.T) {
	for _, change := range []func(*soap.Fault){
		func(f *soap.Fault) { f.ErrorID = 0 },
		func(f *soap.Fault) { f.ErrorID = -1 },
		func(f *soap.Fault) { f.Code.Local = "" },
		func(f *soap.Fault) { f.Code.Local = "a:b" },
		func(f *soap.Fault) { f.Code.Local = "a b" },
	} {
		f := securityFault()
		change(&f)
		if got, err := f.Append(nil); err == nil {
			t.Errorf("%+v is written: %s", f, got)
		}
	}
}

func envelope(ns, body string) string {
	return `<s:Envelope xmlns:s="` + ns + `"><s:Body>` + body + `</s:Body></s:Envelope>`
}

func TestParseFault(t *testing.T) {
	const detail = `<OCSDiagnosticsFault xmlns="` + soap.NSWebAuth + `"><Ms-Diagnostics-Fault><ErrorId>28020</ErrorId><Reason>why</Reason></Ms-Diagnostics-Fault></OCSDiagnosticsFault>`
	code := func(space, local string) xml.Name { return xml.Name{Space: space, Local: local} }
	for _, test := range []struct {
		name, text string
		want       soap.Fault
	}{
		{"as received", string(read(t, "fault.xml")), securityFault()},
		{
			"another prefix", strings.NewReplacer("xmlns:a=", "xmlns:q=", "a:Failed", " q:Failed").Replace(string(read(t, "fault.xml"))),
			securityFault(),
		},
		{
			"no detail", envelope(soap.NSEnvelope11, "<s:Fault><faultcode>s:Server</faultcode><faultstring>no</faultstring></s:Fault>"),
			soap.Fault{Code: code(soap.NSEnvelope11, "Server"), String: "no"},
		},
		{
			"SOAP 1.2", envelope(soap.NSEnvelope12, `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:t="urn:t">t:Bad</s:Value></s:Subcode></s:Code>`+
				`<s:Reason><s:Text xml:lang="en">sentence</s:Text></s:Reason><s:Detail>`+detail+`</s:Detail></s:Fault>`),
			soap.Fault{Code: code("urn:t", "Bad"), String: "sentence", ErrorID: 28020, Reason: "why"},
		},
		{
			"SOAP 1.2 without a subcode", envelope(soap.NSEnvelope12, `<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>no</s:Text></s:Reason></s:Fault>`),
			soap.Fault{Code: code(soap.NSEnvelope12, "Receiver"), String: "no"},
		},
		{"empty", envelope(soap.NSEnvelope11, "<s:Fault/>"), soap.Fault{}},
		{
			"ErrorId is no number", strings.ReplaceAll(string(read(t, "fault.xml")), "28020", "many"),
			func() soap.Fault { f := securityFault(); f.ErrorID = 0; return f }(),
		},
		{
			"ErrorId is not positive", strings.ReplaceAll(string(read(t, "fault.xml")), "28020", "-28020"),
			func() soap.Fault { f := securityFault(); f.ErrorID = 0; return f }(),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := soap.ParseFault(parse(t, test.text))
			if diff := cmp.Diff(test.want, got); diff != "" || !ok {
				t.Errorf("%v %s", ok, diff)
			}
		})
	}
}

func TestParseFaultNone(t *testing.T) {
	for _, text := range []string{
		string(read(t, "enrollment.xml")), "<html/>", "<Fault/>",
		envelope("urn:other", "<s:Fault/>"), envelope(soap.NSEnvelope11, "<answer><Fault/></answer>"),
		strings.Replace(envelope(soap.NSEnvelope11, "<s:Fault/>"), "<s:Body>", "<s:Body/><s:Body>", 1),
	} {
		if f, ok := soap.ParseFault(parse(t, text)); ok {
			t.Errorf("%s: %+v", text, f)
		}
	}
}

// The header of web-services.md §3.4 and what the grammar beside it allows.
func TestParseDiagnostics(t *testing.T) {
	for _, test := range []struct {
		header string
		want   soap.Diagnostics
	}{
		{
			`28020;source="server.contoso.com";reason="No valid security token."`,
			soap.Diagnostics{ErrorID: 28020, Source: "server.contoso.com", Reason: noToken},
		},
		{
			` 28020 ; SOURCE="a;b=c" ; Reason="r" ; fault="wsse:FailedAuthentication"`,
			soap.Diagnostics{ErrorID: 28020, Source: "a;b=c", Reason: "r", Fault: "wsse:FailedAuthentication"},
		},
		{`28000;source=a ;reason= "b";other="c"`, soap.Diagnostics{ErrorID: 28000, Source: "a", Reason: "b"}},
		{`28000;flag;source="a";flag`, soap.Diagnostics{ErrorID: 28000, Source: "a"}},
		{`28000;source="a;reason="b"`, soap.Diagnostics{ErrorID: 28000, Source: "a;reason="}},
		{"28000", soap.Diagnostics{ErrorID: 28000}},
		{"28000;;", soap.Diagnostics{ErrorID: 28000}},
	} {
		got, ok := soap.ParseDiagnostics(test.header)
		if diff := cmp.Diff(test.want, got); diff != "" || !ok {
			t.Errorf("%s: %v %s", test.header, ok, diff)
		}
	}
	for _, header := range []string{"", ";", "a", "-1", "+1", "0x10", "28020 text", "99999999999", `source="a"`} {
		if got, ok := soap.ParseDiagnostics(header); ok {
			t.Errorf("%q is read: %+v", header, got)
		}
	}
}

func TestDiagnosticsString(t *testing.T) {
	for _, test := range []struct {
		diagnostics soap.Diagnostics
		want        string
	}{
		{
			soap.Diagnostics{ErrorID: 28020, Source: "server.contoso.com", Reason: noToken},
			`28020;source="server.contoso.com";reason="No valid security token."`,
		},
		{soap.Diagnostics{ErrorID: 1, Source: "a", Reason: "b", Fault: "c"}, `1;source="a";reason="b";fault="c"`},
		{soap.Diagnostics{ErrorID: 1, Source: "a\"b", Reason: "c\r\nInjected: d"}, `1;source="a'b";reason="c  Injected: d"`},
	} {
		if got := test.diagnostics.String(); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

// FuzzFault: a fault that can be written again is read the same.
func FuzzFault(f *testing.F) {
	f.Add(read(f, "fault.xml"))
	f.Add([]byte(envelope(soap.NSEnvelope12, `<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><Ms-Diagnostics-Fault><ErrorId>1</ErrorId></Ms-Diagnostics-Fault></s:Fault>`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := soap.Parse(b)
		if err != nil {
			return
		}
		fault, ok := soap.ParseFault(doc)
		if !ok {
			return
		}
		text, err := fault.Append(nil)
		if err != nil || len(text) > soap.MaxSize {
			return
		}
		again, ok := soap.ParseFault(parse(t, string(text)))
		if diff := cmp.Diff(fault, again); diff != "" || !ok {
			t.Errorf("%s\n%v %s", text, ok, diff)
		}
	})
}

// FuzzDiagnostics: a header that was read is written so that it is read the same, and is one line.
func FuzzDiagnostics(f *testing.F) {
	f.Add(`28020;source="server.contoso.com";reason="No valid security token."`)
	f.Add(`1;flag;source=a"b;fault="c;d=e"`)
	f.Fuzz(func(t *testing.T, header string) {
		d, ok := soap.ParseDiagnostics(header)
		if !ok {
			return
		}
		text := d.String()
		again, ok := soap.ParseDiagnostics(text)
		if !ok || again.String() != text || strings.ContainsAny(text, "\r\n") {
			t.Errorf("%q, again %q", text, again.String())
		}
		values := d.Source + d.Reason + d.Fault
		if utf8.ValidString(values) && !strings.ContainsFunc(values, func(r rune) bool { return r == '"' || unicode.IsControl(r) }) && again != d {
			t.Errorf("%+v, again %+v", d, again)
		}
	})
}
