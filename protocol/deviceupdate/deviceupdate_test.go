package deviceupdate_test

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

// The working schema of handset.md §3.3, which is invented, in one line.
const (
	query   = `<?xml version="1.0" encoding="utf-8"?><Request><DeviceType>UCPhone</DeviceType><MacAddress>00-04-F2-00-01-76</MacAddress><SerialNumber>7</SerialNumber><Vendor>POLYCOM</Vendor><Brand>POLYCOM</Brand><Model>CX600</Model><Revision>A</Revision><Locale>ENU</Locale><Modules><Module><FileName>CPE.nbt</FileName><Version>4.0.7577.4387</Version><Timestamp>0</Timestamp></Module></Modules></Request>`
	offer   = `<?xml version="1.0" encoding="utf-8"?><Response><Update><FileName>CPE.nbt</FileName><Version>4.0.7577.4463</Version><Uri>http://pool/RequestHandler/Files/CPE.nbt</Uri><Sha256>ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad</Sha256></Update></Response>`
	nothing = `<?xml version="1.0" encoding="utf-8"?><Response></Response>`
	image   = "model=CX600\nversion=4.0.7577.4463\nnote=lab\n"
)

var request = deviceupdate.Request{
	DeviceType: "UCPhone", MACAddress: "00-04-F2-00-01-76", SerialNumber: "7", Vendor: "POLYCOM", Brand: "POLYCOM", Model: "CX600",
	Revision: "A", Locale: "ENU", Modules: []deviceupdate.Module{{FileName: "CPE.nbt", Version: "4.0.7577.4387", Timestamp: "0"}},
}

var unnamed = cmpopts.IgnoreTypes(xml.Name{})

func TestRequest(t *testing.T) {
	got, err := deviceupdate.ParseRequest([]byte(query))
	if err != nil || cmp.Diff(request, got, unnamed) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(request, got, unnamed))
	}
	text, err := request.Append([]byte("before"))
	if err != nil || cmp.Diff("before"+query, string(text)) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff("before"+query, string(text)))
	}
}

func TestResponse(t *testing.T) {
	got, err := deviceupdate.ParseResponse([]byte(offer))
	if err != nil {
		t.Fatal(err)
	}
	// The SHA-256 of "abc" is a vector of FIPS 180-2.
	want := deviceupdate.Offer("CPE.nbt", "4.0.7577.4463", "http://pool/RequestHandler/Files/CPE.nbt", []byte("abc"))
	if len(got.Updates) != 1 || !cmp.Equal(want, got.Updates[0]) {
		t.Errorf("%+v, want %+v", got.Updates, want)
	}
	text, err := deviceupdate.Response{Updates: []deviceupdate.Update{want}}.Append(nil)
	if err != nil || string(text) != offer {
		t.Errorf("%v\n%s", err, cmp.Diff(offer, string(text)))
	}
	if err := got.Updates[0].Verify([]byte("abc")); err != nil {
		t.Error(err)
	}
	if err := got.Updates[0].Verify([]byte("abd")); !errors.Is(err, deviceupdate.ErrDamaged) {
		t.Errorf("another image: %v", err)
	}
	text, err = deviceupdate.Response{}.Append(nil)
	if err != nil || string(text) != nothing {
		t.Errorf("%v %s", err, text)
	}
	if got, err = deviceupdate.ParseResponse([]byte("<Response/>")); err != nil || len(got.Updates) != 0 {
		t.Errorf("nothing to do: %+v, %v", got, err)
	}
}

// What is not known is tolerated and kept, since no capture tells what else there is.
func TestUnknown(t *testing.T) {
	got, err := deviceupdate.ParseRequest([]byte(strings.Replace(query, "<Modules>", "<Uptime unit=\"s\"><n>5</n></Uptime><Modules>", 1)))
	if err != nil || len(got.Unknown) != 1 || got.Unknown[0].XMLName.Local != "Uptime" || got.Unknown[0].Inner != "<n>5</n>" {
		t.Errorf("%+v, %v", got.Unknown, err)
	}
	if text, err := got.Append(nil); err != nil || !strings.Contains(string(text), `<Uptime unit="s"><n>5</n></Uptime>`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestMalformed(t *testing.T) {
	parseRequest := func(b []byte) error { _, err := deviceupdate.ParseRequest(b); return err }
	parseResponse := func(b []byte) error { _, err := deviceupdate.ParseResponse(b); return err }
	for name, c := range map[string]struct {
		document string
		parse    func([]byte) error
	}{
		"nothing":             {"", parseRequest},
		"text":                {"hello", parseRequest},
		"another root":        {"<Other/>", parseResponse},
		"cut short":           {query[:200], parseRequest},
		"two roots":           {"<Response/><Response/>", parseResponse},
		"text after the root": {"<Response/>x", parseResponse},
		"tag after the root":  {"<Response/></Response>", parseResponse},
		"crossed tags":        {"<Response><Update></Response></Update>", parseResponse},
		"document type":       {`<!DOCTYPE Response><Response/>`, parseResponse},
		"no device type":      {strings.Replace(query, "UCPhone", "", 1), parseRequest},
		"no model":            {strings.Replace(query, "CX600", "", 1), parseRequest},
		"no version":          {strings.Replace(offer, "4.0.7577.4463", "", 1), parseResponse},
		"no uri":              {strings.Replace(offer, "http://pool/RequestHandler/Files/CPE.nbt", "", 1), parseResponse},
	} {
		if err := c.parse([]byte(c.document)); !errors.Is(err, deviceupdate.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBounds(t *testing.T) {
	const empty = "<Response></Response>"
	sized := func(n int) []byte {
		return []byte(strings.Replace(empty, "><", ">"+strings.Repeat(" ", n-len(empty))+"<", 1))
	}
	nested := func(n int) []byte { // the root is 1
		return []byte("<Response>" + strings.Repeat("<x>", n-1) + strings.Repeat("</x>", n-1) + "</Response>")
	}
	for name, c := range map[string]struct {
		document []byte
		want     error
	}{
		"size":            {sized(deviceupdate.MaxSize), nil},
		"size, one over":  {sized(deviceupdate.MaxSize + 1), deviceupdate.ErrTooLarge},
		"depth":           {nested(deviceupdate.MaxDepth), nil},
		"depth, one over": {nested(deviceupdate.MaxDepth + 1), deviceupdate.ErrMalformed},
	} {
		if _, err := deviceupdate.ParseResponse(c.document); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	large := request
	large.SerialNumber = strings.Repeat("7", deviceupdate.MaxSize)
	if _, err := large.Append(nil); !errors.Is(err, deviceupdate.ErrTooLarge) {
		t.Errorf("written, too large: %v", err)
	}
}

func TestImage(t *testing.T) {
	want := deviceupdate.Image{Model: "CX600", Version: "4.0.7577.4463", Unknown: []string{"note=lab"}}
	for _, text := range []string{image, strings.ReplaceAll(image, "\n", "\r\n"), "\n" + image} {
		if got, err := deviceupdate.ParseImage([]byte(text)); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if text, err := want.Append(nil); err != nil || string(text) != image {
		t.Errorf("%q, %v", text, err)
	}
	for name, text := range map[string]string{
		"nothing":         "",
		"no version":      "model=CX600\n",
		"no model":        "version=1\n",
		"no equals sign":  image + "hello\n",
		"carriage return": "model=CX\r600\nversion=1\n",
	} {
		if _, err := deviceupdate.ParseImage([]byte(text)); !errors.Is(err, deviceupdate.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	full := image + "n=" + strings.Repeat("x", deviceupdate.MaxImageSize-len(image)-3) + "\n"
	if _, err := deviceupdate.ParseImage([]byte(full)); err != nil {
		t.Errorf("%d bytes: %v", len(full), err)
	}
	if _, err := deviceupdate.ParseImage([]byte(full + "\n")); !errors.Is(err, deviceupdate.ErrTooLarge) {
		t.Errorf("one byte over: %v", err)
	}
	for _, bad := range []deviceupdate.Image{{}, {Model: "a"}, {Model: "a\nb", Version: "1"}, {Model: "a", Version: "1", Unknown: []string{"x"}}} {
		if _, err := bad.Append(nil); !errors.Is(err, deviceupdate.ErrMalformed) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// FuzzImage: what is read is written so that it is read as the same.
func FuzzImage(f *testing.F) {
	f.Add(image)
	f.Add("model=a\nmodel=b\nversion==\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := deviceupdate.ParseImage([]byte(text))
		if err != nil {
			return
		}
		written, err := first.Append(nil)
		if err != nil {
			t.Fatalf("%q was read and is not written: %v", text, err)
		}
		if second, err := deviceupdate.ParseImage(written); err != nil || !cmp.Equal(first, second) {
			t.Fatalf("%q becomes %q: %v", text, written, err)
		}
	})
}

// FuzzDocuments: the known fields of what is read are written so that they are read as the same.
func FuzzDocuments(f *testing.F) {
	for _, document := range []string{query, offer, nothing} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if first, err := deviceupdate.ParseRequest(b); err == nil {
			first.Unknown = nil
			if text, err := first.Append(nil); err == nil {
				if second, err := deviceupdate.ParseRequest(text); err != nil || !cmp.Equal(first, second, unnamed) {
					t.Fatalf("%q becomes %q: %v", b, text, err)
				}
			}
		}
		if first, err := deviceupdate.ParseResponse(b); err == nil {
			first.Unknown = nil
			for i := range first.Updates {
				first.Updates[i].Unknown = nil
			}
			if text, err := first.Append(nil); err == nil {
				if second, err := deviceupdate.ParseResponse(text); err != nil || !cmp.Equal(first, second, unnamed) {
					t.Fatalf("%q becomes %q: %v", b, text, err)
				}
			}
		}
	})
}
