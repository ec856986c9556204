package handset

import (
	"crypto/tls"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
)

// A server that accepts the connection and says nothing to the ClientHello is given up after timeout.tls.
func TestTLSTimeout(t *testing.T) {
	profile, err := configs.LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			io.Copy(io.Discard, far)
		}()
		h := &Handset{profile: profile}
		began := time.Now()
		_, failure := h.secure(t.Context(), devicestate.StageRegister, near, "fe01:5061", "fe01", nil, (*tls.Certificate)(nil))
		if took := time.Since(began); took != profile.TLSTimeout {
			t.Errorf("given up after %v, want %v", took, profile.TLSTimeout)
		}
		if failure == nil || failure.Code != "register.timeout" || failure.Peer != "fe01:5061" {
			t.Errorf("%v", failure)
		}
		<-done // the connection was closed
	})
}

// A load balancer that gives its cookie with every answer gets the last one alone.
func TestSetCookie(t *testing.T) {
	var s webSession
	for _, header := range []string{"lb=fe01; path=/", "session=1; Secure; HttpOnly", "lb=fe02", "LB=other", "flag"} {
		s.setCookie(header)
	}
	if want := []string{"lb=fe02", "session=1", "LB=other", "flag"}; !slices.Equal(s.cookie, want) {
		t.Errorf("%q, want %q", s.cookie, want)
	}
}
