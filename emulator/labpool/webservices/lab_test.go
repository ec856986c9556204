package webservices

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	host    = "atl-cs-001.litwareinc.com"
	kenmyer = "sip:kenmyer@litwareinc.com"
	device  = "7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10"
)

var (
	poolAddress  = netip.MustParsePrefix("10.20.0.10/24")
	phoneAddress = netip.MustParsePrefix("10.20.0.20/24")
)

// prepared are the keys of one lab; each room takes them in turn, because keys are slow to make.
var prepared = struct {
	sync.Mutex
	keys map[int][]*rsa.PrivateKey
}{keys: map[int][]*rsa.PrivateKey{}}

func preparedKeys() authority.KeySource {
	taken := map[int]int{}
	return func(bits int) (*rsa.PrivateKey, error) {
		prepared.Lock()
		defer prepared.Unlock()
		if taken[bits] == len(prepared.keys[bits]) {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				return nil, err
			}
			prepared.keys[bits] = append(prepared.keys[bits], key)
		}
		taken[bits]++
		return prepared.keys[bits][taken[bits]-1], nil
	}
}

var handsetKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// room is a lab's web services and a handset's station on one cable.
type room struct {
	t         *testing.T
	lab       *configs.Lab
	server    *Server
	directory *directory.Directory
	authority *authority.Authority
	phone     ethernet.Station
	clock     atomic.Pointer[time.Time]
	client    *http.Client

	mu      sync.Mutex
	history []timeline.Observation
}

type setting func(*configs.Lab, *Config)

func withFaults(list string) setting {
	return func(_ *configs.Lab, c *Config) {
		parsed, err := faults.ParseList(list)
		if err != nil {
			panic(err)
		}
		c.Faults = faults.NewSet(parsed...)
	}
}

func open(t *testing.T, settings ...setting) *room {
	t.Helper()
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	r := &room{t: t, lab: lab}
	r.set(time.Date(2013, 5, 6, 7, 8, 9, 0, time.UTC))
	cable := ethernet.NewPipe(ethernet.Options{})
	t.Cleanup(func() { cable.Close() })
	cfg := Config{
		Lab: lab, Host: host, Station: r.join(cable, "pool", 1, poolAddress), Now: r.now, Timeline: timeline.New("litware"),
		TicketKey: make([]byte, TicketKeySize),
	}
	r.phone = r.join(cable, "phone", 2, phoneAddress)
	for _, set := range settings {
		set(lab, &cfg)
	}
	lab.PKI = configs.PKI{Signature: "sha256", KeyBits: 1024}
	r.makeAuthority(&cfg)
	r.makeDirectory(&cfg)
	cfg.Timeline.Observe(r.observe)
	if r.server, err = Start(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.server.Close(); err != nil {
			t.Error(err)
		}
	})
	r.client = r.handset()
	t.Cleanup(r.client.CloseIdleConnections)
	return r
}

// webServices changes the configuration while the services run.
func (r *room) webServices(change func(*configs.WebServices)) {
	r.server.cfg.Settings.ChangeWebServices(change)
}

func (r *room) observe(o timeline.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, o)
}

func (r *room) told() []timeline.Observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.history)
}

func (r *room) now() time.Time      { return *r.clock.Load() }
func (r *room) set(at time.Time)    { r.clock.Store(&at) }
func (r *room) add(d time.Duration) { r.set(r.now().Add(d)) }

func (r *room) join(cable ethernet.Cable, name string, last byte, address netip.Prefix) ethernet.Station {
	r.t.Helper()
	station, err := cable.Join(ethernet.StationConfig{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 0, last}})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := station.SetAddress(address, netip.Addr{}); err != nil {
		r.t.Fatal(err)
	}
	return station
}

func (r *room) makeAuthority(cfg *Config) {
	r.t.Helper()
	var err error
	r.authority, err = authority.New(authority.Config{PKI: r.lab.PKI, Name: "litware", Now: r.now, Keys: preparedKeys()})
	if err != nil {
		r.t.Fatal(err)
	}
	cfg.Authority = r.authority
	certificate, err := r.authority.Server([]string{cfg.Host}, authority.ServerOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	cfg.Certificate = func() (tls.Certificate, error) { return certificate, nil }
}

func (r *room) makeDirectory(cfg *Config) {
	r.t.Helper()
	accounts := []directory.Account{}
	for _, u := range r.lab.Users {
		accounts = append(accounts, directory.Account{
			User: directory.User{SIPAddress: u.SIPAddress, LineURI: u.LineURI, Enabled: u.Enabled},
			PIN:  u.PIN, Login: u.Login, Password: u.Password, Locked: u.Locked,
		})
	}
	var err error
	r.directory, err = directory.New(directory.Config{
		Policy: configs.PINPolicy{MinPasswordLength: r.lab.Policy.MinPasswordLength}, Accounts: accounts, Now: r.now,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	cfg.Directory = r.directory
}

// handset is an HTTP client that does TLS as Lync Phone Edition: 1.0, RSA key exchange, no server name.
func (r *room) handset(certificates ...tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	for _, chain := range r.authority.Chains() {
		for _, c := range chain {
			roots.AddCert(c)
		}
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		InsecureSkipVerify: true, Certificates: certificates,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, CurrentTime: r.now(), DNSName: host})
			return err
		},
	}
	dial := func(ctx context.Context, _, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		to, err := netip.ParseAddrPort(poolAddress.Addr().String() + ":" + port)
		if err != nil {
			return nil, err
		}
		return r.phone.DialTCP(ctx, to)
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, TLSClientConfig: config, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// said describes an answer in the words of the strictness table.
func (a answer) said() string {
	text := fmt.Sprintf("HTTP %d", a.status)
	doc, err := soap.Parse(a.body)
	if err != nil {
		return text
	}
	if f, ok := soap.ParseFault(doc); ok {
		text += ", fault " + f.Code.Local
		if f.ErrorID != 0 {
			text += fmt.Sprintf(" %d", f.ErrorID)
		}
	}
	if info := soap.Find(doc.Root(), "ErrorInfo"); info != nil {
		text += ", ErrorInfo " + soap.Text(soap.Child(info, "ErrorCode"))
	}
	return text
}

// message is a request before it is sent.
type message struct {
	method, url, action, contentType string
	login, password                  string // at the Windows port, in the way of the lab
	authorization                    string
	header                           map[string]string
	body                             []byte
}

func get(url string) message { return message{method: http.MethodGet, url: url} }

func post(url, action string, body []byte) message {
	return message{method: http.MethodPost, url: url, action: `"` + action + `"`, contentType: "text/xml", body: body}
}

func (r *room) try(client *http.Client, m message) (answer, error) {
	if m.login != "" && r.server.cfg.Settings.WebServices().WindowsAuth == windowsNTLM {
		return r.tryNTLM(client, m)
	}
	request, err := http.NewRequest(m.method, m.url, bytes.NewReader(m.body))
	if err != nil {
		return answer{}, err
	}
	if m.action != "" {
		request.Header["SOAPAction"] = []string{m.action}
	}
	if m.contentType != "" {
		request.Header.Set("Content-Type", m.contentType)
	}
	for name, value := range m.header {
		request.Header.Set(name, value)
	}
	if m.authorization != "" {
		request.Header.Set("Authorization", m.authorization)
	}
	if m.login != "" {
		request.SetBasicAuth(m.login, m.password)
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}, err
}

func (r *room) send(m message) answer {
	r.t.Helper()
	a, err := r.try(r.client, m)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *room) mustSend(m message) answer {
	r.t.Helper()
	a := r.send(m)
	if a.status != http.StatusOK {
		r.t.Fatalf("%s %s: %s, want 200; history: %v", m.method, m.url, a.said(), r.told())
	}
	return a
}

func webURL(suffix string) string { return "https://" + host + suffix }

func pinURL() string   { return webURL("/WebTicket/WebTicketService.svc/pin") }
func proofURL() string { return webURL("/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1") }
func chainURL() string { return "http://" + host + "/CertProv/CertProvisioningService.svc" }

var clientEntropy = bytes.Repeat([]byte{7}, 32)

// rst is the request of number and PIN; change may spoil it.
func rst(number, pin string, change ...func(*webticket.Request)) webticket.Request {
	q := webticket.Request{
		Number: number, PIN: pin, Form: webticket.P1, Context: device, AppliesTo: proofURL(), Entropy: clientEntropy,
	}
	for _, c := range change {
		c(&q)
	}
	return q
}

func (r *room) pin(q webticket.Request) message {
	r.t.Helper()
	body, err := q.Append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return post(pinURL(), webticket.Action, body)
}

func (r *room) ticket(number, pin string) webticket.Ticket {
	r.t.Helper()
	ticket, err := webticket.ParseResponse(r.mustSend(r.pin(rst(number, pin))).body)
	if err != nil {
		r.t.Fatal(err)
	}
	return ticket
}

// enrolment is a GetAndPublishCert that is about to be written.
type enrolment struct {
	ticket webticket.Ticket
	key    []byte
	certprov.Request
}

func (r *room) enrolment(ticket webticket.Ticket) enrolment {
	r.t.Helper()
	csr, err := certprov.NewCSR(handsetKey(), "kenmyer@litwareinc.com", true)
	if err != nil {
		r.t.Fatal(err)
	}
	return enrolment{ticket, webticket.ProofKey(clientEntropy, ticket.ServerEntropy), certprov.Request{
		To: proofURL(), MessageID: device, DeviceID: device, Entity: bareSIP(ticket.SIPAddress), RequestID: device, CSR: csr,
	}}
}

func (r *room) enrol(e enrolment) message {
	r.t.Helper()
	var err error
	e.Security, err = soap.AppendSecurity(nil, e.ticket.LifetimeInner, e.ticket.Assertion, e.ticket.AssertionID, e.key)
	if err != nil {
		r.t.Fatal(err)
	}
	body, err := e.Append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return post(proofURL(), certprov.ActionEnroll, body)
}

// edit replaces text in a message's body, which must hold it.
func (m message) edit(t *testing.T, from, to string) message {
	t.Helper()
	if !strings.Contains(string(m.body), from) {
		t.Fatalf("the message does not hold %q", from)
	}
	m.body = []byte(strings.Replace(string(m.body), from, to, 1))
	return m
}
