package webticket_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

const service = "https://pool.example.com/WebTicket/WebTicketService.svc"

// wsdl is the metadata of web-services.md §1.6, with the binding of the Windows port that the skeleton leaves out.
func wsdl(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("../soap/testdata/webticket.wsdl")
	if err != nil {
		t.Fatal(err)
	}
	text := compact(string(b))
	pin := cut(t, text, `<wsdl:binding name="WebTicketServicePin"`, "</wsdl:binding>")
	return strings.Replace(text, pin, strings.ReplaceAll(pin, webticket.PINPortName, webticket.WindowsPortName)+pin, 1)
}

func TestWSDL(t *testing.T) {
	if diff := cmp.Diff(wsdl(t), string(webticket.WSDL(service, true, true, false))); diff != "" {
		t.Error(diff)
	}
	const action = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue"
	port := func(name, location string, proof, bearer bool) soap.Port {
		return soap.Port{Name: name, Location: location, Proof: proof, Bearer: bearer, Operations: []soap.Operation{{Name: "IssueToken", Action: action}}}
	}
	windows, pin := port("WebTicketServiceWinNegotiate", service, false, false), port("WebTicketServicePin", service+"/pin", false, true)
	certificate := port("WebTicketServiceCert", service+"/cert", true, false)
	for _, test := range []struct {
		pin, windows, certificate bool
		want                      []soap.Port
	}{
		{true, true, true, []soap.Port{windows, pin, certificate}},
		{true, false, false, []soap.Port{pin}},
		{false, true, false, []soap.Port{windows}},
		{false, false, true, []soap.Port{certificate}},
	} {
		got, err := soap.ParseMetadata(webticket.WSDL(service, test.pin, test.windows, test.certificate))
		if diff := cmp.Diff(soap.Metadata{Ports: test.want}, got); diff != "" || err != nil {
			t.Errorf("%+v: %v %s", test, err, diff)
		}
	}
	if _, err := soap.ParseMetadata(webticket.WSDL(service, false, false, false)); !errors.Is(err, soap.ErrNoMetadata) {
		t.Errorf("no ports: %v", err)
	}
	const odd = `https://pool.example.com/"<&`
	if m, err := soap.ParseMetadata(webticket.WSDL(odd, true, false, false)); err != nil || m.Ports[0].Location != odd+"/pin" {
		t.Errorf("%+v %v", m, err)
	}
}

// The order of web-services.md §1.6; another port never gets a PIN.
func TestPINPort(t *testing.T) {
	for _, test := range []struct {
		name  string
		ports []soap.Port
		want  string
	}{
		{"by name", []soap.Port{{Name: "other", Location: "a/pin"}, {Name: "WebTicketServicePin", Location: "b"}}, "b"},
		{"by name of another case", []soap.Port{{Name: "webticketservicePIN", Location: "b"}}, "b"},
		{"by location", []soap.Port{{Name: "WebTicketServiceWinNegotiate", Location: "a"}, {Name: "other", Location: "b/Pin"}}, "b/Pin"},
		{"the first location", []soap.Port{{Name: "x", Location: "a/pin"}, {Name: "y", Location: "b/pin"}}, "a/pin"},
		{"none", []soap.Port{{Name: "WebTicketServiceAuth", Location: "a/Auth"}, {Name: "x", Location: "a/pin/x"}, {Name: "y", Location: "a/spin2"}}, ""},
		{"no ports", nil, ""},
	} {
		got, err := webticket.PINPort(soap.Metadata{Ports: test.ports})
		if got.Location != test.want || (test.want == "") != errors.Is(err, webticket.ErrNoPINPort) {
			t.Errorf("%s: %q %v, want %q", test.name, got.Location, err, test.want)
		}
	}
	m, err := soap.ParseMetadata([]byte(wsdl(t)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := webticket.PINPort(m); err != nil || got.Location != service+"/pin" {
		t.Errorf("%+v %v", got, err)
	}
}

// The port for a client certificate is chosen as that for a PIN is.
func TestCertificatePort(t *testing.T) {
	for _, test := range []struct {
		name  string
		ports []soap.Port
		want  string
	}{
		{"by name", []soap.Port{{Name: "other", Location: "a/cert"}, {Name: "WebTicketServiceCert", Location: "b"}}, "b"},
		{"by location", []soap.Port{{Name: "WebTicketServicePin", Location: "a/pin"}, {Name: "other", Location: "b/Cert"}}, "b/Cert"},
		{"none", []soap.Port{{Name: "WebTicketServicePin", Location: "a/pin"}, {Name: "x", Location: "a/cert/x"}, {Name: "y", Location: "a/concert"}}, ""},
	} {
		got, err := webticket.CertificatePort(soap.Metadata{Ports: test.ports})
		if got.Location != test.want || (test.want == "") != errors.Is(err, webticket.ErrNoCertificatePort) {
			t.Errorf("%s: %q %v, want %q", test.name, got.Location, err, test.want)
		}
	}
}

// The Windows port is chosen by its name, in any case, and is no other.
func TestWindowsPort(t *testing.T) {
	for name, want := range map[string]string{
		"WebTicketServiceWinNegotiate": service, "webticketservicewinnegotiate": service,
		"WebTicketServicePin": "", "WebTicketServiceAuth": "", "WebTicketServiceWinNtlm": "",
	} {
		got, err := webticket.WindowsPort(soap.Metadata{Ports: []soap.Port{{Name: name, Location: service}}})
		if got.Location != want || (want == "") != errors.Is(err, webticket.ErrNoWindowsPort) {
			t.Errorf("%s: %q, %v", name, got.Location, err)
		}
	}
}
