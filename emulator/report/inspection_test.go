package report_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/report"
)

func TestClip(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"RTC/5.0":                "RTC/5.0",
		"a\r\nb\tc":              "a  b c",
		"\x1b[31mred\x00":        "\ufffd[31mred\ufffd",
		"\u202eevil":             "\ufffdevil",
		strings.Repeat("ä", 301): strings.Repeat("ä", 300) + "…",
	} {
		if got := report.Clip(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// TestNewFinding: obstacles have the remedy of the boot's code, warnings words of their own, and none is without.
func TestNewFinding(t *testing.T) {
	f := report.NewFinding("register.wildcard-certificate", true, "pool:5061", "only *.x")
	d, _ := report.Lookup("register.wildcard-certificate")
	if !f.Stops || !strings.HasPrefix(f.Do, d.Remedy) || !strings.Contains(f.Do, "lpe explain register.wildcard-certificate") || !strings.Contains(f.Means, "does not sign in") {
		t.Errorf("%+v", f)
	}
	if f := report.NewFinding("ticket.wildcard-certificate", false, "web:443", "only *.x"); !strings.Contains(f.Means, "signs in all the same") {
		t.Errorf("%+v", f)
	}
	codes := report.FindingCodes()
	slices.Sort(codes)
	for _, code := range codes {
		f := report.NewFinding(code, false, "here", "this\nand that")
		if !strings.HasPrefix(code, "inspect.") || f.Means == "" || f.Do == "" || f.Seen != "this and that" {
			t.Errorf("%+v", f)
		}
	}
}

// TestWriteInspection of a pool of which nothing answers.
func TestWriteInspection(t *testing.T) {
	i := report.Inspection{
		Profile: "p", TLS: "1.0", CertURL: "https://pool/x", CertURLSource: "default-path",
		Ports: []report.InspectedPort{
			{Service: report.InspectedSIP, Host: "pool", Port: 5061, Addresses: []report.InspectedAddress{{Address: "192.0.2.1", Seen: "refused"}, {Address: "192.0.2.2", Answers: true}}},
			{Service: report.InspectedWeb, Host: "pool", Port: 443, Unresolved: "the name does not exist"},
		},
		RootChain: report.InspectedChain{Seen: "no answer"},
		Findings:  []report.Finding{report.NewFinding(report.FindingAddress, false, "pool:5061", "192.0.2.1: refused")},
	}
	var b strings.Builder
	if err := report.WriteInspection(&b, i); err != nil {
		t.Fatal(err)
	}
	const want = `profile        p, TLS 1.0
sip-tls        pool:5061
  address      192.0.2.1: refused
  address      192.0.2.2
  challenge    none
https          pool:443
  name         the name does not exist
cert-url       https://pool/x (default-path)
root chain     no answer

warning        inspect.address, pool:5061
  seen         192.0.2.1: refused
`
	if got := b.String(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\n\nverdict        a handset would not sign in; obstacles: 0, warnings: 1\n") {
		t.Errorf("%s", got)
	}
}
