package configs

import (
	"reflect"
	"strings"
	"testing"
)

// TestFormat: a lab that is written is read as the same lab.
func TestFormat(t *testing.T) {
	changed, err := ParseLab("small", []byte(smallLab))
	if err != nil {
		t.Fatal(err)
	}
	changed.TLSSuites = []string{"TLS_RSA_WITH_3DES_EDE_CBC_SHA"}
	changed.SIPTLS = &TLS{Min: "1.1", Max: "1.3", Suites: DefaultSuites()}
	changed.Certificates = CertificateNames{Web: []string{"*.example.com"}, Registrar: []string{"a.example.com", "b.example.com"}}
	changed.WebServices.Metadata, changed.WebServices.WindowsAuth, changed.Registrar.Expires, changed.Updates.Version = "transfer", "off", 38, "4.0.7577.4512"
	changed.Users = append(changed.Users, User{
		Name: "true", SIPAddress: "sip:no@example.com", LineURI: "tel:+12065551220", PIN: "0712593", Login: `EXAMPLE\x`, Password: "a: \"b\" # \u00e4\t\\",
	})
	labs := []*Lab{changed}
	for _, name := range Labs() {
		lab, err := LoadLab(name)
		if err != nil {
			t.Fatal(err)
		}
		labs = append(labs, lab)
	}
	for _, lab := range labs {
		text := lab.Format("of a test", "two\nlines: {")
		got, err := ParseLab(lab.Name+"x", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		got.Name = lab.Name
		if !reflect.DeepEqual(got, lab) {
			t.Errorf("read again %+v\nwritten %+v\n%s", got, lab, text)
		}
		if !strings.HasPrefix(string(text), "# of a test\n# two lines: {\n") {
			t.Errorf("begins with %.60q", text)
		}
	}
}

func TestTLSConfig(t *testing.T) {
	for text, r := range map[string]TLS{
		`lowest TLS version "0.9"`:  {Min: "0.9", Max: "1.2"},
		`highest TLS version "1.0"`: {Min: "1.1", Max: "1.0"},
		`TLS suite "TLS_RSA"`:       {Min: "1.0", Max: "1.2", Suites: []string{"TLS_RSA"}},
	} {
		if _, err := r.Config(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v", r, err)
		}
	}
	config, err := TLS{Min: "1.0", Max: "1.3"}.Config()
	if err != nil || len(config.CipherSuites) != len(DefaultSuites()) {
		t.Errorf("%v, %v", config, err)
	}
}
