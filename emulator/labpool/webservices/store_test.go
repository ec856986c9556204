package webservices

import (
	"bytes"
	"testing"
)

// A web ticket is good for a pool that was started again with the same key, and for no other.
func TestATicketOutlivesARestart(t *testing.T) {
	for name, c := range map[string]struct {
		key  []byte
		want string
	}{
		"the same key": {make([]byte, TicketKeySize), "HTTP 200"},
		"another key":  {bytes.Repeat([]byte{1}, TicketKeySize), "HTTP 500, fault FailedAuthentication 28020"},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			ticket := r.ticket("1219", "0712")
			if err := r.server.Close(); err != nil {
				t.Fatal(err)
			}
			r.client.CloseIdleConnections()
			cfg := r.server.cfg
			cfg.TicketKey = c.key
			var err error
			if r.server, err = Start(cfg); err != nil {
				t.Fatal(err)
			}
			if a := r.send(r.enrol(r.enrolment(ticket))); a.said() != c.want {
				t.Errorf("%s", a.said())
			}
		})
	}
}

// Who a ticket is for is in the history only when the pool has really issued it so.
func TestAChangedTicketNamesNobody(t *testing.T) {
	r := open(t)
	m := r.enrol(r.enrolment(r.ticket("1219", "0712")))
	m.body = bytes.Replace(m.body, []byte(">"+kenmyer+"</saml:NameIdentifier>"), []byte(">sip:second@litwareinc.com</saml:NameIdentifier>"), 1)
	if a := r.send(m); a.said() != "HTTP 500, fault FailedAuthentication 28020" {
		t.Fatalf("%s", a.said())
	}
	told := r.told()
	for _, f := range told[len(told)-1].Fields {
		if f.Name == "who" {
			t.Errorf("told of %s", f.Value)
		}
	}
}

func TestATicketKeyOfAnotherSizeIsRefused(t *testing.T) {
	r := open(t)
	cfg := r.server.cfg
	cfg.TicketKey = make([]byte, 16)
	if s, err := Start(cfg); err == nil {
		s.Close()
		t.Error("started")
	}
}
