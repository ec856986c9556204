package updates

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

// The documents of handset.md §3.3, as they are on the wire.
func TestTheDocuments(t *testing.T) {
	const sent = `<?xml version="1.0" encoding="utf-8"?>
<Request><DeviceType>UCPhone</DeviceType><MacAddress>00-04-F2-00-01-76</MacAddress>
<SerialNumber></SerialNumber><Vendor>POLYCOM</Vendor><Brand>POLYCOM</Brand><Model>CX600</Model><Revision>A</Revision>
<Locale>ENU</Locale><Modules><Module><FileName>CPE.nbt</FileName><Version>4.0.7577.4387</Version><Timestamp></Timestamp></Module></Modules><Color>black</Color></Request>`
	const want = `<?xml version="1.0" encoding="utf-8"?><Response><Update><FileName>CPE.nbt</FileName><Version>4.0.7577.4463</Version>` +
		`<Uri>http://lyncpool.litwareinc.com/RequestHandler/Files/CX600/4.0.7577.4463/CPE.nbt</Uri>` +
		`<Sha256>%s</Sha256></Update></Response>`
	r := open(t)
	image := deviceupdate.Offer("", "", "", []byte("model=CX600\nversion=4.0.7577.4463\n"))
	got := r.do(http.MethodPost, inside, []byte(sent), nil)
	if text := fmt.Sprintf(want, image.SHA256); got.Code != http.StatusOK || got.Body.String() != text {
		t.Errorf("HTTP %d\n%s\nwant\n%s", got.Code, got.Body, text)
	}
}

// An offer is of the version approved, and the image at its address has the announced checksum, model and version.
func TestTheOfferedImageIsThere(t *testing.T) {
	for _, model := range []string{"CX600", "CX700 Rev. B", "Aastra 6725ip", "4120%", "CX3000/R"} {
		r := open(t)
		answer := r.ask(query(func(q *deviceupdate.Request) { q.Model = model }))
		if len(answer.Updates) != 1 || answer.Updates[0].Version != approved || answer.Updates[0].FileName != "CPE.nbt" {
			t.Fatalf("%s: %+v", model, answer.Updates)
		}
		u, err := url.Parse(answer.Updates[0].URI)
		r.must(err)
		if u.Scheme != "http" || u.Host != host {
			t.Errorf("%s: image at %s", model, u)
		}
		w := r.do(http.MethodGet, u.EscapedPath(), nil, nil)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/octet-stream" {
			t.Fatalf("%s: HTTP %d, %q", model, w.Code, w.Header().Get("Content-Type"))
		}
		r.must(answer.Updates[0].Verify(w.Body.Bytes()))
		image, err := deviceupdate.ParseImage(w.Body.Bytes())
		if err != nil || image.Model != model || image.Version != approved {
			t.Errorf("%s: image %+v, %v", model, image, err)
		}
	}
}

func TestNothingToDo(t *testing.T) {
	for name, change := range map[string]func(*room, *deviceupdate.Request){
		"approved runs": func(_ *room, q *deviceupdate.Request) { q.Modules[0].Version = approved },
		"approved is one of many": func(_ *room, q *deviceupdate.Request) {
			q.Modules = append(q.Modules, deviceupdate.Module{Version: approved})
		},
		"nothing is approved": func(r *room, _ *deviceupdate.Request) { r.lab.Updates.Version = "" },
	} {
		r := open(t)
		body := query(func(q *deviceupdate.Request) { change(r, q) })
		if answer := r.ask(body); len(answer.Updates) != 0 {
			t.Errorf("%s: offered %+v", name, answer.Updates)
		}
	}
	// Modules are not compulsory: what runs is unknown then.
	if answer := open(t).ask(query(func(q *deviceupdate.Request) { q.Modules = nil })); len(answer.Updates) != 1 {
		t.Errorf("without modules: offered %+v", answer.Updates)
	}
}

// A handset that is signed in asks from outside with its certificate; the record names the user then.
func TestASignedInHandset(t *testing.T) {
	r := open(t)
	certificate := r.certificate(true)
	for _, path := range []string{outside, inside} {
		if w := r.do(http.MethodPost, path, query(), certificate); w.Code != http.StatusOK {
			t.Errorf("%s: HTTP %d", path, w.Code)
		}
		if text := r.last().Text; !strings.HasSuffix(text, ";kenmyer@litwareinc.com") || r.last().Protocol != "https" {
			t.Errorf("%s: %s %q", path, r.last().Protocol, text)
		}
	}
}

// The record has the fields of the audit log, and a query cannot add any.
func TestTheRecord(t *testing.T) {
	r := open(t)
	r.ask(query())
	want := "device updates: 2013-05-06 07:08:09;10.77.0.100:50123;UCPhone;00-04-F2-00-01-76;8213020FD0F0CV;POLYCOM;CX600;A;ENU;" +
		"CPE.nbt;4.0.7577.4387;2012-10-01;CPE.nbt;4.0.7577.4463;"
	if o := r.last(); o.Text != want || o.Kind != timeline.Received || o.Peer != "10.77.0.100:50123" || o.Protocol != "http" {
		t.Errorf("record %+v\nwant %q", o, want)
	}
	r.ask(query(func(q *deviceupdate.Request) {
		q.Locale, q.Revision, q.Vendor = "EN;U#\x7f\r\n", strings.Repeat("x", 4000), strings.Repeat("ä", 40)+"a"
		q.Modules = append(q.Modules, deviceupdate.Module{FileName: "OCInterim", Version: "1"})
	}))
	text := r.last().Text
	if strings.ContainsAny(text, "\r\n\x7f�") || len(text) > 500 || !strings.Contains(text, ";EN_U____;") {
		t.Errorf("record %q", text)
	}
	if strings.Count(text, ";") != strings.Count(want, ";")+2 || strings.Count(text, "#") != 1 {
		t.Errorf("record %q has other fields", text)
	}
}

func TestPathsHaveNoCase(t *testing.T) {
	r := open(t)
	if w := r.do(http.MethodPost, "/requesthandler/UCDEVICE.upx", query(), nil); w.Code != http.StatusOK {
		t.Errorf("query: HTTP %d", w.Code)
	}
	if w := r.do(http.MethodGet, "/REQUESTHANDLER/files/CX600/1.2/cpe.NBT", nil, nil); w.Code != http.StatusOK {
		t.Errorf("image: HTTP %d", w.Code)
	}
}

func TestFaults(t *testing.T) {
	t.Run("http-500", func(t *testing.T) {
		r := open(t, "update=http-500:1")
		if w := r.do(http.MethodPost, inside, query(), nil); w.Code != http.StatusInternalServerError {
			t.Errorf("HTTP %d", w.Code)
		}
		r.ask(query())
	})
	t.Run("garbage", func(t *testing.T) {
		r := open(t, "update=garbage")
		w := r.do(http.MethodPost, inside, query(), nil)
		if answer, err := deviceupdate.ParseResponse(w.Body.Bytes()); err == nil || w.Code != http.StatusOK {
			t.Errorf("HTTP %d, %+v", w.Code, answer)
		}
	})
	// Both images are offered whatever the lab says of updates.
	for fault, version := range map[string]string{"update=image": newestVersion, "update=unknown-image": unknownVersion} {
		t.Run(fault, func(t *testing.T) {
			r := open(t, fault)
			r.lab.Updates.Enabled = false
			answer := r.ask(query())
			if len(answer.Updates) != 1 || answer.Updates[0].Version != version {
				t.Fatalf("%+v", answer.Updates)
			}
			u, err := url.Parse(answer.Updates[0].URI)
			r.must(err)
			r.must(answer.Updates[0].Verify(r.do(http.MethodGet, u.EscapedPath(), nil, nil).Body.Bytes()))
		})
	}
	t.Run("image that runs", func(t *testing.T) {
		r := open(t, "update=image")
		r.lab.Updates.Enabled = false
		body := query(func(q *deviceupdate.Request) { q.Modules[0].Version = newestVersion })
		if answer := r.ask(body); len(answer.Updates) != 0 {
			t.Errorf("offered again: %+v", answer.Updates)
		}
	})
}
