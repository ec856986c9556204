package manage_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/labpool/manage"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestEndpoints sends one request to each path with each of its methods, and those that are wrong in what they say.
func TestEndpoints(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		request, body string
		status        int
		want          string // code of the problem, or a part of the answer
	}{
		{"GET /v1/pool", "", 200, `"schema":"lpe.manage/1","lab":"litware","pool":"atl-cs-001.litwareinc.com"`},
		{"GET /v1/users", "", 200, `{"list":[{"SipAddress":"sip:kenmyer@litwareinc.com","LineUri":"tel:+12065551219;ext=1219","Enabled":true},`},
		{"GET /v1/users/kenmyer@litwareinc.com", "", 200, `{"SipAddress":"sip:kenmyer@litwareinc.com"`},
		{"GET /v1/users/%2B12065551219", "", 200, `{"SipAddress":"sip:kenmyer@litwareinc.com"`},
		{"GET /v1/users/LITWARE%5Ckenmyer", "", 200, `{"SipAddress":"sip:kenmyer@litwareinc.com"`},
		{"GET /v1/users/nobody", "", 404, manage.CodeUnknownUser},
		{"GET /v1/users/12065551230", "", 409, manage.CodeAmbiguousUser},
		{"POST /v1/users", "{}", 405, manage.CodeMethod},

		{"GET /v1/users/1219/pin", "", 200, `{"IsPinSet":true,"IsLockedOut":false,"LastPinChange":"20`},
		{"GET /v1/users/nobody/pin", "", 404, manage.CodeUnknownUser},
		{"PUT /v1/users/nobody/pin", `{"pin":"860713"}`, 404, manage.CodeUnknownUser},
		{"PUT /v1/users/1219/pin", `{"pin":"860713"}`, 200, `"IsPinSet":true`},
		{"DELETE /v1/users/1219/pin", "", 405, manage.CodeMethod},
		{"POST /v1/users/1219/unlock", "", 200, `"IsLockedOut":false`},
		{"POST /v1/users/nobody/unlock", "", 404, manage.CodeUnknownUser},
		{"POST /v1/users/1219/disable", "", 200, `"Enabled":false`},
		{"POST /v1/users/1219/enable", "", 200, `"Enabled":true`},
		{"POST /v1/users/nobody/enable", "", 404, manage.CodeUnknownUser},
		{"POST /v1/users/nobody/disable", "", 404, manage.CodeUnknownUser},

		{"GET /v1/users/1219/await?state=registered&timeout=1ms", "", 409, manage.CodeNotReached},
		{"GET /v1/users/nobody/await?state=registered&timeout=1ms", "", 404, manage.CodeUnknownUser},
		{"GET /v1/users/1219/await?timeout=1ms", "", 400, manage.CodeMalformed},
		{"GET /v1/users/1219/await?state=asleep", "", 400, manage.CodeMalformed},
		{"GET /v1/users/1219/await?state=registered&timeout=soon", "", 400, manage.CodeMalformed},
		{"GET /v1/users/1219/await?state=registered&timeout=0s", "", 400, manage.CodeMalformed},
		{"GET /v1/users/1219/await?state=registered&timeout=61m", "", 400, manage.CodeMalformed},

		{"POST /v1/users/1219/deregister", `{"event":"rejected"}`, 409, manage.CodeNotRegistered},
		{"POST /v1/users/1219/deregister", `{"event":"fired"}`, 422, manage.CodeInvalid},
		{"POST /v1/users/nobody/deregister", `{"event":"rejected"}`, 404, manage.CodeUnknownUser},
		{"POST /v1/users/1219/notify", `{"event":"presence"}`, 409, manage.CodeNotRegistered},
		{"POST /v1/users/1219/notify", `{}`, 422, manage.CodeInvalid},
		{"POST /v1/users/nobody/notify", `{"event":"presence"}`, 404, manage.CodeUnknownUser},

		{"GET /v1/registrar", "", 200, `{"EnableDHCPServer":true,"DefaultEndpointExpiration":600,"MinEndpointExpiration":300,"MaxEndpointExpiration":900,"MaxEndpointsPerUser":8}`},
		{"PATCH /v1/registrar", `{"EnableDHCPServer":false,"MaxEndpointsPerUser":3}`, 200, `{"EnableDHCPServer":false,"DefaultEndpointExpiration":600,"MinEndpointExpiration":300,"MaxEndpointExpiration":900,"MaxEndpointsPerUser":3}`},
		{"PATCH /v1/registrar", `{"MaxEndpointExpiration":500}`, 422, manage.CodeInvalid},
		{"PATCH /v1/registrar", `{"MaxEndpointsPerUser":"3"}`, 400, manage.CodeMalformed},
		{"PATCH /v1/registrar", `{"MaxEndpoints":3}`, 400, manage.CodeMalformed},
		{"PUT /v1/registrar", `{}`, 405, manage.CodeMethod},
		{"GET /v1/registrar", "", 200, `"MaxEndpointsPerUser":3`},
		{"GET /v1/web-services", "", 200, `{"UsePinAuth":true,"UseCertificateAuth":true,"UseWindowsAuth":true,"EnableCertChainDownload":true}`},
		{"PATCH /v1/web-services", `{"UseWindowsAuth":false,"UsePinAuth":false}`, 200, `{"UsePinAuth":false,"UseCertificateAuth":true,"UseWindowsAuth":false,"EnableCertChainDownload":true}`},
		{"PATCH /v1/web-services", `{"UseWindowsAuth":true,"UseCertificateAuth":false,"EnableCertChainDownload":false}`, 200, `{"UsePinAuth":false,"UseCertificateAuth":false,"UseWindowsAuth":true,"EnableCertChainDownload":false}`},
		{"PATCH /v1/web-services", `{"UsePinAuth":1}`, 400, manage.CodeMalformed},

		{"GET /v1/registrations", "", 200, `{"list":[]}`},
		{"POST /v1/registrations/drop-associations", "", 200, `{"list":[]}`},
		{"GET /v1/certificates", "", 200, `{"list":[]}`},
		{"DELETE /v1/certificates/1219", "", 200, `{"list":[]}`},
		{"DELETE /v1/certificates/1219/0b0e0a9e-6cb0-594f-a8b3-4b55f358cbc1", "", 200, `{"list":[]}`},
		{"DELETE /v1/certificates/nobody", "", 404, manage.CodeUnknownUser},
		{"DELETE /v1/certificates", "", 405, manage.CodeMethod},

		{"GET /v1/faults", "", 200, `{"list":[]}`},
		{"PUT /v1/faults", `{"fault":"register=503:2"}`, 200, `{"list":[{"fault":"register=503:2","description":"The registrar answers 503`},
		{"PUT /v1/faults", `{"fault":"ticket=wrong-pin","user":"second"}`, 200, `{"fault":"ticket=wrong-pin","user":"sip:second@litwareinc.com",`},
		{"PUT /v1/faults", `{"fault":"ticket=wrong-pin","user":"nobody"}`, 404, manage.CodeUnknownUser},
		{"PUT /v1/faults", `{"fault":"register=nonsense"}`, 404, manage.CodeUnknownFault},
		{"PUT /v1/faults", `{"fault":"nonsense"}`, 422, manage.CodeInvalid},
		{"PUT /v1/faults", `{"fault":"web=slow:3"}`, 422, manage.CodeInvalid},
		{"PUT /v1/faults", `{"fault":"link=no-carrier"}`, 409, manage.CodeFaultNotHere},
		{"PUT /v1/faults", `{"fault":"dns=silent"}`, 200, `dns=silent`},
		{"PUT /v1/faults", `{"fault":"dns=silent","user":"1219"}`, 409, manage.CodeFaultNotHere},
		{"DELETE /v1/faults/register=503", "", 200, `{"list":[{"fault":"dns=silent"`},
		{"DELETE /v1/faults/register=503", "", 404, manage.CodeUnknownFault},
		{"DELETE /v1/faults", "", 200, `{"list":[]}`},

		{"GET /v1/history", "", 200, `"text":"sip:kenmyer@litwareinc.com: a new PIN is set"`},
		{"GET /v1/history?user=1219", "", 200, `"user":"sip:kenmyer@litwareinc.com"`},
		{"GET /v1/history?user=second", "", 200, `{"list":[]}`},
		{"GET /v1/history?user=nobody", "", 404, manage.CodeUnknownUser},
		{"GET /v1/history?after=1000000", "", 200, `{"list":[]}`},
		{"GET /v1/history?after=-1", "", 400, manage.CodeMalformed},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		a := s.send(s.request(method, path, c.body))
		if c.status != 200 {
			a.want(t, c.request+" "+c.body, c.status, c.want)
			continue
		}
		a.want(t, c.request+" "+c.body, 200, "")
		if !contains(a.body, c.want) {
			t.Errorf("%s %s: %s\nwant %s", c.request, c.body, a.body, c.want)
		}
	}
}

// TestWithAPhone manages a pool in which a handset is signed in, by the client.
func TestWithAPhone(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	enrolled := make(chan manage.Awaited, 1)
	go func() {
		reached, err := s.Await(ctx, "1219", "enrolled", time.Minute)
		if err != nil {
			t.Error(err)
		}
		enrolled <- reached
	}()
	hangUp := s.phone()

	reached, err := s.Await(ctx, "1219", "registered", 0)
	s.must(err)
	one := reached.Registration
	if reached.SIPAddress != kenmyer || one == nil || one.State != "registered" || one.Registrar != "atl-cs-001.litwareinc.com" ||
		!strings.HasPrefix(one.UserAgent, "CPE/") || one.Expires.Sub(one.Since) != 10*time.Minute {
		t.Errorf("%+v %+v", reached, one)
	}
	list, err := s.Registrations(ctx)
	s.must(err)
	if len(list) != 1 || list[0] != *one {
		t.Errorf("%+v, want %+v", list, one)
	}

	issued, err := s.Certificates(ctx)
	s.must(err)
	if c := (<-enrolled).Certificate; len(issued) != 1 || c == nil || issued[0] != *c || c.SIPAddress != kenmyer || len(c.Thumbprint) != 40 {
		t.Errorf("%+v, want %+v", issued, c)
	}
	if other, err := s.Revoke(ctx, "1219", "00000000-0000-0000-0000-000000000000"); err != nil || len(other) != 0 {
		t.Errorf("of another device: %+v, %v", other, err)
	}
	gone, err := s.Revoke(ctx, "1219", "{"+strings.ToUpper(issued[0].DeviceID)+"}")
	s.must(err)
	if left, err := s.Certificates(ctx); err != nil || len(gone) != 1 || gone[0] != issued[0] || len(left) != 0 {
		t.Errorf("revoked %+v, left %+v, %v", gone, left, err)
	}

	s.must(s.Notify(ctx, "1219", manage.Notify{Event: "vnd-microsoft-roaming-self", ContentType: "application/vnd-microsoft-roaming-self+xml", Body: "<x/>"}))
	s.wantProblem(manage.CodeNotSubscribed, s.Notify(ctx, "1219", manage.Notify{Event: "conference"}))

	after, err := s.Deregister(ctx, "1219", "unregistered")
	s.must(err)
	if len(after) != 1 || after[0].State != "removed" || after[0].EPID != one.EPID {
		t.Errorf("%+v", after)
	}
	_, err = s.Await(ctx, "1219", "removed", time.Second)
	s.must(err)
	s.must(hangUp())

	entries, err := s.History(ctx, "1219", 0)
	s.must(err)
	for _, want := range []struct {
		kind timeline.Kind
		text string
		auth string
	}{
		{timeline.Received, "web ticket for sip:kenmyer@litwareinc.com", "pin"},
		{timeline.Received, "REGISTER 4", "tls-dsk"},
		{timeline.Note, "certificates revoked: 1", ""},
		{timeline.Sent, "BENOTIFY", ""},
		{timeline.Note, "de-registered, unregistered", ""},
		{timeline.Sent, "NOTIFY", ""},
		{timeline.Received, "200 OK to NOTIFY", "tls-dsk"},
	} {
		i := slices.IndexFunc(entries, func(e manage.Entry) bool {
			return e.Kind == want.kind && strings.Contains(e.Text, want.text) && history.Value(e.Observation, history.Auth) == want.auth
		})
		if i < 0 {
			t.Errorf("nothing after that is %v", want)
			continue
		}
		entries = entries[i:]
	}
}

// TestDropAssociations: the handset's next request is refused for want of an association.
func TestDropAssociations(t *testing.T) {
	s := serve(t)
	hangUp := s.phone()
	list, err := s.DropAssociations(t.Context())
	s.must(err)
	if len(list) != 1 || list[0].State != "registered" {
		t.Errorf("%+v", list)
	}
	s.wantProblem(manage.CodeNoAssociation, s.Notify(t.Context(), "1219", manage.Notify{Event: "vnd-microsoft-roaming-self"}))
	if hangUp() == nil {
		t.Error("the handset has signed off without an association")
	}
	reached, err := s.Await(t.Context(), "1219", "refused", time.Minute)
	s.must(err)
	if reached.Entry == nil || history.Value(reached.Entry.Observation, history.Refused) != "register.association" {
		t.Errorf("%+v", reached.Entry)
	}
}

// TestClient asks what TestEndpoints does not ask by the client.
func TestClient(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	pool, err := s.Pool(ctx)
	s.must(err)
	if pool.Lab != "litware" || len(pool.Registrars) != 1 || pool.CertProvURL != s.pool.CertProvURL() {
		t.Errorf("%+v", pool)
	}
	if users, err := s.Users(ctx); err != nil || len(users) != len(s.pool.Lab().Users) {
		t.Errorf("%+v, %v", users, err)
	}
	if user, err := s.User(ctx, `LITWARE\second`); err != nil || user.SIPAddress != second {
		t.Errorf("%+v, %v", user, err)
	}
	before, err := s.PinInfo(ctx, "second")
	s.must(err)
	s.pool.Directory.Lock(second)
	if info, err := s.PinInfo(ctx, "second"); err != nil || !info.IsLockedOut {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := s.Unlock(ctx, "second"); err != nil || info.IsLockedOut {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := s.SetPin(ctx, "second", secret.New("860713")); err != nil || info.LastPinChange.Before(*before.LastPinChange) {
		t.Errorf("%+v, %v", info, err)
	}
	if user, refused := s.pool.Directory.SignIn("1220", "860713", time.Now()); refused != nil || user.SIPAddress != second {
		t.Errorf("%+v, %v", user, refused)
	}
	for _, change := range []struct {
		do   func() (manage.User, error)
		want bool
	}{
		{func() (manage.User, error) { return s.Disable(ctx, "second") }, false},
		{func() (manage.User, error) { return s.Enable(ctx, "second") }, true},
	} {
		if user, err := change.do(); err != nil || user.Enabled != change.want {
			t.Errorf("%+v, %v", user, err)
		}
	}
	off, seconds := false, 400
	if r, err := s.SetRegistrar(ctx, manage.RegistrarChange{EnableDHCPServer: &off, MinEndpointExpiration: &seconds}); err != nil ||
		r != (manage.Registrar{DefaultEndpointExpiration: 600, MinEndpointExpiration: 400, MaxEndpointExpiration: 900, MaxEndpointsPerUser: 8}) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := s.Registrar(ctx); err != nil || r.EnableDHCPServer {
		t.Errorf("%+v, %v", r, err)
	}
	if w, err := s.SetWebServices(ctx, manage.WebServicesChange{UsePinAuth: &off}); err != nil || w.UsePinAuth || !w.UseWindowsAuth {
		t.Errorf("%+v, %v", w, err)
	}
	if w, err := s.WebServices(ctx); err != nil || w.UsePinAuth {
		t.Errorf("%+v, %v", w, err)
	}
	if f, err := s.SetFault(ctx, "web=slow:5s", ""); err != nil || len(f) != 1 || f[0].Fault != "web=slow:5s" {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := s.Faults(ctx); err != nil || len(f) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := s.ClearFault(ctx, "web=slow"); err != nil || len(f) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := s.ClearFault(ctx, ""); err != nil || len(f) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	_, err = s.Await(ctx, "second", "registered", time.Millisecond)
	s.wantProblem(manage.CodeNotReached, err)
	_, err = s.User(ctx, "../../v1/users")
	s.wantProblem(manage.CodeUnknownPath, err)
	_, err = s.User(ctx, "a/b?c#d%")
	s.wantProblem(manage.CodeUnknownUser, err)
}

func (s *served) wantProblem(code string, err error) {
	s.t.Helper()
	var p *manage.Problem
	if !errors.As(err, &p) || p.Code != code {
		s.t.Errorf("%v, want %s", err, code)
	}
}

// TestHistoryInPages: more than one answer holds is all there, in order.
func TestHistoryInPages(t *testing.T) {
	s := serve(t)
	for n := range 20_500 { // of many, because nobody may have that many alone
		s.pool.Timeline.Add(timeline.Observation{Kind: timeline.Note, Peer: string(rune('A' + n%50)), Text: "x"})
	}
	entries, err := s.History(t.Context(), "", 0)
	s.must(err)
	if len(entries) < 20_500 || !slices.IsSortedFunc(entries, func(a, b manage.Entry) int { return int(a.Seq) - int(b.Seq) }) {
		t.Errorf("%d entries", len(entries))
	}
	last := entries[len(entries)-1].Seq
	if rest, err := s.History(t.Context(), "", last-5); err != nil || len(rest) != 5 {
		t.Errorf("%d entries, %v", len(rest), err)
	}
}
