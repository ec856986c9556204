package registrar_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Keys are made once: making one costs more than a sign-in, and takes no virtual time.
var (
	keyring  [8]*rsa.PrivateKey
	makeKeys = sync.OnceFunc(func() {
		for i := range keyring {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(err)
			}
			keyring[i] = key
		}
	})
)

const (
	handsetKey = 0 // of keyring
	otherKey   = 1
)

const (
	host     = "fe01.lab.test"
	poolName = "pool.lab.test"
	user1    = "sip:user1@lab.test"
	user2    = "sip:user2@lab.test"
	disabled = "sip:disabled@lab.test"
	removed  = "sip:removed@lab.test" // has a certificate, is not in the directory any more
	lineURI  = "tel:+12065551219;ext=1219"
	webURL   = "https://pool.lab.test:443"
	stsURI   = webURL + "/CertProv/CertProvisioningService.svc"
)

var (
	serverAddress = netip.MustParsePrefix("192.0.2.10/24")
	patience      = time.Minute // virtual: nothing comes later
)

// lab is a front end with what it needs, on a Pipe in virtual time.
type lab struct {
	*testing.T
	cfg       registrar.Config
	server    *registrar.Server
	cable     *ethernet.Pipe
	authority *authority.Authority
	directory *directory.Directory
	stations  int

	mu       sync.Mutex
	observed []timeline.Observation
}

// virtual runs f with a lab in virtual time. Changes are made before it starts.
func virtual(t *testing.T, f func(*lab), changes ...func(*lab)) {
	t.Helper()
	makeKeys()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, changes...)
		defer l.close()
		f(l)
	})
}

func newLab(t *testing.T, changes ...func(*lab)) *lab {
	t.Helper()
	return newLabOf(t, newTrust(t), changes...)
}

// trust is an authority with the certificate of the front end.
type trust struct {
	authority   *authority.Authority
	certificate tls.Certificate
}

func newTrust(t *testing.T) trust {
	t.Helper()
	drawn := otherKey
	pki := configs.PKI{Signature: "sha256", KeyBits: 2048}
	a, err := authority.New(authority.Config{PKI: pki, Name: "test", Keys: func(int) (*rsa.PrivateKey, error) {
		drawn++
		return keyring[drawn], nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := a.Server([]string{host, poolName}, authority.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return trust{a, certificate}
}

func newLabOf(t *testing.T, own trust, changes ...func(*lab)) *lab {
	t.Helper()
	l := &lab{T: t, cable: ethernet.NewPipe(ethernet.Options{}), authority: own.authority}
	var err error
	l.directory, err = directory.New(directory.Config{Accounts: []directory.Account{
		{User: directory.User{SIPAddress: user1, LineURI: lineURI, Enabled: true}},
		{User: directory.User{SIPAddress: user2, Enabled: true}},
		{User: directory.User{SIPAddress: disabled}},
	}})
	l.must(err)
	pool := timeline.New("lab test")
	pool.Observe(func(o timeline.Observation) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.observed = append(l.observed, o)
	})
	l.cfg = registrar.Config{
		Host: host, STSURI: stsURI, Web: webURL, Directory: l.directory, Authority: l.authority, Timeline: pool,
		Certificate: func() (tls.Certificate, error) { return own.certificate, nil },
		Lab: &configs.Lab{
			Name: "test", SIPDomain: "lab.test", Pool: poolName, Web: poolName, TLSMin: "1.0", TLSMax: "1.2",
			FrontEnds: []configs.Host{{FQDN: host}},
			Registrar: configs.Registrar{
				DefaultEndpointExpiration: 600, MinEndpointExpiration: 300, MaxEndpointExpiration: 900, MaxEndpointsPerUser: 8, Server: "RTC/5.0",
			},
			Phone: configs.PhonePolicy{
				CalendarPollInterval: 3 * time.Minute, EnforcePhoneLock: true, PhoneLockTimeout: 10 * time.Minute, MinPhonePinLength: 6,
				SIPSecurityMode: "High", VoiceDiffServTag: 40, LoggingLevel: "Off",
			},
			Updates: configs.Updates{Enabled: true},
		},
	}
	for _, change := range changes {
		change(l)
	}
	l.cfg.Station = l.station("front end", serverAddress)
	l.server, err = registrar.Start(l.cfg)
	l.must(err)
	return l
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatalf("%v\n%s", err, l.log())
	}
}

func (l *lab) close() {
	if err := l.server.Close(); err != nil {
		l.Errorf("closing the front end: %v", err)
	}
	if err := l.cable.Close(); err != nil {
		l.Errorf("closing the cable: %v", err)
	}
}

func (l *lab) station(name string, address netip.Prefix) ethernet.Station {
	l.Helper()
	l.stations++
	s, err := l.cable.Join(ethernet.StationConfig{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(l.stations)}})
	l.must(err)
	l.must(s.SetAddress(address, netip.Addr{}))
	return s
}

func (l *lab) log() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, o := range l.observed {
		b.WriteString(o.At.Format("15:04:05.000 ") + string(o.Kind) + " " + o.Peer + " " + o.Text + "\n")
	}
	return b.String()
}

// withFaults activates faults.
func withFaults(names ...string) func(*lab) {
	return func(l *lab) {
		list, err := faults.ParseList(strings.Join(names, ","))
		l.must(err)
		l.cfg.Faults = faults.NewSet(list...)
	}
}

// issue gives a user's device a certificate, published unless told otherwise.
func (l *lab) issue(user, device string, publish bool) tls.Certificate {
	l.Helper()
	key := keyring[handsetKey]
	der, err := l.authority.IssueClient(&x509.CertificateRequest{PublicKey: key.Public()}, strings.TrimPrefix(user, "sip:"), user, device, 4320*time.Hour)
	l.must(err)
	if publish {
		l.must(l.authority.Publish(user, device, der))
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// soon is a context for what must happen in virtual time.
func (l *lab) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	l.Cleanup(cancel)
	return ctx
}
