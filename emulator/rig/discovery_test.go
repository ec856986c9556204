package rig_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/nameserver"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	litwareFrontEnd = "10.20.0.10"
	oldProfile      = "polycom-cx600-4.0.7423.1" // not strict about names
	noOption120     = "discovery=option120-missing"
)

// join plugs in a station of the test's own in litware's network.
func (s *setting) join(name, address string, last byte) ethernet.Station {
	s.t.Helper()
	station, err := s.Cable.Join(ethernet.StationConfig{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 1, last}})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := station.SetAddress(netip.MustParsePrefix(address+"/24"), netip.Addr{}); err != nil {
		s.t.Fatal(err)
	}
	return station
}

// names gives the handset a name server of the test's own: litware's front end, and what hosts and services add, slower than DHCP.
// The caller closes it.
func (s *setting) names(hosts map[string]string, services map[string]nameserver.Service) (end func()) {
	s.t.Helper()
	cfg := nameserver.Config{
		Station: slowStation{s.join("names", "10.20.0.53", 53)}, Zones: []string{"litwareinc.com", "fabrikam.com"},
		Hosts:    map[string][]netip.Addr{litwareFQDN: {netip.MustParseAddr(litwareFrontEnd)}},
		Services: map[string][]nameserver.Service{},
	}
	for name, address := range hosts {
		cfg.Hosts[name] = []netip.Addr{netip.MustParseAddr(address)}
	}
	for name, service := range services {
		cfg.Services[name+".litwareinc.com"] = []nameserver.Service{service}
	}
	server, err := nameserver.Start(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Network.DNS = netip.MustParseAddr("10.20.0.53")
	return func() {
		if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) { // the cable may be gone before
			s.t.Error(err)
		}
	}
}

// slowStation sends its datagrams later than a DHCP server answers.
type slowStation struct{ ethernet.Station }

func (s slowStation) ListenUDP(port uint16) (net.PacketConn, error) {
	conn, err := s.Station.ListenUDP(port)
	return slowConn{conn}, err
}

type slowConn struct{ net.PacketConn }

func (c slowConn) WriteTo(b []byte, to net.Addr) (int, error) {
	time.Sleep(50 * time.Millisecond) // virtual
	return c.PacketConn.WriteTo(b, to)
}

// candidates are the registrars that the handset says it tries, of its last discovery.
func (s *setting) candidates() []string {
	s.t.Helper()
	notes := s.saw(timeline.Note, "registrars to try: [")
	if len(notes) == 0 {
		return nil
	}
	_, list, _ := strings.Cut(notes[len(notes)-1], "[")
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(list, ") ", ")|"), "]"), "|")
}

// TestTCPCandidates: the only registrar that discovery names is one over TCP. Under SIP security mode High it is
// skipped, otherwise the handset registers there, in clear.
func TestTCPCandidates(t *testing.T) {
	const skipped = "candidate tcp.litwareinc.com:5060 (srv, tcp) is skipped: SIP security mode High"
	for _, test := range []struct {
		mode, code string
		skips      int
	}{
		{"High", "discovery.no-registrar", 1},
		{"Medium", "", 0},
		{"Low", "", 0},
	} {
		t.Run(test.mode, func(t *testing.T) {
			virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
				profile := *s.Profile
				profile.SecurityMode = test.mode
				tap := s.onWiretap()
				s.Profile, s.Faults = &profile, []string{noOption120}
				defer s.names(map[string]string{"tcp.litwareinc.com": "10.20.0.60"},
					map[string]nameserver.Service{"_sipinternal._tcp": {Port: 5060, Target: "tcp.litwareinc.com"}})()
				gateway := startGateway(s)
				defer gateway.close()
				result := s.boot()
				if result.Code != test.code {
					t.Errorf("code %q, want %q: %s\n%s", result.Code, test.code, result.Diagnosis, s.log())
				}
				if n := len(s.saw(timeline.Note, skipped)); n != test.skips {
					t.Errorf("skipped %d times, want %d\n%s", n, test.skips, s.log())
				}
				s.holdTCP(tap, test.skips == 0)
			})
		})
	}
}

// holdTCP: over TCP, SIP goes in clear and says so (RFC 3261 §18.1.1).
func (s *setting) holdTCP(tap *wiretap, registers bool) {
	s.t.Helper()
	found := 0
	for _, c := range tap.connections() {
		if c.to.Port() == 5060 {
			list, err := messages(c.sent)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, m := range list {
				found++
				if via := "SIP/2.0/TCP " + c.LocalAddr().String(); m.value("Via") != via {
					s.t.Errorf("Via %q, want %q", m.value("Via"), via)
				}
				if contact := m.value("Contact"); strings.HasPrefix(m.start(), "REGISTER") && !strings.Contains(contact, ";transport=tcp;") {
					s.t.Errorf("Contact %q", contact)
				}
			}
		}
	}
	if (found >= 11) != registers {
		s.t.Errorf("%d messages over TCP", found)
	}
}

// gateway takes SIP over TCP at 10.20.0.60 and passes it on to litware's registrar over TLS.
type gateway struct {
	listener net.Listener
	open     sync.WaitGroup
}

func startGateway(s *setting) *gateway {
	s.t.Helper()
	station := s.join("gateway", "10.20.0.60", 60)
	listener, err := station.ListenTCP(5060)
	if err != nil {
		s.t.Fatal(err)
	}
	g := &gateway{listener: listener}
	g.open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			g.open.Go(func() {
				defer conn.Close()
				raw, err := station.DialTCP(context.Background(), netip.MustParseAddrPort(litwareFrontEnd+":5061"))
				if err != nil {
					s.t.Error(err)
					return
				}
				pool := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}})
				g.open.Go(func() {
					io.Copy(pool, conn) // until the handset ends it
					pool.Close()
				})
				io.Copy(conn, pool)
			})
		}
	})
	return g
}

func (g *gateway) close() {
	g.listener.Close()
	g.open.Wait()
}

// TestStrictNaming: firmware from 4.0.7577.4363 on takes no SRV target outside of the SIP domain (discovery.md §1.5).
func TestStrictNaming(t *testing.T) {
	const outside, alike = "sip.fabrikam.com", "sip.xlitwareinc.com"
	for _, test := range []struct {
		name, profile, target string
		skipped               bool
	}{
		{"strict", rig.DefaultProfile, outside, true},
		{"strict, a domain that ends alike", rig.DefaultProfile, alike, true},
		{"strict, inside", rig.DefaultProfile, "sip.litwareinc.com", false},
		{"not strict", oldProfile, outside, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtual(t, "litware", test.profile, func(s *setting) {
				s.Faults = []string{noOption120}
				defer s.names(map[string]string{test.target: litwareFrontEnd}, map[string]nameserver.Service{
					"_sipinternaltls._tcp": {Port: 5061, Target: test.target},
					"_sip._tls":            {Port: 5061, Target: litwareFQDN},
				})()
				result := s.boot()
				s.wantSuccess(result)
				if hasWarning(result, "discovery.srv-domain-mismatch") != test.skipped {
					t.Errorf("warnings %v\n%s", result.Warnings, s.log())
				}
				// The front end has no certificate for the target: where that is tried, it is refused and the next one taken.
				if n := s.diagnosed("register.certificate-wrong-name"); (n == 0) != test.skipped {
					t.Errorf("tried %d times\n%s", n, s.log())
				}
				if first := s.candidates()[0]; strings.HasPrefix(first, test.target) == test.skipped {
					t.Errorf("the first candidate is %s", first)
				}
			})
		})
	}
}

func (s *setting) diagnosed(code string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, o := range s.observed {
		if o.Kind == timeline.Diagnosis && o.Code == code {
			n++
		}
	}
	return n
}

// everyName gives each name of discovery.md §1.5 a host of its own, of which none is there.
func (s *setting) everyName() (end func()) {
	hosts := map[string]string{}
	for _, name := range []string{"inttls", "inttcp", "exttls", "exttcp", "sipinternal", "sip", "sipexternal"} {
		hosts[name+".litwareinc.com"] = "10.20.0.99"
	}
	return s.names(hosts, map[string]nameserver.Service{
		"_sipinternaltls._tcp": {Port: 5061, Target: "inttls.litwareinc.com"},
		"_sipinternal._tcp":    {Port: 5060, Target: "inttcp.litwareinc.com"},
		"_sip._tls":            {Port: 443, Target: "exttls.litwareinc.com"},
		"_sip._tcp":            {Port: 5060, Target: "exttcp.litwareinc.com"},
	})
}

// TestCandidateOrder: cold, the names of the lease's domain in the order of discovery.md §1.5; once the SIP domain is
// known, the six of TechNet gg398713 in their order.
func TestCandidateOrder(t *testing.T) {
	cold := []string{
		"inttls.litwareinc.com:5061 (srv, tls)", "exttls.litwareinc.com:443 (srv, tls)", "inttcp.litwareinc.com:5060 (srv, tcp)",
		"sipinternal.litwareinc.com:5061 (a, tls)", "sipinternal.litwareinc.com:443 (a, tls)",
		"sip.litwareinc.com:5061 (a, tls)", "sip.litwareinc.com:443 (a, tls)",
		"sipexternal.litwareinc.com:5061 (a, tls)", "sipexternal.litwareinc.com:443 (a, tls)",
	}
	known := []string{
		"inttls.litwareinc.com:5061 (srv, tls)", litwareFQDN + ":5061 (dhcp, tls)", "inttcp.litwareinc.com:5060 (srv, tcp)",
		litwareFQDN + ":5060 (dhcp, tcp)", "exttls.litwareinc.com:443 (srv, tls)", "exttcp.litwareinc.com:5060 (srv, tcp)",
	}
	isTCP := func(candidate string) bool { return strings.HasSuffix(candidate, "tcp)") }
	for _, test := range []struct {
		name, mode string
		known      bool
		want       []string
	}{
		{"cold", "Medium", false, cold},
		{"cold, High", "High", false, slices.DeleteFunc(slices.Clone(cold), isTCP)},
		{"known", "Medium", true, known},
		{"known, High", "High", true, slices.DeleteFunc(slices.Clone(known), isTCP)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var end func()
			prepare := func(s *setting) {
				profile := *s.Profile
				profile.SecurityMode = test.mode
				s.Profile = &profile
				end = s.everyName()
			}
			check := func(s *setting) {
				end()
				if got := s.candidates(); !slices.Equal(got, test.want) {
					t.Errorf("candidates %q,\nwant %q\n%s", got, test.want, s.log())
				}
			}
			if !test.known {
				virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
					prepare(s)
					s.Faults = []string{noOption120}
					run := s.start()
					if result := run.Boot(context.Background()); result.State != devicestate.Register {
						t.Errorf("state %s", result.State)
					}
					check(s)
					if err := run.Close(); err != nil {
						t.Error(err)
					}
				})
				return
			}
			ready(t, prepare, func(x *signedIn) {
				x.reboot(func(f *devicestate.Flash) { f.Registrar, f.CertificateURL = "", "" })
				x.until(devicestate.Ready)
				check(x.setting)
			})
		})
	}
}

// reboot takes the power away, changes flash and gives the power back.
func (x *signedIn) reboot(change func(*devicestate.Flash)) {
	x.t.Helper()
	x.run.Handset.Do(devicestate.PowerOff)
	x.until(devicestate.PoweredOff)
	f := x.load()
	change(&f)
	if err := x.flash.Save(f); err != nil {
		x.t.Fatal(err)
	}
	x.forget()
	if err := x.run.PowerOn(); err != nil {
		x.t.Fatal(err)
	}
}
