package manage_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/manage"
	"github.com/phone-edition/lpe/emulator/secret"
)

// TestGuard: who may ask, and in which form.
func TestGuard(t *testing.T) {
	s := serve(t)
	port := s.server.URL()[strings.LastIndex(s.server.URL(), ":"):]
	header := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		status int
		code   string
	}{
		{"as it should be", func(*http.Request) {}, 200, ""},
		{"scheme in another case", header("Authorization", "bearer "+s.ready.Token.Reveal()), 200, ""},
		{"localhost", host("localhost" + port), 200, ""},
		{"LOCALHOST", host("LOCALHOST" + port), 200, ""},
		{"IPv6 loopback", host("[::1]" + port), 200, ""},

		{"no token", header("Authorization"), 401, manage.CodeUnauthorized},
		{"wrong token", header("Authorization", "Bearer "+strings.Repeat("A", 26)), 401, manage.CodeUnauthorized},
		{"half a token", header("Authorization", "Bearer "+s.ready.Token.Reveal()[:13]), 401, manage.CodeUnauthorized},
		{"empty token", header("Authorization", "Bearer "), 401, manage.CodeUnauthorized},
		{"Basic", header("Authorization", "Basic "+s.ready.Token.Reveal()), 401, manage.CodeUnauthorized},

		{"a name that leads here", host("evil.example" + port), 421, manage.CodeWrongHost},
		{"a name like localhost", host("localhost.evil.example" + port), 421, manage.CodeWrongHost},
		{"without the port", host("127.0.0.1"), 421, manage.CodeWrongHost},
		{"another port", host("127.0.0.1:1"), 421, manage.CodeWrongHost},
		{"another loopback address", host("127.0.0.2" + port), 421, manage.CodeWrongHost},

		{"a web page", header("Origin", "http://evil.example"), 403, manage.CodeCrossOrigin},
		{"its own web page", header("Origin", s.server.URL()), 403, manage.CodeCrossOrigin},
		{"a page without origin", header("Origin", "null"), 403, manage.CodeCrossOrigin},
		{"an empty origin", header("Origin", ""), 403, manage.CodeCrossOrigin},
		{"a preflight", func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header.Set("Origin", "http://evil.example")
			r.Header.Set("Access-Control-Request-Method", "PUT")
		}, 403, manage.CodeCrossOrigin},
		{"a page that knows the name only", func(r *http.Request) {
			host("evil.example" + port)(r)
			r.Header.Del("Authorization")
		}, 421, manage.CodeWrongHost},

		{"OPTIONS", func(r *http.Request) { r.Method = http.MethodOptions }, 405, manage.CodeMethod},
		{"no such path", func(r *http.Request) { r.URL.Path = "/v1/nothing" }, 404, manage.CodeUnknownPath},
		{"no such version", func(r *http.Request) { r.URL.Path = "/v2/users" }, 404, manage.CodeUnknownPath},
		{"a path that is not clean", func(r *http.Request) { r.URL.Path = "/v1/../v1/users" }, 404, manage.CodeUnknownPath},
		{"a path with two slashes", func(r *http.Request) { r.URL.Path = "/v1//users" }, 404, manage.CodeUnknownPath},
		{"the root", func(r *http.Request) { r.URL.Path = "/" }, 404, manage.CodeUnknownPath},
	} {
		r := s.request(http.MethodGet, "/v1/users", "")
		c.change(r)
		a := s.send(r)
		a.want(t, c.name, c.status, c.code)
		if (c.status == 401) != (a.header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: WWW-Authenticate %q", c.name, a.header.Get("WWW-Authenticate"))
		}
		if c.status == 405 && a.header.Get("Allow") != "GET" {
			t.Errorf("%s: Allow %q", c.name, a.header.Get("Allow"))
		}
		if strings.Contains(string(a.body), s.ready.Token.Reveal()) {
			t.Errorf("%s: the token is in %s", c.name, a.body)
		}
	}
}

// TestBodies: what is wrong with a body is said without showing what may be a PIN.
func TestBodies(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		name, kind, body string
		status           int
		code             string
	}{
		{"right", "application/json; charset=utf-8", `{"pin":"860713"}`, 200, ""},
		{"no type", "", `{"pin":"860713"}`, 415, manage.CodeNotJSON},
		{"a form", "application/x-www-form-urlencoded", `{"pin":"860713"}`, 415, manage.CodeNotJSON},
		{"plain text", "text/plain", `{"pin":"860713"}`, 415, manage.CodeNotJSON},
		{"empty", "application/json", ``, 400, manage.CodeMalformed},
		{"no JSON", "application/json", `860713`, 400, manage.CodeMalformed},
		{"half", "application/json", `{"pin":"860713"`, 400, manage.CodeMalformed},
		{"no quotes", "application/json", `{"pin":0860713}`, 400, manage.CodeMalformed},
		{"a number", "application/json", `{"pin":860713}`, 400, manage.CodeMalformed},
		{"a list", "application/json", `["860713"]`, 400, manage.CodeMalformed},
		{"two objects", "application/json", `{"pin":"860713"}{"pin":"860713"}`, 400, manage.CodeMalformed},
		{"another key", "application/json", `{"pin":"860713","PIN2":"860713"}`, 400, manage.CodeMalformed},
		{"too large", "application/json", `{"pin":"` + strings.Repeat("860713", 20_000) + `"}`, 413, manage.CodeTooLarge},
		{"no PIN", "application/json", `{}`, 422, manage.CodeInvalid},
		{"too short", "application/json", `{"pin":"860"}`, 422, manage.CodeInvalid},
		{"no digits", "application/json", `{"pin":"860713x"}`, 422, manage.CodeInvalid},
		{"a pattern", "application/json", `{"pin":"123456"}`, 422, manage.CodeInvalid},
	} {
		r := s.request(http.MethodPut, "/v1/users/1219/pin", c.body)
		r.Header.Set("Content-Type", c.kind)
		a := s.send(r)
		a.want(t, c.name, c.status, c.code)
		if strings.Contains(string(a.body), "860") {
			t.Errorf("%s: the PIN is in %s", c.name, a.body)
		}
	}
	for _, e := range s.pool.History.All(0) {
		if text, err := json.Marshal(e); err != nil || strings.Contains(string(text), "860713") {
			t.Errorf("the PIN is in %s, %v", text, err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	listen := func(network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for name, c := range map[string]manage.Config{
		"every address":   {Listener: listen("tcp", "0.0.0.0:0"), Token: manage.NewToken()},
		"no network port": {Listener: listen("unix", filepath.Join(t.TempDir(), "s")), Token: manage.NewToken()},
		"no token":        {Listener: listen("tcp", "127.0.0.1:0")},
	} {
		if server, err := manage.Start(c); err == nil {
			t.Errorf("%s: started", name)
			server.Close()
		}
		if conn, err := c.Listener.Accept(); err == nil {
			t.Errorf("%s: the port is open", name)
			conn.Close()
		}
	}
}

func TestTokens(t *testing.T) {
	a, b := manage.NewToken(), manage.NewToken()
	if a.Equal(b) || len(a.Reveal()) < 26 { // 128 bits
		t.Errorf("tokens of %d characters", len(a.Reveal()))
	}
	r := manage.Ready{Token: secret.New("tell-nobody")}
	if text, err := json.Marshal(r); err != nil || strings.Contains(fmt.Sprintf("%v %+v %#v %s", r, r, r, text), "tell-nobody") {
		t.Errorf("the token is shown: %s, %v", text, err)
	}
}
