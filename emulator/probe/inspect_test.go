package probe_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/probe"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func inspected(t *testing.T, o rig.Options, s probe.Subject) report.Inspection {
	t.Helper()
	got, err := probe.Inspect(context.Background(), o, s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func inspectionText(t *testing.T, i report.Inspection) string {
	t.Helper()
	var b strings.Builder
	if err := report.WriteInspection(&b, i); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// told are the findings, "!" before those that stop a handset.
func told(i report.Inspection) []string {
	out := []string{}
	for _, f := range i.Findings {
		mark := ""
		if f.Stops {
			mark = "!"
		}
		out = append(out, mark+f.Code+" "+f.Where)
	}
	return out
}

const (
	sipAt   = pool + ":5061"
	webAt   = pool + ":443"
	certAt  = "https://" + pool + ":443/CertProv/CertProvisioningService.svc"
	tickets = "https://" + pool + "/WebTicket/WebTicketService.svc"
)

// TestInspectFindings meets each obstacle and warning, made by a fault, by the lab or by the pool's clock, and nothing
// besides. Where an obstacle is named a boot fails, elsewhere it does not.
func TestInspectFindings(t *testing.T) {
	const other = "https://web.example.com:443/CertProv/CertProvisioningService.svc"
	seen := map[string]bool{}
	for _, test := range []struct {
		name    string
		faults  string
		lab     func(*configs.Lab)
		pool    func(*labpool.Pool)
		clock   time.Duration // of the pool, before the handset's
		options func(*rig.Options)
		subject probe.Subject
		want    []string
		text    []string // in the findings
		boots   bool     // the boot ends otherwise
	}{
		{name: "in order"},
		{name: "given the URL", subject: probe.Subject{URL: certAt}},
		{name: "given the URL in another spelling", subject: probe.Subject{URL: "https://ATL-CS-001.litwareinc.com/certprov/CERTPROVISIONINGSERVICE.svc"}},

		{name: "wildcard", faults: "register=wildcard-certificate,web=wildcard-certificate", want: []string{"!register.wildcard-certificate " + sipAt, "ticket.wildcard-certificate " + webAt}, text: []string{"only the wildcard name *.litwareinc.com"}},
		{name: "name not in SAN", faults: "register=certificate-wrong-name,web=certificate-wrong-name", want: []string{"!register.certificate-wrong-name " + sipAt, "!ticket.certificate-wrong-name " + webAt}},
		{name: "expired", faults: "register=certificate-expired,web=certificate-expired", want: []string{"!register.certificate-expired " + sipAt, "!ticket.certificate-expired " + webAt}},
		{name: "not yet valid", faults: "register=certificate-not-yet-valid,web=certificate-not-yet-valid", want: []string{"!register.certificate-not-yet-valid " + sipAt, "!ticket.certificate-not-yet-valid " + webAt}},
		{name: "soon", clock: -720 * 24 * time.Hour, want: []string{"inspect.expires-soon " + sipAt, "inspect.expires-soon " + webAt}, text: []string{"on 2013-05-1"}},
		{name: "unknown CA", faults: "register=untrusted-chain,web=untrusted-chain", want: []string{"!register.untrusted-chain " + sipAt, "!ticket.untrusted-chain " + webAt}},
		{name: "TLS 1.0 off", faults: "register=tls-version,web=tls-version", want: []string{"!register.tls-version " + sipAt, "!ticket.tls-version " + webAt}, text: []string{"TLS 1.0 is off: the server speaks TLS 1.2, 1.3, the handset 1.0"}},
		{
			name: "a suite missing", lab: func(l *configs.Lab) {
				l.TLSSuites = []string{"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"}
			},
			want: []string{"inspect.suites " + sipAt, "inspect.suites " + webAt}, text: []string{"the server does not take TLS_RSA_WITH_RC4_128_SHA"},
		},
		{
			name: "suites of another age", lab: func(l *configs.Lab) { l.TLSSuites = []string{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"} },
			want: []string{"!register.tls-failed " + sipAt, "!ticket.tls-failed " + webAt}, text: []string{"the server takes no suite of the handset's (TLS_RSA_WITH_AES_128_CBC_SHA, "},
		},
		{name: "metadata by GET alone", lab: func(l *configs.Lab) { l.WebServices.Metadata = "get" }, want: []string{"inspect.metadata-form " + certAt, "inspect.metadata-form " + tickets}},
		{name: "SHA-1", lab: func(l *configs.Lab) { l.PKI.Signature = "sha1" }, want: []string{"inspect.sha1 " + sipAt, "inspect.sha1 " + webAt}},
		{
			name: "weak key", lab: func(l *configs.Lab) { l.PKI.KeyBits = 1024 }, options: func(o *rig.Options) { o.PoolKey = nil },
			want: []string{"inspect.weak-key root chain", "inspect.weak-key " + sipAt, "inspect.weak-key " + webAt}, text: []string{"RSA 1024"},
		},
		{name: "PIN port missing", lab: func(l *configs.Lab) { l.WebServices.UsePINAuth = false }, want: []string{"!ticket.pin-not-offered " + tickets}},
		{name: "no Windows authentication", lab: func(l *configs.Lab) { l.WebServices.WindowsAuth = "off" }, want: []string{"ticket.windows-off " + tickets}},
		{name: "no certificate authentication", lab: func(l *configs.Lab) { l.WebServices.UseCertificateAuth = false }, want: []string{"ticket.certificate-not-offered " + tickets}},

		{name: "no chain", faults: "chain=off", want: []string{"!chain.off root chain", "inspect.unknown-ca " + sipAt, "inspect.unknown-ca " + webAt}},
		{name: "chain without a root", faults: "chain=empty", want: []string{"!chain.empty root chain", "inspect.unknown-ca " + sipAt, "inspect.unknown-ca " + webAt}},
		{name: "port 80 closed", faults: "chain=refused", want: []string{"!chain.refused root chain", "inspect.unknown-ca " + sipAt, "inspect.unknown-ca " + webAt}},
		{name: "port 80 silent", faults: "chain=timeout", want: []string{"!chain.timeout root chain", "inspect.unknown-ca " + sipAt, "inspect.unknown-ca " + webAt}},
		{name: "port 80 redirects", faults: "chain=redirect", want: []string{"!chain.redirect root chain", "inspect.unknown-ca " + sipAt, "inspect.unknown-ca " + webAt}, text: []string{`302 Found`, `to "https://` + pool}},
		{name: "redirect to clear text", faults: "ticket=redirect", want: []string{"!ticket.redirect " + certAt, "inspect.metadata-form " + certAt}, text: []string{`to "http://` + pool}},
		{name: "metadata is garbage", faults: "ticket=garbage", want: []string{"!ticket.garbage " + certAt, "inspect.metadata-form " + certAt}},
		{name: "web services closed", faults: "ticket=refused", want: []string{"!ticket.connection-refused " + webAt}},
		{name: "web services hang", faults: "ticket=timeout", want: []string{"!ticket.timeout " + certAt, "inspect.metadata-form " + certAt}},

		{name: "registrar closed", faults: "register=refused", want: []string{"!register.refused " + sipAt}},
		{name: "registrar closed, URL given", faults: "register=refused", subject: probe.Subject{URL: certAt}, want: []string{"inspect.no-registrar " + sipAt}, boots: true},
		{
			name: "the web services have another name than the registrar", lab: func(l *configs.Lab) {
				l.Edition, l.Pool, l.Web = "enterprise", "pool.litwareinc.com", "web.litwareinc.com"
			},
			subject: probe.Subject{Registrar: "web.litwareinc.com", URL: "https://web.litwareinc.com:443/CertProv/CertProvisioningService.svc"},
			want:    []string{"inspect.other-registrar web.litwareinc.com:5061"}, text: []string{"calls itself " + pool}, boots: true,
		},
		{name: "registrar hangs", faults: "register=timeout", want: []string{"!register.timeout " + sipAt}},
		{name: "registrar resets", faults: "register=reset", want: []string{"!register.reset " + sipAt}},
		{name: "registrar answers garbage", faults: "register=garbage", want: []string{"!register.garbage " + sipAt}},
		{name: "no challenge", faults: "register=401", want: []string{"!register.401 " + sipAt}},
		{name: "no TLS-DSK", faults: "register=no-tls-dsk", want: []string{"!register.security-association " + sipAt}},
		{name: "no sts-uri", pool: setSTSURI(""), want: []string{"inspect.sts-uri-missing " + sipAt}},
		{name: "sts-uri without TLS", pool: setSTSURI("http://" + pool + "/CertProv/CertProvisioningService.svc"), want: []string{"inspect.sts-uri-elsewhere " + sipAt}},
		{name: "sts-uri in another domain", pool: setSTSURI(other), want: []string{"inspect.sts-uri-elsewhere " + sipAt, "!ticket.unresolved web.example.com:443", "!chain.unresolved root chain", "inspect.unknown-ca " + sipAt}},
		{name: "sts-uri is not the URL given", pool: setSTSURI(other), subject: probe.Subject{URL: certAt}, want: []string{"inspect.sts-uri-elsewhere " + sipAt}},
		{
			name: "authority given", faults: "chain=off", pool: nil, options: func(o *rig.Options) { o.Authorities = unrelated(t) },
			want: []string{"chain.off root chain", "!register.untrusted-chain " + sipAt, "!ticket.untrusted-chain " + webAt},
		},
		{
			name: "a front end is down", lab: func(l *configs.Lab) {
				l.Edition, l.Pool = "enterprise", "pool.litwareinc.com"
				l.FrontEnds = append(l.FrontEnds, configs.Host{FQDN: "fe2.litwareinc.com", Address: netip.MustParseAddr("10.20.0.11")})
			},
			pool: func(p *labpool.Pool) { p.Registrars[1].Close() }, subject: probe.Subject{Registrar: "pool.litwareinc.com"},
			want: []string{"inspect.address pool.litwareinc.com:5061"}, text: []string{"10.20.0.11: refused"},
		},
		{name: "too little time", faults: "register=timeout", options: func(o *rig.Options) { o.Timeout = 5 * time.Second }, want: []string{"!inspect.partial inspection"}, boots: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtual(t, "litware", func(t *testing.T, o rig.Options) {
				if test.faults != "" {
					o.Faults = strings.Split(test.faults, ",")
				}
				if test.lab != nil {
					test.lab(o.Lab)
				}
				o.Timeout = time.Minute
				if test.options != nil {
					test.options(&o)
				}
				if test.subject.Registrar == "" {
					test.subject.Registrar = pool
				}
				got := lookedAt(t, o, test.subject, test.clock, test.pool, test.boots)
				if test.want == nil {
					test.want = []string{}
				}
				if diff := cmp.Diff(test.want, told(got)); diff != "" {
					t.Errorf("findings (-want +got):\n%s%s", diff, inspectionText(t, got))
				}
				stops := slices.ContainsFunc(test.want, func(s string) bool { return strings.HasPrefix(s, "!") })
				if got.WouldSignIn == stops {
					t.Errorf("would sign in: %v", got.WouldSignIn)
				}
				text := inspectionText(t, got)
				for _, want := range test.text {
					if !strings.Contains(text, want) {
						t.Errorf("no %q in\n%s", want, text)
					}
				}
				for _, f := range got.Findings {
					if f.Code == "" || f.Where == "" || f.Seen == "" || f.Means == "" || f.Do == "" {
						t.Errorf("lacks something: %+v", f)
					}
					if _, ok := report.Lookup(devicestate.Code(f.Code)); !ok && !slices.Contains(report.FindingCodes(), f.Code) {
						t.Errorf("%s is explained nowhere", f.Code)
					}
					seen[f.Code] = true
				}
			})
		})
	}
	for _, code := range report.FindingCodes() {
		if !seen[code] && !elsewhereTested[code] {
			t.Errorf("no test makes %s appear", code)
		}
	}
}

// elsewhereTested are findings that take another pool than a lab's: TestInspectClearText.
var elsewhereTested = map[string]bool{report.FindingClearText: true}

func setSTSURI(uri string) func(*labpool.Pool) {
	return func(p *labpool.Pool) {
		for _, r := range p.Registrars {
			r.SetSTSURI(uri)
		}
	}
}

// unrelated are roots that no lab's certificate is from.
func unrelated(t *testing.T) []*x509.Certificate {
	t.Helper()
	a, err := authority.New(authority.Config{PKI: configs.PKI{Signature: "sha256", KeyBits: 2048}, Name: "other", Keys: keySource()})
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(a.Chains()...)
}

// kept is a cable that several runs share.
type kept struct{ ethernet.Cable }

func (kept) Close() error { return nil }

// lookedAt starts the lab of o with another clock, inspects it, and makes sure that a boot agrees.
func lookedAt(t *testing.T, o rig.Options, s probe.Subject, clock time.Duration, change func(*labpool.Pool), boots bool) report.Inspection {
	t.Helper()
	cable := o.Cable
	served, err := labpool.Start(labpool.Config{
		Lab: o.Lab, Cable: cable, Faults: o.Faults, DialledNumber: o.Credentials.Number, NewKey: o.PoolKey,
		Now: func() time.Time { return time.Now().Add(clock) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(served.Close(), cable.Close()); err != nil {
			t.Error(err)
		}
	}()
	if change != nil {
		change(served)
	}
	o.Cable, o.Lab, o.Faults, o.Further = kept{cable}, nil, nil, nil
	got := inspected(t, o, s)
	o.Target = handset.Target{FQDN: s.Registrar, URI: s.URL}
	run, err := rig.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	result := run.Boot(context.Background())
	if err := run.Close(); err != nil {
		t.Error(err)
	}
	obstacle := func(f report.Finding) bool { return f.Stops && f.Code == result.Code }
	if agree := got.WouldSignIn == (result.Result == report.Success) && (got.WouldSignIn || slices.ContainsFunc(got.Findings, obstacle)); agree == boots {
		t.Errorf("would sign in: %v, the boot ends with %q: %s\n%s", got.WouldSignIn, result.Code, result.Diagnosis, inspectionText(t, got))
	}
	return got
}

// TestInspectSendsNoCredentials: what an inspection sends is one REGISTER without Authorization, questions for metadata
// and the root chain, and handshakes.
func TestInspectSendsNoCredentials(t *testing.T) {
	virtual(t, "litware", func(t *testing.T, o rig.Options) {
		o.Timeout, o.Decode = time.Minute, true
		var mu sync.Mutex
		var asked []string
		o.Observers = append(o.Observers, func(o timeline.Observation) {
			if o.Kind != timeline.Sent || o.Protocol != "sip" && o.Protocol != "http" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, o.Text)
			for _, f := range o.Fields {
				if strings.Contains(strings.ToLower(f.Name+f.Value), "authorization") {
					t.Errorf("%s: %s %s", o.Text, f.Name, f.Value)
				}
			}
		})
		inspected(t, o, probe.Subject{Registrar: pool})
		const cert, ticket = "/CertProv/CertProvisioningService.svc", "/WebTicket/WebTicketService.svc"
		want := []string{
			"REGISTER 1", "GET " + cert + "/mex", "POST " + cert + " GetRootCertChains",
			"GET " + cert + "/mex", "POST " + cert + "/mex Get", "GET " + ticket + "/mex", "POST " + ticket + "/mex Get",
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	})
}
