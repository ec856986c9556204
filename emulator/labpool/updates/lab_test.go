package updates

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

const (
	host      = "lyncpool.litwareinc.com"
	inside    = "/RequestHandler/ucdevice.upx"
	outside   = "/RequestHandlerExt/ucdevice.upx"
	kenmyer   = "sip:kenmyer@litwareinc.com"
	device    = "7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10"
	installed = "4.0.7577.4387"
	approved  = "4.0.7577.4463"
)

var clientKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// room is the service with a lab that offers approved.
type room struct {
	t         *testing.T
	lab       *configs.Lab
	authority *authority.Authority
	service   *Service
	clock     time.Time
	told      []timeline.Observation
}

func open(t *testing.T, faultList ...string) *room {
	t.Helper()
	r := &room{
		t: t, clock: time.Date(2013, 5, 6, 7, 8, 9, 0, time.UTC),
		lab: &configs.Lab{Updates: configs.Updates{Enabled: true, Version: approved}},
	}
	var err error
	r.authority, err = authority.New(authority.Config{
		PKI: configs.PKI{Signature: "sha256", KeyBits: 2048}, Name: "litware", Now: r.now,
		Keys: func(int) (*rsa.PrivateKey, error) { return clientKey(), nil },
	})
	r.must(err)
	var set []faults.Fault
	for _, text := range faultList {
		f, err := faults.Parse(text)
		r.must(err)
		set = append(set, f)
	}
	pool := timeline.New("litware")
	pool.Observe(func(o timeline.Observation) { r.told = append(r.told, o) })
	r.service = New(Config{Lab: r.lab, Host: host, Authority: r.authority, Faults: faults.NewSet(set...), Timeline: pool, Now: r.now})
	return r
}

func (r *room) now() time.Time { return r.clock }

func (r *room) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// certificate issues a client certificate; only the published one is known.
func (r *room) certificate(publish bool) *x509.Certificate {
	r.t.Helper()
	csr := &x509.CertificateRequest{PublicKey: clientKey().Public()}
	der, err := r.authority.IssueClient(csr, strings.TrimPrefix(kenmyer, "sip:"), kenmyer, device, 24*time.Hour)
	r.must(err)
	if publish {
		r.must(r.authority.Publish(kenmyer, device, der))
	}
	certificate, err := x509.ParseCertificate(der)
	r.must(err)
	return certificate
}

// do sends one request; with a certificate it is one of TLS.
func (r *room) do(method, path string, body []byte, certificate *x509.Certificate) *httptest.ResponseRecorder {
	r.t.Helper()
	request := httptest.NewRequest(method, "http://"+host+path, bytes.NewReader(body))
	request.Header.Set("Content-Type", deviceupdate.ContentType)
	request.RemoteAddr = "10.77.0.100:50123"
	if certificate != nil {
		request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	}
	w := httptest.NewRecorder()
	r.service.ServeHTTP(w, request)
	return w
}

// query is that of handset.md §3.3 for a CX600.
func query(change ...func(*deviceupdate.Request)) []byte {
	q := deviceupdate.Request{
		DeviceType: "UCPhone", MACAddress: "00-04-F2-00-01-76", SerialNumber: "8213020FD0F0CV", Vendor: "POLYCOM", Brand: "POLYCOM",
		Model: "CX600", Revision: "A", Locale: "ENU",
		Modules: []deviceupdate.Module{{FileName: "CPE.nbt", Version: installed, Timestamp: "2012-10-01"}},
	}
	for _, f := range change {
		f(&q)
	}
	body, err := q.Append(nil)
	if err != nil {
		panic(err)
	}
	return body
}

// ask sends a query from inside and returns the answer.
func (r *room) ask(body []byte) deviceupdate.Response {
	r.t.Helper()
	w := r.do(http.MethodPost, inside, body, nil)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
		r.t.Fatalf("HTTP %d, %q", w.Code, w.Header().Get("Content-Type"))
	}
	answer, err := deviceupdate.ParseResponse(w.Body.Bytes())
	r.must(err)
	return answer
}

func (r *room) last() timeline.Observation {
	if len(r.told) == 0 {
		return timeline.Observation{}
	}
	return r.told[len(r.told)-1]
}
