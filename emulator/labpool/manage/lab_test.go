package manage_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/manage"
	"github.com/phone-edition/lpe/emulator/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	kenmyer = "sip:kenmyer@litwareinc.com"
	second  = "sip:second@litwareinc.com"
	profile = "polycom-cx600-4.0.7577.4463"
)

// keys are made once for all tests.
var keys = sync.OnceValues(func() ([]*rsa.PrivateKey, error) {
	var out []*rsa.PrivateKey
	for range 6 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	return out, nil
})

func prepared() func(int) (*rsa.PrivateKey, error) {
	n := 0
	var mu sync.Mutex
	return func(int) (*rsa.PrivateKey, error) {
		mu.Lock()
		defer mu.Unlock()
		list, err := keys()
		if err != nil {
			return nil, err
		}
		n++
		return list[n%len(list)], nil
	}
}

// served is a pool with its management API, and a client that knows it.
type served struct {
	*manage.Client
	t      testing.TB
	pool   *labpool.Pool
	server *manage.Server
	ready  manage.Ready
}

func serve(t testing.TB) *served {
	t.Helper()
	pool, err := labpool.Start(labpool.Config{NewKey: prepared()})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, pool: pool, ready: manage.Ready{Lab: "litware", Token: manage.NewToken()}}
	if s.server, err = manage.Start(manage.Config{Pool: pool, Listener: listener, Token: s.ready.Token}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.server.Close(); err != nil {
			t.Error(err)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	s.ready.ManagementURL = s.server.URL()
	s.Client = manage.NewClient(s.ready)
	return s
}

func (s *served) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// request is a request that is right unless a test makes it wrong.
func (s *served) request(method, path, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.server.URL()+path, strings.NewReader(body))
	s.must(err)
	r.Header.Set("Authorization", "Bearer "+s.ready.Token.Reveal())
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (s *served) send(r *http.Request) answer {
	s.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	s.must(err)
	return answer{response.StatusCode, response.Header, body}
}

// want compares status and problem code; a good answer has the code "".
func (a answer) want(t testing.TB, what string, status int, code string) {
	t.Helper()
	var problem manage.Problem
	if err := json.Unmarshal(a.body, &problem); err != nil {
		t.Errorf("%s: body %q: %v", what, a.body, err)
	}
	if a.status != status || problem.Code != code || (code != "") != (problem.Detail != "") {
		t.Errorf("%s: %d %s, want %d %q", what, a.status, a.body, status, code)
	}
	if kind := a.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("%s: Content-Type %q", what, kind)
	}
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("%s: %s: %s", what, name, a.header.Get(name))
		}
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: header %v", what, a.header)
	}
}

// phone boots a handset of kenmyer in the pool; it stays signed in until the function returned is called.
func (s *served) phone() (hangUp func() error) {
	s.t.Helper()
	station, err := s.pool.Cable().Join(ethernet.StationConfig{Name: "phone", MAC: net.HardwareAddr{0, 4, 0xf2, 0, 0, 1}})
	s.must(err)
	facts, err := configs.LoadProfile(profile)
	s.must(err)
	phone, err := handset.New(facts, station, handset.WithNewKey(prepared()))
	s.must(err)
	out, err := phone.Boot(s.t.Context(), handset.Credentials{Number: "1219", PIN: secret.New("0712")})
	if err != nil || out.Machine.State != devicestate.Ready {
		s.t.Fatalf("the phone does not boot: %v, %v", out.Failure, err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	stayed := make(chan error, 1)
	go func() {
		_, err := phone.Run(ctx, func(m devicestate.Machine) bool { return m.State == devicestate.Failed })
		stayed <- err
	}()
	return func() error {
		cancel()
		<-stayed
		return phone.Close()
	}
}

func contains(text []byte, parts ...string) bool {
	for _, part := range parts {
		if !bytes.Contains(text, []byte(part)) {
			return false
		}
	}
	return true
}
