package probe_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/probe"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var keys = sync.OnceValue(func() (out [8]*rsa.PrivateKey) {
	for i := range out {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		out[i] = key
	}
	return out
})

// keySource hands out keys that were made before; making one takes no virtual time.
func keySource() func(int) (*rsa.PrivateKey, error) {
	var n atomic.Int64 // two services may ask at once
	return func(int) (*rsa.PrivateKey, error) {
		return keys()[int(n.Add(1)-1)%len(keys())], nil
	}
}

// virtual prepares a boot that looks further, in virtual time on a Pipe.
func virtual(t *testing.T, lab string, do func(*testing.T, rig.Options)) {
	t.Helper()
	keys()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC))) // the bubble begins in 2000
		o := rig.Options{Timeout: 45 * time.Second, Cable: ethernet.NewPipe(ethernet.Options{}), HandsetKey: keySource(), PoolKey: keySource(), Further: probe.Look}
		var err error
		if o.Lab, err = configs.LoadLab(lab); err != nil {
			t.Fatal(err)
		}
		if o.Profile, err = configs.LoadProfile(rig.DefaultProfile); err != nil {
			t.Fatal(err)
		}
		o.Credentials = rig.FirstUser(o.Lab, o.Profile)
		do(t, o)
	})
}

// looked boots and tells what was found, and how long the look took.
func looked(t *testing.T, o rig.Options) (result report.Result, took time.Duration) {
	t.Helper()
	var began time.Time
	o.Observers = append(o.Observers, func(o timeline.Observation) {
		if o.Text == "looking further" {
			began = o.At
		}
	})
	run, err := rig.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	result = run.Boot(context.Background())
	took = time.Since(began)
	if err := run.Close(); err != nil {
		t.Error(err)
	}
	return result, took
}

func text(probes []report.Probe) string {
	var b strings.Builder
	for _, p := range probes {
		fmt.Fprintf(&b, "%s %s %s: %s\n", p.Outcome, p.Name, p.Target, p.Seen)
	}
	return b.String()
}

const (
	pool = "atl-cs-001.litwareinc.com"
	srv  = "srv _sipinternaltls._tcp.litwareinc.com: "
)

// TestLook meets faults and expects findings, and no failed finding besides.
func TestLook(t *testing.T) {
	for _, test := range []struct {
		faults string
		lab    string
		change func(*rig.Options)
		want   []string
	}{
		{faults: "discovery=silent", want: []string{
			"failed inform 255.255.255.255:67: nobody answered within 2s",
			"ok " + srv + pool + ":5061",
			"ok resolve " + pool + ": 10.20.0.10",
			"ok tcp " + pool + ":80: 10.20.0.10 answers",
			"ok tcp " + pool + ":443: 10.20.0.10 answers",
			"ok tls " + pool + ":443: the server speaks TLS 1.0, 1.1, 1.2, the handset 1.0",
			"ok certificate " + pool + ":443: of " + pool + ", ucupdates-r2.litwareinc.com, valid 2012-05-01 to 2015-05-01, issued by \"litware Root CA\"; the chain is not checked: the handset holds no root",
			"ok tls " + pool + ":5061: the server speaks TLS 1.0, 1.1, 1.2",
			"ok clock web server: the handset's clock shows 2013-05-01T",
			"helps sts-uri " + pool + ":5061: the registrar's challenge names https://" + pool + ":443/CertProv/CertProvisioningService.svc, which --target-fqdn " + pool + " takes",
		}},
		{faults: "discovery=class-case", want: []string{"failed inform 10.20.0.10: registrar none, URL none"}},
		{faults: "discovery=option43-truncated", want: []string{"failed inform 10.20.0.10: registrar " + pool + ", URL none, option 43", "helps sts-uri"}},
		{faults: "discovery=no-registrar", want: []string{"failed inform", "failed " + srv, "ok clock this computer"}},
		{faults: "discovery=wrong-registrar", want: []string{"failed resolve moved-pool.litwareinc.com: A moved-pool.litwareinc.com: the name does not exist", "ok inform 10.20.0.10: registrar moved-pool"}},
		{faults: "dns=silent", want: []string{"failed " + srv, "failed resolve " + pool}},
		{faults: "dns=srv-other-domain,discovery=option120-missing", want: []string{"failed " + srv + "lync.corp.example:5061 is outside litwareinc.com", "failed inform 10.20.0.10: registrar none"}},
		{faults: "discovery=option43-wrong-host", want: []string{
			"failed resolve moved-web.litwareinc.com", "ok resolve " + pool,
			"helps sts-uri " + pool + ":5061: the registrar's challenge names https://" + pool,
		}},
		{faults: "web=refused", want: []string{
			"failed tcp " + pool + ":80: 10.20.0.10: refused", "failed tcp " + pool + ":443: 10.20.0.10: refused", "ok tcp " + pool + ":5061",
			"ok clock this computer", "ok sts-uri " + pool + ":5061: the registrar's challenge names the same URL",
		}},
		{faults: "web=tls-version", want: []string{"failed tls " + pool + ":443: the server speaks TLS 1.2, 1.3; the handset's handshake, TLS 1.0, fails: ", "ok certificate " + pool + ":443"}},
		{faults: "register=tls-version", want: []string{"failed tls " + pool + ":5061: the server speaks TLS 1.2, 1.3"}},
		{faults: "web=certificate-expired", want: []string{"failed certificate " + pool + ":443: of ", "; certificate \"" + pool + "\" was valid until 2013-04-30, the handset's clock shows 2013-05-01; not valid by this computer's clock either"}},
		{faults: "web=certificate-wrong-name", want: []string{"failed certificate " + pool + ":443: ", "not for " + pool}},
		{faults: "register=wildcard-certificate", want: []string{"failed certificate " + pool + ":5061: of *.litwareinc.com", "; only the wildcard name *.litwareinc.com covers " + pool}},
		{faults: "register=untrusted-chain", want: []string{"failed certificate " + pool + ":5061: ", "; certificate \"" + pool + "\" is issued by \"litware Root CA\", which the handset does not hold"}},
		{faults: "web=wildcard-certificate,register=404", want: nil}, // the user's
		{faults: "time=silent", want: []string{
			"failed clock web server: the handset's clock shows 2006-01-01T00:00:0", "; no time server has ever set it",
			"failed certificate " + pool + ":443: ", "failed certificate " + pool + ":5061: ",
		}},
		{faults: "time=wrong", want: []string{"failed clock web server", "failed certificate " + pool + ":443: ", "failed certificate " + pool + ":5061: "}},
		{faults: "discovery=decommissioned-pool", want: []string{"failed tcp oldpool.litwareinc.com:5061: 10.20.0.254: no", "ok tcp " + pool + ":443"}},
		{faults: "register=refused", lab: "contoso", want: []string{"failed tcp lyncdir.contoso.com:5061: 10.30.200.20: refused", "ok tcp lyncweb.contoso.com:443", "ok srv _sipinternaltls._tcp.contoso.com: lyncdir.contoso.com:5061"}},
		{faults: "register=refused", change: func(o *rig.Options) {
			o.Target = handset.Target{FQDN: pool}
		}, want: []string{"failed tcp " + pool + ":5061: 10.20.0.10: refused"}},

		{faults: "address=silent", want: nil},               // no address
		{faults: "ticket=wrong-pin", want: nil},             // the user's
		{faults: "register=certificate-refused", want: nil}, // the user's
		{faults: "update=garbage", want: nil},               // it boots
	} {
		if test.lab == "" {
			test.lab = "litware"
		}
		t.Run(test.faults, func(t *testing.T) {
			virtual(t, test.lab, func(t *testing.T, o rig.Options) {
				o.Faults = strings.Split(test.faults, ",")
				if test.change != nil {
					test.change(&o)
				}
				result, took := looked(t, o)
				got := text(result.Probes)
				for _, want := range test.want {
					if !strings.Contains(got, want) {
						t.Errorf("%s: no %q in\n%s", result.Code, want, got)
					}
				}
				if test.want == nil && got != "" || test.want != nil && !strings.Contains(result.Diagnosis, ". Looked further") {
					t.Errorf("%s: found\n%s%s", result.Code, got, result.Diagnosis)
				}
				if test.want != nil && took > 5*time.Second {
					t.Errorf("took %v", took)
				}
				for _, p := range result.Probes {
					known := false
					for _, want := range test.want {
						known = known || strings.HasPrefix(want, "failed "+p.Name)
					}
					if p.Outcome == report.Failed && !known {
						t.Errorf("%s %s: %s", p.Name, p.Target, p.Seen)
					}
				}
			})
		})
	}
}

// TestNothingSecretIsSent: a look signs nobody in and sends neither PIN nor ticket.
func TestNothingSecretIsSent(t *testing.T) {
	virtual(t, "litware", func(t *testing.T, o rig.Options) {
		o.Faults = []string{"enroll=http-500"}
		var mu sync.Mutex
		var after []timeline.Observation
		looking := false
		o.Observers = append(o.Observers, func(o timeline.Observation) {
			mu.Lock()
			defer mu.Unlock()
			looking = looking || o.Text == "looking further"
			if looking && o.Kind == timeline.Sent {
				after = append(after, o)
			}
		})
		run, err := rig.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		result := run.Boot(context.Background())
		mu.Lock()
		sent := slices.Clone(after) // what follows is the end of the run
		mu.Unlock()
		if err := run.Close(); err != nil {
			t.Error(err)
		}
		if len(result.Probes) == 0 || len(sent) == 0 {
			t.Errorf("nobody looked: %+v", result)
		}
		for _, o := range sent {
			if o.Protocol != "dns" && o.Protocol != "tls" && !strings.HasPrefix(o.Text, "REGISTER 1") {
				t.Errorf("sent %s %s", o.Protocol, o.Text)
			}
		}
	})
}

// TestLookFromTheComputer looks with the computer's own sockets, at a pool on ports that were picked.
func TestLookFromTheComputer(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	cable := ethernet.NewHost(ethernet.HostOptions{Listen: loopback, Port: func(string, uint16) uint16 { return 0 }})
	defer cable.Close()
	credentials := rig.FirstUser(lab, profile)
	served, err := labpool.Start(labpool.Config{
		Lab: lab, Cable: cable, Services: &labpool.Services{}, Faults: []string{"enroll=http-404", "register=tls-version"},
		DialledNumber: credentials.Number, NewKey: keySource(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	profile.TimeFallback = loopback.String()
	port := served.Registrars[0].Port()
	result, _ := looked(t, rig.Options{
		Host: true, Profile: profile, Credentials: credentials, Timeout: 45 * time.Second, HandsetKey: keySource(), Further: probe.Look,
		Target:      handset.Target{FQDN: pool, Port: port, Address: loopback, URI: served.CertProvURL()},
		Network:     handset.Network{DNS: loopback},
		Authorities: slices.Concat(served.Authority.Chains()...),
	})
	got := text(result.Probes)
	for _, want := range []string{
		"ok resolve " + pool + ": 127.0.0.1",
		fmt.Sprintf("ok tcp %s:%d: 127.0.0.1 answers", pool, port),
		fmt.Sprintf("failed tls %s:%d: the server speaks TLS 1.2, 1.3", pool, port),
		fmt.Sprintf("ok certificate %s:%d: of %s", pool, port, pool),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", result.Code, want, got)
		}
	}
	if strings.Contains(got, " inform ") || strings.Contains(got, " srv ") {
		t.Errorf("a handset with a target looks for another:\n%s", got)
	}
}

// TestInterruptedBootsAreLeftAlone: nothing more is sent when the user has ended the boot.
func TestInterruptedBootsAreLeftAlone(t *testing.T) {
	virtual(t, "litware", func(t *testing.T, o rig.Options) {
		o.Faults = []string{"web=timeout"}
		run, err := rig.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if result := run.Boot(ctx); len(result.Probes) > 0 {
			t.Errorf("%s: %s", result.Code, text(result.Probes))
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestRefusedPINIsNotLookedInto: what the pool says of the user is all there is to see.
func TestRefusedPINIsNotLookedInto(t *testing.T) {
	virtual(t, "litware", func(t *testing.T, o rig.Options) {
		o.Credentials = handset.Credentials{Number: "1219", PIN: secret.New("9999")}
		if result, _ := looked(t, o); result.Code != "ticket.refused" || len(result.Probes) > 0 {
			t.Errorf("%s: %s", result.Code, text(result.Probes))
		}
	})
}
