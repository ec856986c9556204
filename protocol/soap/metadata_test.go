package soap_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/soap"
)

const (
	proofPort  = "CertProvisioningServiceWebTicketProof_SHA1"
	issuer     = "https://pool.example.com/WebTicket/WebTicketService.svc"
	proofURL   = "https://pool.example.com/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1"
	definition = `<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"><!-- as in 1.5 / 1.6 --></wsdl:definitions>`
)

// The two documents of web-services.md §1.5 and §1.6, bare (§1.3) and inside the answer to a WS-Transfer Get (§1.4).
func TestParseMetadata(t *testing.T) {
	certprov := soap.Metadata{Ports: []soap.Port{{
		Name: proofPort, Location: proofURL, Issuer: issuer, Proof: true,
		Operations: []soap.Operation{{
			Name: "GetAndPublishCert", Action: soap.NSServices + "GetAndPublishCert",
			Input: xml.Name{Space: soap.NSServices, Local: "GetAndPublishCert"},
		}},
	}}}
	webTicket := soap.Metadata{Ports: []soap.Port{
		{Name: "WebTicketServiceWinNegotiate", Location: issuer},
		{
			Name: "WebTicketServicePin", Location: issuer + "/pin", Bearer: true,
			Operations: []soap.Operation{{Name: "IssueToken", Action: "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue"}},
		},
	}}
	response := string(read(t, "mex-response.xml"))
	for _, test := range []struct {
		file string
		want soap.Metadata
	}{{"certprov.wsdl", certprov}, {"webticket.wsdl", webTicket}} {
		wsdl := string(read(t, test.file))
		for form, text := range map[string]string{
			"bare": wsdl, "declared": `<?xml version="1.0" encoding="utf-8"?>` + wsdl,
			"transfer": strings.Replace(response, definition, wsdl, 1),
			"wrapped":  string(soap.WrapMetadata([]byte(wsdl))),
		} {
			got, err := soap.ParseMetadata([]byte(text))
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%s, %s: %v %s", test.file, form, err, diff)
			}
		}
	}
}

func TestMetadataRequest(t *testing.T) {
	file := read(t, "mex-request.xml")
	got := soap.AppendMetadataRequest([]byte(prefix), issuer)
	if diff := cmp.Diff(prefix+compact(file), string(got)); diff != "" {
		t.Error(diff)
	}
	header := soap.Child(parse(t, string(file)).Root(), "Header")
	if action, to := soap.Text(soap.Child(header, "Action")), soap.Text(soap.Child(header, "To")); action != soap.ActionTransferGet || to != issuer {
		t.Errorf("Action %q, To %q", action, to)
	}
	const odd = `https://pool.example.com/?a="b"&c=<d>`
	doc := parse(t, string(soap.AppendMetadataRequest(nil, odd)))
	if to := soap.Text(soap.Path(doc.Root(), "Header", "To")); to != odd {
		t.Errorf("To %q", to)
	}
}

func TestWrapMetadata(t *testing.T) {
	want := compact(read(t, "mex-response.xml"))
	for _, declaration := range []string{"", `<?xml version="1.0"?>`} {
		if diff := cmp.Diff(want, string(soap.WrapMetadata([]byte(declaration+definition)))); diff != "" {
			t.Errorf("%q: %s", declaration, diff)
		}
	}
}

func TestPort(t *testing.T) {
	m, err := soap.ParseMetadata(read(t, "certprov.wsdl"))
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := m.Port(strings.ToUpper(proofPort)); !ok || p.Location != proofURL {
		t.Errorf("%+v %v", p, ok)
	}
	if p, ok := m.Port("CertProvisioningService"); ok || p.Name != "" {
		t.Errorf("%+v", p)
	}
}

func TestMetadataWithoutPorts(t *testing.T) {
	certprov := string(read(t, "certprov.wsdl"))
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", soap.ErrMalformed},
		{"HTML", "<html><body><br></body></html>", soap.ErrMalformed},
		{"another document", string(read(t, "fault.xml")), soap.ErrNoMetadata},
		{"empty answer", string(read(t, "mex-response.xml")), soap.ErrNoMetadata},
		{"port without an address", strings.Replace(certprov, "soap:address", "soap:binding", 1), soap.ErrNoMetadata},
		{"port without a location", strings.Replace(certprov, "location=", "place=", 1), soap.ErrNoMetadata},
		{"document type", "<!DOCTYPE a>" + certprov, soap.ErrMalformed},
		{"too large", certprov + strings.Repeat(" ", soap.MaxSize), soap.ErrTooLarge},
		{"too deep", levels(soap.MaxDepth + 1), soap.ErrTooDeep},
	} {
		if m, err := soap.ParseMetadata([]byte(test.text)); !errors.Is(err, test.want) || len(m.Ports) != 0 {
			t.Errorf("%s: %+v, %v", test.name, m, err)
		}
	}
}

// A port stands with what can be read of it.
func TestMetadataWithGaps(t *testing.T) {
	certprov := string(read(t, "certprov.wsdl"))
	whole, err := soap.ParseMetadata([]byte(certprov))
	if err != nil {
		t.Fatal(err)
	}
	noInput := func(p *soap.Port) {
		p.Operations = []soap.Operation{{Name: p.Operations[0].Name, Action: p.Operations[0].Action}}
	}
	for _, test := range []struct {
		name, from, to string
		change         func(*soap.Port)
	}{
		{"policy of another case", `Id="CertProvisioningService`, `Id="CERTProvisioningService`, func(*soap.Port) {}},
		{"policy of another port", `Id="CertProvisioningService`, `Id="Other`, func(p *soap.Port) { p.Proof, p.Issuer = false, "" }},
		{"bearer policy", "EndorsingSupportingTokens>", "SignedSupportingTokens>", func(p *soap.Port) { p.Proof, p.Issuer, p.Bearer = false, "", true }},
		{"no issuer", "sp:Issuer>", "sp:Other>", func(p *soap.Port) { p.Issuer = "" }},
		{"no alternatives", "wsp:ExactlyOne>", "wsp:Other>", func(p *soap.Port) { p.Proof, p.Issuer = false, "" }},
		{"binding absent", `<wsdl:binding name="`, `<wsdl:binding name="Other`, func(p *soap.Port) { p.Operations = nil }},
		{"portType absent", `<wsdl:portType name="`, `<wsdl:portType name="Other`, noInput},
		{"operation without input", "wsdl:input message", "wsdl:other message", noInput},
		{"message absent", `<wsdl:message name="GetAndPublishCertMsg"`, `<wsdl:message name="Other"`, noInput},
		{"message without a part", "wsdl:part", "wsdl:other", noInput},
		{"prefix of no namespace", `element="tns:GetAndPublishCert"`, `element="x:GetAndPublishCert"`, func(p *soap.Port) { p.Operations[0].Input.Space = "" }},
		{"operation without a name", `<wsdl:operation name="GetAndPublishCert">
      <soap:`, `<wsdl:operation>
      <soap:`, func(p *soap.Port) { p.Operations = nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.ReplaceAll(certprov, test.from, test.to)
			if text == certprov {
				t.Fatal("nothing was changed")
			}
			want := whole.Ports[0]
			want.Operations = append([]soap.Operation(nil), want.Operations...)
			test.change(&want)
			got, err := soap.ParseMetadata([]byte(text))
			if diff := cmp.Diff(soap.Metadata{Ports: []soap.Port{want}}, got); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

// The first policy and the first operation of a name count.
func TestMetadataRepeats(t *testing.T) {
	certprov := string(read(t, "certprov.wsdl"))
	text := strings.NewReplacer(
		"  <wsdl:message name=\"GetAndPublishCertMsg\"", `<wsp:Policy wsu:Id="`+proofPort+`_policy"><wsp:ExactlyOne><wsp:All><sp:SignedSupportingTokens/></wsp:All></wsp:ExactlyOne></wsp:Policy>`+
			"  <wsdl:message name=\"GetAndPublishCertMsg\"",
		"</wsdl:portType>", `<wsdl:operation name="GetAndPublishCert"/></wsdl:portType>`,
		"</wsdl:service>", `<wsdl:port name="second" binding="tns:`+proofPort+`"><soap:address location="https://second/"/></wsdl:port></wsdl:service>`,
	).Replace(certprov)
	m, err := soap.ParseMetadata([]byte(text))
	if err != nil || len(m.Ports) != 2 {
		t.Fatal(m, err)
	}
	if p := m.Ports[0]; !p.Proof || p.Bearer || p.Operations[0].Input.Local != "GetAndPublishCert" {
		t.Errorf("%+v", p)
	}
	if diff := cmp.Diff(m.Ports[0].Operations, m.Ports[1].Operations); diff != "" || m.Ports[1].Proof {
		t.Errorf("ports of one binding: %s", diff)
	}
}

// A document of ports and operations that all refer to each other is read in time that its size bounds.
func TestMetadataCost(t *testing.T) {
	var ports, bound, abstract strings.Builder
	for i := range 900 {
		ports.WriteString(`<port name="p" binding="b"><address location="l"/></port>`)
		fmt.Fprintf(&bound, `<operation name="o%d"/>`, 4*i)
		fmt.Fprintf(&abstract, `<operation name="o%d"/><operation name="p%[1]d"/><operation name="q%[1]d"/>`, 4*i)
	}
	text := `<definitions><service>` + ports.String() + `</service><binding name="b" type="t">` + bound.String() + `</binding><portType name="t">` + abstract.String() + `</portType></definitions>`
	if len(text) > soap.MaxSize {
		t.Fatal(len(text))
	}
	m, err := soap.ParseMetadata([]byte(text))
	if err != nil || len(m.Ports) != 900 || len(m.Ports[899].Operations) != 900 {
		t.Fatal(err, len(m.Ports))
	}
	if got := testing.AllocsPerRun(1, func() { _, _ = soap.ParseMetadata([]byte(text)) }); got > 300_000 {
		t.Errorf("%v allocations", got)
	}
}

// FuzzMetadata: bare or inside an answer to a WS-Transfer Get a document tells the same ports.
func FuzzMetadata(f *testing.F) {
	f.Add(read(f, "certprov.wsdl"))
	f.Add(read(f, "webticket.wsdl"))
	f.Add([]byte(`<?xml version="1.0"?><a><port name="n" binding="b"><address location="l"/></port><binding name="b" type="t"><operation name="o"/></binding></a>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		bare, err := soap.ParseMetadata(b)
		if err != nil {
			if len(bare.Ports) != 0 {
				t.Fatalf("ports beside the error %v", err)
			}
			return
		}
		wrapped := soap.WrapMetadata(b)
		got, err := soap.ParseMetadata(wrapped)
		if errors.Is(err, soap.ErrTooLarge) || errors.Is(err, soap.ErrTooDeep) {
			return
		}
		if diff := cmp.Diff(bare, got); diff != "" || err != nil {
			t.Errorf("%s\n%v %s", wrapped, err, diff)
		}
	})
}
