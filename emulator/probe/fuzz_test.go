package probe_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/probe"
	"github.com/phone-edition/lpe/emulator/report"
)

// FuzzImitate lets a pool say anything: the saved file is a lab of one user that says nothing beside what a lab has,
// and the text shows no control characters.
func FuzzImitate(f *testing.F) {
	f.Add(pool, "fe.litwareinc.com", "RTC/5.0", "TLS-DSK", "4", "https://"+pool+":443/CertProv", "sip.litwareinc.com", "SHA256-RSA", "TLS_RSA_WITH_RC4_128_SHA", 2048)
	f.Add("pool.local", "a b", "x\nusers: []", "NTLM", "3", "http://\x00", "*.x.example.com", "SHA1-RSA", "TLS_X", 512)
	f.Add("a", "\"", "\\", "TLS-DSK", "", "%", "ucupdates-r2.a.b", "", "", -1)
	f.Fuzz(func(t *testing.T, registrar, target, server, scheme, version, uri, name, signature, suite string, bits int) {
		clip := report.Clip
		certificate := report.InspectedCertificate{Subject: clip(name), Names: []string{clip(name)}, Key: clip(signature), Signature: clip(signature), Bits: bits}
		port := report.InspectedPort{
			Host: clip(registrar), Port: 443, Suites: []string{clip(suite)}, Certificates: []report.InspectedCertificate{certificate},
			Versions: []report.InspectedHandshake{{Version: "1.0", OK: true}},
		}
		seen := report.Inspection{
			Ports:    []report.InspectedPort{port, port},
			Services: []report.InspectedService{{Name: "WebTicket", URL: clip(uri), Ports: []report.InspectedWebPort{{Name: clip(name), Location: clip(uri)}}}},
			Challenge: &report.InspectedChallenge{Server: clip(server), Schemes: []report.InspectedScheme{{
				Name: clip(scheme), Realm: clip(server), TargetName: clip(target), Version: clip(version), STSURI: clip(uri),
			}}},
			Findings: []report.Finding{report.NewFinding("register."+clip(name), true, clip(registrar), server)},
		}
		seen.Ports[0].Service, seen.Ports[1].Service = report.InspectedSIP, report.InspectedWeb
		var text strings.Builder
		if err := report.WriteInspection(&text, seen); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(text.String(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' }); i >= 0 {
			t.Errorf("control character at %d of %q", i, text.String())
		}
		saved, err := probe.Imitate(seen)
		if err != nil {
			if configs.IsFQDN(registrar) && strings.Count(registrar, ".") > 1 || errors.Is(err, probe.ErrNothingSeen) {
				t.Fatalf("%v", err)
			}
			return
		}
		lab, err := configs.ParseLab("saved", saved)
		if err != nil || len(lab.Users) != 1 || lab.Pool != registrar || lab.Users[0].Name != "first" {
			t.Fatalf("%v\n%s", err, saved)
		}
	})
}
