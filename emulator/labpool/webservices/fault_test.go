package webservices

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// stages are a request of each stage, right but for what an earlier stage would have given.
var stages = map[string]func(*room) message{
	"chain":  func(r *room) message { return get(chainURL() + "/mex") },
	"ticket": func(r *room) message { return r.pin(rst("1219", "0712")) },
	"enroll": func(r *room) message { return r.enrol(r.enrolment(r.ticket("1219", "0712"))) },
}

// under runs check for a fault of each stage by its own name and by that of web.
func under(t *testing.T, kind string, check func(*testing.T, *room, func(*room) message)) {
	for stage, request := range stages {
		for _, name := range []string{stage + "=" + kind, "web=" + kind} {
			if stage == "enroll" && name != "enroll="+kind {
				continue // the ticket before it fails
			}
			t.Run(stage+" under "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { check(t, open(t, withFaults(name)), request) })
			})
		}
	}
}

func TestFaultRefused(t *testing.T) {
	for fault, want := range map[string][2]bool{
		"chain=refused": {false, true}, "ticket=refused": {true, false}, "web=refused": {false, false}, "enroll=refused": {true, true},
	} {
		r := open(t, withFaults(fault))
		for i, url := range []string{chainURL() + "/mex", webURL("/CertProv/CertProvisioningService.svc/mex")} {
			_, err := r.try(r.client, get(url))
			if want[i] && err != nil || !want[i] && !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %s: %v", fault, url, err)
			}
		}
	}
}

// enroll=refused: port 443 is there until a ticket was given, then neither new nor open connections are served.
func TestFaultEnrollRefused(t *testing.T) {
	r := open(t, withFaults("enroll=refused"))
	other := r.handset()
	defer other.CloseIdleConnections()
	if _, err := r.try(other, get(webURL("/CertProv/CertProvisioningService.svc/mex"))); err != nil {
		t.Fatal(err)
	}
	m := r.enrol(r.enrolment(r.ticket("1219", "0712")))
	if _, err := r.try(r.client, m); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("new connection: %v, want it refused", err)
	}
	if _, err := r.try(other, m); err == nil {
		t.Error("open connection: answered")
	}
}

// TestPortsFollowFaults sets and clears faults that close a port while the services run.
func TestPortsFollowFaults(t *testing.T) {
	r := open(t, withFaults("chain=refused"))
	set := r.server.cfg.Faults
	update := func(change func()) {
		t.Helper()
		change()
		if err := r.server.UpdatePorts(); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name string) { update(func() { set.Put(faults.Fault{Name: name}) }) }
	clear := func(name string) { update(func() { set.Clear(name) }) }
	wantOpen := func(when string, plain, secure bool) {
		t.Helper()
		for url, want := range map[string]bool{chainURL() + "/mex": plain, webURL("/CertProv/CertProvisioningService.svc/mex"): secure} {
			fresh := r.handset()
			_, err := r.try(fresh, get(url))
			fresh.CloseIdleConnections()
			if want && err != nil || !want && !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %s: %v", when, url, err)
			}
		}
	}
	wantOpen("from the start", false, true)
	clear("chain=refused")
	wantOpen("after the fault", true, true)
	put("web=refused")
	wantOpen("web=refused", false, false)
	clear("web=refused")
	wantOpen("after web=refused", true, true)

	put("enroll=refused")
	wantOpen("enroll=refused without a ticket", true, true)
	r.ticket("1219", "0712")
	wantOpen("enroll=refused with a ticket", true, false)
	put("chain=refused")
	wantOpen("another fault", false, false)
	clear("chain=refused")
	clear("enroll=refused")
	wantOpen("at the end", true, true)
	if answer := r.mustSend(r.enrol(r.enrolment(r.ticket("1219", "0712")))); answer.status != http.StatusOK {
		t.Errorf("enrolling after it all: %s", answer.said())
	}
}

func TestFaultReset(t *testing.T) {
	under(t, "reset", func(t *testing.T, r *room, request func(*room) message) {
		// Where the client is still writing, its reader has seen the reset first and closed the connection.
		if _, err := r.try(r.client, request(r)); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, want a reset", err)
		}
	})
}

func TestFaultTimeout(t *testing.T) {
	under(t, "timeout", func(t *testing.T, r *room, request func(*room) message) {
		m := request(r)
		r.client.Timeout = time.Hour
		began := time.Now()
		if a, err := r.try(r.client, m); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Hour {
			t.Errorf("after %v: %s, %v", time.Since(began), a.said(), err)
		}
	})
}

// Close ends what a fault keeps waiting.
func TestCloseEndsARequestThatIsNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, withFaults("ticket=timeout"))
		done := make(chan error)
		m := r.pin(rst("1219", "0712"))
		go func() { _, err := r.try(r.client, m); done <- err }()
		synctest.Wait()
		began := time.Now()
		if err := r.server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err == nil || time.Since(began) != 0 {
			t.Errorf("answered, or Close took %v", time.Since(began))
		}
	})
}

func TestFaultSlow(t *testing.T) {
	for kind, late := range map[string]time.Duration{"slow": slowness, "slow:5s": 5 * time.Second} {
		under(t, kind, func(t *testing.T, r *room, request func(*room) message) {
			m := request(r)
			began := time.Now()
			if a, err := r.try(r.client, m); err != nil || a.status != http.StatusOK || time.Since(began) != late {
				t.Errorf("after %v: %s, %v", time.Since(began), a.said(), err)
			}
		})
	}
}

func TestFaultStatusAndGarbage(t *testing.T) {
	for kind, status := range map[string]int{"http-500": 500, "http-404": 404, "garbage": 200, "redirect": 302} {
		under(t, kind, func(t *testing.T, r *room, request func(*room) message) {
			a := r.send(request(r))
			if a.status != status {
				t.Errorf("%s, want %d", a.said(), status)
			}
			if _, err := soap.Parse(a.body); err == nil {
				t.Errorf("the body is XML: %s", a.body)
			}
		})
	}
}

// A fault with a number of times is over after them.
func TestFaultIsOverAfterItsTimes(t *testing.T) {
	r := open(t, withFaults("web=http-500:2"))
	for _, want := range []int{500, 500, 200, 200} {
		if a := r.send(get(chainURL() + "/mex")); a.status != want {
			t.Errorf("%s, want %d", a.said(), want)
		}
	}
}

func TestFaultChainOff(t *testing.T) {
	r := open(t, withFaults("chain=off"))
	if _, _, ok := certprov.RootChainPort(parseMetadata(t, r.mustSend(get(chainURL()+"/mex")).body)); ok {
		t.Error("the metadata offers the root chain")
	}
	body, err := certprov.RootChainRequest{Operation: certprov.DefaultRootChainOperation.Input}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := r.send(post(chainURL(), certprov.ActionRootChains, body)); a.said() != "HTTP 500, fault ActionNotSupported" {
		t.Errorf("%s", a.said())
	}
}

func TestFaultChainEmpty(t *testing.T) {
	r := open(t, withFaults("chain=empty"))
	body, err := certprov.RootChainRequest{Operation: certprov.DefaultRootChainOperation.Input}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	a := r.mustSend(post(chainURL(), certprov.ActionRootChains, body))
	if _, err := certprov.ParseRootChains(a.body); !errors.Is(err, certprov.ErrNoChain) {
		t.Errorf("%v in %s", err, a.body)
	}
}

// web=tls-version: TLS 1.0 is not spoken any more, TLS 1.2 is.
func TestFaultTLSVersion(t *testing.T) {
	r := open(t, withFaults("web=tls-version"))
	for version, want := range map[uint16]string{tls.VersionTLS10: "protocol version not supported", tls.VersionTLS12: ""} {
		conn, err := r.phone.DialTCP(t.Context(), netip.AddrPortFrom(poolAddress.Addr(), 443))
		if err != nil {
			t.Fatal(err)
		}
		err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}).HandshakeContext(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%x: %v, want %q", version, err, want)
		}
		conn.Close()
	}
}

func TestFaultPINPortAbsent(t *testing.T) {
	r := open(t, withFaults("ticket=pin-port-absent"))
	m := parseMetadata(t, r.mustSend(get(webURL("/WebTicket/WebTicketService.svc/mex"))).body)
	if _, err := webticket.PINPort(m); !errors.Is(err, webticket.ErrNoPINPort) {
		t.Errorf("PIN port: %v", err)
	}
	if a := r.send(r.pin(rst("1219", "0712"))); a.status != http.StatusNotFound {
		t.Errorf("%s", a.said())
	}
}

func TestFaultsOfEnrolment(t *testing.T) {
	for fault, want := range map[string]string{
		"enroll=csr-refused": "HTTP 200, ErrorInfo InvalidCSR", "enroll=ticket-expired": "HTTP 500, fault FailedAuthentication 28020",
	} {
		r := open(t, withFaults(fault))
		for range 2 {
			if a := r.send(r.enrol(r.enrolment(r.ticket("1219", "0712")))); a.said() != want {
				t.Errorf("%s: %s, want %s", fault, a.said(), want)
			}
		}
		if _, ok := r.authority.Published(kenmyer, device); ok {
			t.Errorf("%s: published all the same", fault)
		}
	}
}

func TestFaultWrongKey(t *testing.T) {
	r := open(t, withFaults("enroll=wrong-key"))
	got, err := certprov.ParseResponse(r.mustSend(r.enrol(r.enrolment(r.ticket("1219", "0712")))).body)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(got.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if certificate.PublicKey.(*rsa.PublicKey).Equal(&handsetKey().PublicKey) {
		t.Error("the certificate is for the handset's key")
	}
}
