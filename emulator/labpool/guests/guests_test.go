package guests_test

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/guests"
)

// guest is a connection that tells when it is closed.
type guest struct {
	net.Conn
	name   string
	closed bool
}

func (g *guest) Close() error {
	g.closed = true
	return nil
}

func TestWhoIsSilentGoes(t *testing.T) {
	l := guests.New(3)
	a, b, c, d, e := &guest{name: "a"}, &guest{name: "b"}, &guest{name: "c"}, &guest{name: "d"}, &guest{name: "e"}
	for _, one := range []*guest{a, b, c} {
		if gone := l.Come(one); gone != nil {
			t.Fatalf("%s had to go for %s", gone.(*guest).name, one.name)
		}
	}
	l.Heard(a)
	if gone := l.Come(d); gone != b || !b.closed {
		t.Errorf("%v had to go, closed %v; want b", gone, b.closed)
	}
	l.Heard(b) // has gone
	l.Leave(b)
	l.Leave(c)
	l.Leave(c)
	if gone := l.Come(e); gone != nil || l.Len() != 3 {
		t.Errorf("%v had to go of %d", gone, l.Len())
	}
	for _, one := range []*guest{a, d, e} {
		if one.closed {
			t.Errorf("%s was closed", one.name)
		}
		l.Leave(one)
	}
	if l.Len() != 0 {
		t.Errorf("%d are left", l.Len())
	}
}

// TestTLSIsHungUp: nothing is written to a peer who had to go.
func TestTLSIsHungUp(t *testing.T) {
	l := guests.New(1)
	below := &guest{}
	secured := tls.Server(below, &tls.Config{})
	l.Come(secured)
	if gone := l.Come(&guest{}); gone != secured || !below.closed {
		t.Errorf("%v had to go, closed %v", gone, below.closed)
	}
}
