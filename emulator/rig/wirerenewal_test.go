package rig_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/rig"
)

// TestRenewalForms keeps a handset with a certificate of 8 h signed in until it has renewed the certificate, and after
// that the association: sip.md §1.6 and §8.1 to §8.7, web-services.md §3.2 and §4.
func TestRenewalForms(t *testing.T) {
	flash := &handset.MemoryFlash{}
	onTap(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Lab.WebServices.CertificateHours, s.Flash = 8, flash
	}, func(x *tapped) {
		x.boot()
		kept, err := flash.Load()
		if err != nil {
			t.Fatal(err)
		}
		asked := len(x.tap.connections())
		x.stay(renewalOf(8) + time.Minute)
		x.holdAssociationRenewal()
		x.holdCertificateRenewal(x.tap.connections()[asked:], kept.Certificate)
	})
}

// holdAssociationRenewal: REGISTER #1 to #4 on the connection that there is, with its Call-ID, tag and count of CSeq, for
// a new association whose count of messages begins at 1 (that it begins anew is inferred).
func (x *tapped) holdAssociationRenewal() {
	x.t.Helper()
	e := x.endpoint()
	f := &forms{x.t, map[string]string{"epid": e.epid, "gruu": e.gruu, "instance": strings.ToUpper(e.uuid)}}
	list := x.sip()
	isFirst := func(m message) bool {
		return m.head != nil && strings.HasPrefix(m.head[0], "REGISTER") && m.value("Authorization") == ""
	}
	if !isFirst(list[0]) {
		x.t.Fatalf("the first message is %q", list[0].head)
	}
	f.hold("REGISTER #1", fmt.Sprintf(registerForm, 1, ""), list[0].plain())
	old := list[3].value("Authorization")
	_, old, _ = strings.Cut(old, `opaque="`)
	at := 1 + slices.IndexFunc(list[1:], isFirst)
	if at == 0 || at+4 > len(list) {
		x.t.Fatalf("%d messages, and no renewal", len(list))
	}
	var n int
	if _, err := fmt.Sscanf(list[at].value("CSeq"), "%d REGISTER", &n); err != nil || n < 5 {
		x.t.Fatalf("CSeq %q, %v", list[at].value("CSeq"), err)
	}
	for i, extra := range []string{"", clientHello, clientFlight, firstSigned} {
		f.hold(fmt.Sprintf("REGISTER #%d of the renewal", i+1), fmt.Sprintf(registerForm, n+i, extra), list[at+i].plain(), "flight", "crand", "response")
	}
	if f.values["association"] == old[:8] {
		x.t.Errorf("association %s again", old[:8])
	}
}

// holdCertificateRenewal: one connection that shows the certificate held, metadata and the request for a web ticket
// without UsernameToken on it; then GetAndPublishCert as ever, without a client certificate.
func (x *tapped) holdCertificateRenewal(calls []*call, certificate []byte) {
	x.t.Helper()
	if len(calls) != 2 {
		x.t.Fatalf("%d connections for a renewal, want 2", len(calls))
	}
	for i, shows := range []bool{true, false} {
		if got := bytes.Contains(calls[i].sent, certificate); got != shows { // TLS 1.0 encrypts no Certificate message
			x.t.Errorf("connection %d shows the client certificate: %v, want %v", i+1, got, shows)
		}
	}
	f := &forms{x.t, map[string]string{"host": "atl-cs-001.litwareinc.com", "instance": x.endpoint().uuid}}
	got := slices.Concat(x.messagesOf(calls[0]), x.messagesOf(calls[1]))
	const (
		service = "http://schemas.microsoft.com/OCS/AuthWebServices/"
		soap    = "Content-Type: text/xml; charset=utf-8\n"
		end     = "Connection: Keep-Alive\n"
	)
	want := []struct{ what, form string }{
		{"the metadata of certificate provisioning", "GET /CertProv/CertProvisioningService.svc/mex HTTP/1.1\nHost: {host}:443\n" + end},
		{"the metadata of the web ticket service", "GET /WebTicket/WebTicketService.svc/mex HTTP/1.1\nHost: {host}\n" + end},
		{
			"the request for the web ticket", "POST /WebTicket/WebTicketService.svc/cert HTTP/1.1\nHost: {host}\n" + soap +
				`SOAPAction: "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue"` + "\n" + end + "Content-Length: {length}\n\n" +
				x.sample("web-services-rst-certificate.xml") + "\n",
		},
		{
			"the request for the certificate", "POST /CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1 HTTP/1.1\nHost: {host}\n" + soap +
				`SOAPAction: "` + service + `GetAndPublishCert"` + "\n" + end + "Content-Length: {length}\n\n" + x.sample("web-services-enroll.xml") + "\n",
		},
	}
	if len(got) != len(want) {
		x.t.Fatalf("%d requests, want %d", len(got), len(want))
	}
	for i, m := range got {
		f.hold(want[i].what, want[i].form, m.plain(), "length", "body", "uuid", "request-id")
	}
}
