package probe_test

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/manage"
	"github.com/phone-edition/lpe/emulator/probe"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

var picked = regexp.MustCompile(`:[0-9]+\b`)

// comparable leaves out of an inspection what differs from one pool to its imitation: addresses and ports, keys and dates.
func comparable(i report.Inspection) string {
	i.At = report.Time{}
	certificates := func(list []report.InspectedCertificate) {
		for n := range list {
			c := &list[n]
			c.Fingerprint, c.NotBefore, c.NotAfter = "", report.Time{}, report.Time{}
		}
	}
	for n := range i.Ports {
		i.Ports[n].Addresses = nil
		certificates(i.Ports[n].Certificates)
	}
	certificates(i.RootChain.Certificates)
	var b strings.Builder
	if err := report.WriteInspection(&b, i); err != nil {
		return err.Error()
	}
	return picked.ReplaceAllString(b.String(), ":PORT")
}

// parseSaved is the lab that was saved, in the file of that name: it is in those of its authorities.
func parseSaved(t *testing.T, i report.Inspection, name string) *configs.Lab {
	t.Helper()
	text, err := probe.Imitate(i)
	if err != nil {
		t.Fatal(err)
	}
	lab, err := configs.ParseLab(name+".yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return lab
}

func defaultProfile(t *testing.T) *configs.Profile {
	t.Helper()
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

// onSegment inspects a lab on a Segment of its own.
func onSegment(t *testing.T, lab *configs.Lab, registrar string) report.Inspection {
	t.Helper()
	return inspected(t, rig.Options{Lab: lab, Profile: defaultProfile(t), Timeout: time.Minute, PoolKey: keySource()}, probe.Subject{Registrar: registrar})
}

// onSockets serves a lab on sockets of the computer, with picked ports, and inspects it there.
func onSockets(t *testing.T, lab *configs.Lab, registrar string) report.Inspection {
	t.Helper()
	loopback := netip.MustParseAddr("127.0.0.1")
	served, err := rig.Serve(t.Context(), rig.ServeOptions{Lab: lab, Listen: loopback, PoolKey: keySource()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := served.Close(); err != nil {
			t.Error(err)
		}
	}()
	subject := probe.Subject{Registrar: registrar, SIPPort: portOf(t, served.Ready, "sip-tls", lab.FrontEnds[0].FQDN), HTTPPort: portOf(t, served.Ready, "http", "")}
	o := rig.Options{Host: true, Profile: defaultProfile(t), Timeout: time.Minute}
	o.Network.Hosts = loopback
	return inspected(t, o, subject)
}

func portOf(t *testing.T, ready manage.Ready, service, host string) uint16 {
	t.Helper()
	for _, a := range ready.Addresses {
		if a.Service == service && (host == "" || a.Host == host) {
			return netip.MustParseAddrPort(a.Address).Port()
		}
	}
	t.Fatalf("no %s of %s in %v", service, host, ready.Addresses)
	return 0
}

// TestImitate: a pool and the lab that imitates it look the same, on sockets and on a Segment, in order and with what
// is wrong with it.
func TestImitate(t *testing.T) {
	const web = "lyncweb.contoso.com"
	for _, test := range []struct {
		lab, registrar string
		name           string
		change         func(*configs.Lab)
	}{
		{lab: "litware", registrar: pool},
		{lab: "contoso", registrar: "lyncpool.contoso.com"},
		{lab: "contoso", registrar: "lyncpool.contoso.com", name: "TLS", change: func(l *configs.Lab) {
			l.TLSMin, l.TLSMax = "1.2", "1.3"
			l.SIPTLS = &configs.TLS{Min: "1.0", Max: "1.1", Suites: []string{"TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_RC4_128_SHA"}}
		}},
		{lab: "contoso", registrar: "lyncpool.contoso.com", name: "suites that no handset has", change: func(l *configs.Lab) {
			l.TLSSuites = []string{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"}
		}},
		{lab: "contoso", registrar: "lyncpool.contoso.com", name: "wildcards", change: func(l *configs.Lab) {
			l.Certificates.Web, l.Certificates.Registrar = []string{"*.contoso.com"}, []string{"*.contoso.com", "sip.contoso.com"}
		}},
		{lab: "contoso", registrar: "lyncpool.contoso.com", name: "other names", change: func(l *configs.Lab) {
			l.Certificates.Web, l.Certificates.Registrar = []string{web}, []string{"lyncfe01.contoso.com"}
		}},
		{lab: "contoso", registrar: "lyncpool.contoso.com", name: "switches", change: func(l *configs.Lab) {
			l.WebServices.UsePINAuth, l.WebServices.UseCertificateAuth, l.WebServices.EnableCertChainDownload = false, false, false
			l.Registrar.Server, l.PKI.Intermediate = "RTC/6.0", false
		}},
		{lab: "contoso", registrar: "lyncpool.contoso.com", name: "WS-Transfer alone", change: func(l *configs.Lab) {
			l.WebServices.Metadata, l.WebServices.WindowsAuth = "transfer", "off"
		}},
		{lab: "litware", registrar: pool, name: "GET alone", change: func(l *configs.Lab) { l.WebServices.Metadata = "get" }},
	} {
		t.Run(strings.TrimSuffix(test.lab+" "+test.name, " "), func(t *testing.T) {
			lab, err := configs.LoadLab(test.lab)
			if err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(lab)
			}
			first := onSockets(t, lab, test.registrar)
			saved := parseSaved(t, first, lab.Name)
			want := comparable(first)
			if diff := cmp.Diff(want, comparable(onSockets(t, saved, test.registrar))); diff != "" {
				t.Errorf("on sockets (-pool +imitation):\n%s", diff)
			}
			if test.name == "" {
				onSegmentWant := comparable(onSegment(t, lab, test.registrar))
				if diff := cmp.Diff(onSegmentWant, comparable(onSegment(t, saved, test.registrar))); diff != "" {
					t.Errorf("on a Segment (-pool +imitation):\n%s", diff)
				}
			}
		})
	}
}

// TestImitateFaults: what a lab has no key for is told with the fault that makes it, and with that the imitation is
// as the pool.
func TestImitateFaults(t *testing.T) {
	for _, fault := range []string{"register=certificate-expired", "chain=redirect", "register=401"} {
		virtual(t, "litware", func(t *testing.T, o rig.Options) {
			o.Timeout, o.Faults = time.Minute, []string{fault}
			first := inspected(t, o, probe.Subject{Registrar: pool})
			text, err := probe.Imitate(first)
			if err != nil {
				t.Fatal(err)
			}
			if want := "--fault " + fault + " makes it"; !strings.Contains(string(text), want) {
				t.Errorf("no %q in\n%s", want, text)
			}
			o.Lab, o.Cable = parseSaved(t, first, o.Lab.Name), ethernet.NewPipe(ethernet.Options{})
			if diff := cmp.Diff(told(first), told(inspected(t, o, probe.Subject{Registrar: pool}))); diff != "" {
				t.Errorf("%s (-pool +imitation):\n%s", fault, diff)
			}
		})
	}
}

// TestImitateBoots: the saved lab is one to boot against.
func TestImitateBoots(t *testing.T) {
	virtual(t, "contoso", func(t *testing.T, o rig.Options) {
		o.Timeout = time.Minute
		saved := parseSaved(t, inspected(t, o, probe.Subject{Registrar: "lyncpool.contoso.com"}), "saved")
		o.Lab, o.Cable, o.Credentials = saved, ethernet.NewPipe(ethernet.Options{}), rig.FirstUser(saved, o.Profile)
		run, err := rig.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		if result := run.Boot(context.Background()); result.Result != report.Success {
			t.Errorf("%s: %s", result.Code, result.Diagnosis)
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestImitateWhatIsStrange: what a pool says goes into a file only where it is fit for it.
func TestImitateWhatIsStrange(t *testing.T) {
	virtual(t, "litware", func(t *testing.T, o rig.Options) {
		o.Timeout = time.Minute
		seen := inspected(t, o, probe.Subject{Registrar: pool})
		seen.Challenge.Server = "RTC/5.0\"\nusers: []"
		seen.Challenge.Schemes = append(seen.Challenge.Schemes, report.InspectedScheme{Name: "NTLM\nedition: x"})
		s := &seen.Challenge.Schemes[0]
		s.TargetName, s.Realm, s.Version, s.STSURI = "a\nb: c", "another", "3", "https://x.example.com/\n"
		for n := range seen.Ports {
			c := &seen.Ports[n].Certificates[0]
			c.Names, c.Signature, c.Bits, c.Key = []string{"a b", "*", "x\ny.example.com"}, "ECDSA-SHA256", 0, "ECDSA"
			seen.Ports[n].Suites = []string{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}
			seen.Ports[n].Versions[1].OK = false
		}
		text, err := probe.Imitate(seen)
		if err != nil {
			t.Fatal(err)
		}
		lab, err := configs.ParseLab("imitation", text)
		if err != nil || len(lab.Users) != 1 || lab.Edition != "standard" {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, want := range []string{
			`the registrar offers NTLM edition: x too`, `the realm is "another"`, `version "3" of TLS-DSK`, `signed with ECDSA-SHA256`, `key is ECDSA`,
			`takes TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`, `speaks 1.0, 1.2`, `the certificate of the registrar has no DNS name`,
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	})
	for _, nothing := range []report.Inspection{{}, {Ports: []report.InspectedPort{{Service: report.InspectedSIP, Host: pool}}}} {
		if _, err := probe.Imitate(nothing); !errors.Is(err, probe.ErrNothingSeen) {
			t.Error(err)
		}
	}
}
