package updates

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

// wrongMessages has at least one message for each row of the strictness table.
var wrongMessages = map[string][]func(*room) *httptest.ResponseRecorder{
	"update.path": {
		send(http.MethodPost, "/RequestHandler/other.upx", query()),
		send(http.MethodPost, "/RequestHandlerExt", query()),
		send(http.MethodGet, "/RequestHandler/Files/", nil),
		send(http.MethodGet, "/RequestHandler/Files/CX600/CPE.nbt", nil),
		send(http.MethodGet, "/RequestHandler/Files/CX600/1.2/other.nbt", nil),
		send(http.MethodGet, "/RequestHandler/Files/CX600/1.2/3/CPE.nbt", nil),
		send(http.MethodGet, "/RequestHandler/Files//1.2/CPE.nbt", nil),
		send(http.MethodGet, "/RequestHandler/Files/CX600%0Aversion=1/1.2/CPE.nbt", nil),
	},
	"update.method": {
		send(http.MethodGet, inside, nil), send(http.MethodPut, outside, query()),
		send(http.MethodPost, "/RequestHandler/Files/CX600/1.2/CPE.nbt", nil),
	},
	"update.enabled": {func(r *room) *httptest.ResponseRecorder {
		r.lab.Updates.Enabled = false
		return r.do(http.MethodPost, inside, query(), nil)
	}},
	"update.anonymous": {send(http.MethodPost, outside, query())},
	"update.certificate": {
		func(r *room) *httptest.ResponseRecorder {
			return r.do(http.MethodPost, outside, query(), r.certificate(false))
		},
		func(r *room) *httptest.ResponseRecorder {
			return r.do(http.MethodPost, inside, query(), r.certificate(false))
		},
		func(r *room) *httptest.ResponseRecorder {
			older := r.certificate(true)
			r.certificate(true)
			return r.do(http.MethodPost, outside, query(), older)
		},
		func(r *room) *httptest.ResponseRecorder {
			certificate := r.certificate(true)
			r.authority.Revoke(kenmyer, "")
			return r.do(http.MethodPost, outside, query(), certificate)
		},
		func(r *room) *httptest.ResponseRecorder {
			certificate := r.certificate(true)
			r.clock = r.clock.Add(25 * time.Hour)
			return r.do(http.MethodPost, outside, query(), certificate)
		},
	},
	"update.body": {
		send(http.MethodPost, inside, nil),
		send(http.MethodPost, inside, []byte("GET ucdevice")),
		send(http.MethodPost, inside, []byte("<Request><DeviceType>UCPhone</DeviceType>")),
		send(http.MethodPost, inside, []byte("<Response/>")),
		send(http.MethodPost, inside, []byte(`<!DOCTYPE Request [<!ENTITY a "b">]>`+"<Request><DeviceType>UCPhone</DeviceType><Model>&a;</Model></Request>")),
		send(http.MethodPost, inside, []byte(strings.Repeat("<Request>", 65)+strings.Repeat("</Request>", 65))),
		send(http.MethodPost, inside, query(func(q *deviceupdate.Request) { q.Model = "" })),
		send(http.MethodPost, inside, query(func(q *deviceupdate.Request) { q.DeviceType = "" })),
		send(http.MethodPost, inside, query(func(q *deviceupdate.Request) { q.Model = "CX600\nversion=1" })),
	},
	"update.size": {send(http.MethodPost, inside, append(query(), bytes.Repeat([]byte(" "), maxBody)...))},
}

func send(method, path string, body []byte) func(*room) *httptest.ResponseRecorder {
	return func(r *room) *httptest.ResponseRecorder { return r.do(method, path, body, nil) }
}

// For each check its wrong messages and the documented refusal.
func TestEveryCheckRefusesItsWrongMessage(t *testing.T) {
	for _, c := range Checks() {
		name := c.Stage + "." + c.Name
		if c.Wrong == "" || c.Refusal == "" || c.Source == "" || len(wrongMessages[name]) == 0 {
			t.Errorf("%s: incomplete, or nothing sends its wrong message", name)
		}
		for i, wrong := range wrongMessages[name] {
			t.Run(fmt.Sprint(name, " ", i), func(t *testing.T) {
				r := open(t)
				w := wrong(r)
				if got := fmt.Sprintf("HTTP %d %s", w.Code, strings.TrimSpace(w.Body.String())); got != c.Refusal {
					t.Errorf("%s, want %s", got, c.Refusal)
				}
				if allow := w.Header().Get("Allow"); (allow != "") != (w.Code == http.StatusMethodNotAllowed) {
					t.Errorf("HTTP %d, Allow %q", w.Code, allow)
				}
				if o := r.last(); o.Kind != timeline.Dropped || !strings.HasPrefix(o.Text, "device updates: "+name+": ") || len(o.Text) > 500 {
					t.Errorf("the history ends with %s %q", o.Kind, o.Text)
				}
			})
		}
	}
	if len(wrongMessages) != len(Checks()) {
		t.Errorf("%d kinds of wrong message for %d checks", len(wrongMessages), len(Checks()))
	}
}

// A query of exactly the bound is read.
func TestAQueryAtTheBound(t *testing.T) {
	body := query()
	open(t).ask(append(body, bytes.Repeat([]byte(" "), maxBody-len(body))...))
}
