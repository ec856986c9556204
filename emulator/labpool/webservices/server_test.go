package webservices

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// The history names who asked what and what became of it, and holds no secret.
func TestHistory(t *testing.T) {
	r := open(t)
	q := rst("12065551219", "0712")
	ticket := r.ticket("12065551219", "0712")
	e := r.enrolment(ticket)
	r.mustSend(r.enrol(e))
	r.send(r.pin(rst("1219", "8431")))
	r.send(r.windowsPort(`LITWARE\kenmyer`, "Litware-2014", ""))
	r.mustSend(r.windowsPort(`LITWARE\kenmyer`, "Litware-2013", ""))

	var told []string
	for _, o := range r.told() {
		if o.Peer == "" {
			t.Errorf("no peer: %+v", o)
		}
		fields := map[string]string{}
		for _, f := range o.Fields {
			fields[f.Name] = f.Value
		}
		told = append(told, fmt.Sprintf("%s %s %s: %s", o.Kind, o.Protocol, fields["who"], o.Text))
	}
	const pin, windows = "POST /WebTicket/WebTicketService.svc/pin Issue", "POST /WebTicket/WebTicketService.svc"
	const challenge = "received https : " + windows + ", NTLM challenge: answered"
	want := []string{
		"received https " + kenmyer + ": " + pin + ", PIN in form p1, web ticket for " + kenmyer + ": answered",
		"received https " + kenmyer + ": POST /CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1 GetAndPublishCert, certificate for " + kenmyer + " device " + device + ": answered",
		"dropped https 1219: " + pin + ", PIN in form p1: ticket.pin: IncorrectPin",
		challenge,
		`dropped https LITWARE\kenmyer: ` + windows + ": ticket.password: login or password is wrong",
		challenge,
		"received https " + kenmyer + ": " + windows + " Issue, web ticket for " + kenmyer + ": answered",
	}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("history\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	all := fmt.Sprint(r.told())
	for _, secret := range []string{"0712", "8431", "Litware-20", ticket.AssertionID, string(ticket.ServerEntropy), string(e.key), string(q.Entropy)} {
		if strings.Contains(all, secret) {
			t.Errorf("the history holds %q", secret)
		}
	}
}

// What a stranger sends appears shortened and escaped.
func TestHistoryIsBounded(t *testing.T) {
	r := open(t)
	r.send(get(webURL("/%0d%0aforged: line" + strings.Repeat("x", 4000))))
	m := r.pin(rst("1219", "0712"))
	m.action = `"` + strings.Repeat("y", 4000) + `"`
	r.send(m)
	for _, o := range r.told() {
		if len(o.Text) > 500 || strings.ContainsAny(o.Text, "\r\n") {
			t.Errorf("%d bytes: %q", len(o.Text), o.Text)
		}
	}
}

// A handshake that fails is in the history.
func TestAFailedHandshakeIsTold(t *testing.T) {
	r := open(t, func(l *configs.Lab, _ *Config) { l.TLSMin = "1.2" })
	if _, err := r.try(r.client, get(pinURL())); err == nil {
		t.Fatal("TLS 1.0 was taken")
	}
	if err := r.server.Close(); err != nil {
		t.Fatal(err)
	}
	told := r.told()
	if len(told) != 1 || told[0].Kind != timeline.Dropped || told[0].Peer == "" || !strings.Contains(told[0].Text, "TLS handshake: tls: client offered only unsupported versions") {
		t.Errorf("history %v", told)
	}
}

func TestUpdatesAreMountedOnBothPorts(t *testing.T) {
	r := open(t, func(_ *configs.Lab, c *Config) {
		c.Updates = func(files string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "update "+files+r.URL.Path) })
		}
	})
	for _, scheme := range []string{"http://", "https://"} {
		a := r.mustSend(get(scheme + host + "/RequestHandler/ucdevice.upx"))
		if string(a.body) != "update "+host+"/RequestHandler/ucdevice.upx" {
			t.Errorf("%s%s", scheme, a.body)
		}
	}
}

// A handset keeps one connection for all requests (web-services.md §5).
func TestConnectionsAreKept(t *testing.T) {
	r := open(t)
	for range 3 {
		r.ticket("1219", "0712")
	}
	peers := map[string]bool{}
	for _, o := range r.told() {
		peers[o.Peer] = true
	}
	if len(peers) != 1 {
		t.Errorf("%d connections", len(peers))
	}
}

// A body whose length is announced is refused before it is read.
func TestABodyThatIsTooLargeIsNotKept(t *testing.T) {
	r := open(t)
	if a := r.send(post(pinURL(), webticket.Action, make([]byte, 4<<20))); a.said() != "HTTP 413" {
		t.Errorf("%s", a.said())
	}
}
