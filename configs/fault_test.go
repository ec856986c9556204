package configs

import (
	"slices"
	"strings"
	"testing"
)

func TestFaults(t *testing.T) {
	list, err := Faults()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 40 {
		t.Errorf("%d faults, want 40 at least", len(list))
	}
	for _, fault := range list {
		if !strings.HasSuffix(fault.Description, ".") || strings.Contains(fault.Description, ". ") {
			t.Errorf("%s: %q is not one sentence", fault.Name, fault.Description)
		}
	}
}

// TestFaultCodes: the code is the fault's own stage and kind, but for those listed here.
func TestFaultCodes(t *testing.T) {
	const boots = ""
	others := map[string]string{
		"link=silent": boots, "vlan=silent": boots, "vlan=invalid": boots, "address=silent": "address.no-offer", "address=duplicate": boots,
		"dns=silent": "discovery.registrar-unresolved", "dns=servfail": "discovery.registrar-unresolved", "dns=nxdomain": "discovery.registrar-unresolved",
		"dns=no-srv": boots, "dns=no-web-name": "chain.unresolved", "time=silent": "ticket.clock-not-set", "time=wrong": "ticket.certificate-not-yet-valid",
		"discovery=silent": "discovery.no-certprov-url", "discovery=responder-off": "discovery.no-certprov-url",
		"discovery=class-case": "discovery.no-certprov-url", "discovery=option43-missing": "discovery.no-certprov-url",
		"discovery=option43-wrong-host": "chain.unresolved", "discovery=option120-text": boots, "discovery=option120-no-type": boots,
		"discovery=option120-address": boots, "discovery=option120-missing": boots, "discovery=two-pools": boots, "discovery=compressed": boots,
		"discovery=reversed": boots, "chain=slow": boots, "ticket=slow": boots, "enroll=slow": boots, "web=slow": boots,
		"ticket=pin-port-absent": "ticket.pin-not-offered", "ticket=wrong-password": "ticket.password-refused", "ticket=refused": "ticket.connection-refused",
		"ticket=wrong-pin": "ticket.refused", "ticket=unknown-number": "ticket.refused", "ticket=pin-locked": "ticket.refused",
		"ticket=pin-unset": "ticket.refused", "ticket=pin-expired": "ticket.refused", "ticket=user-disabled": "ticket.refused",
		"ticket=not-unique": "ticket.refused", "enroll=ticket-expired": "enroll.ticket-refused", "web=wildcard-certificate": boots,
		"web=refused": "chain.refused", "web=reset": "chain.reset", "web=timeout": "chain.timeout", "web=http-500": "chain.http-500",
		"web=http-404": "chain.http-404", "web=garbage": "chain.garbage", "web=certificate-expired": "ticket.certificate-expired",
		"web=certificate-not-yet-valid": "ticket.certificate-not-yet-valid", "web=certificate-wrong-name": "ticket.certificate-wrong-name",
		"web=untrusted-chain": "ticket.untrusted-chain", "register=redirect": boots, "provision=403": boots, "provision=405": boots,
		"provision=timeout": boots, "provision=garbage": boots, "update=refused": boots, "update=http-500": boots, "update=garbage": boots,
		"dns=srv-other-domain": boots, "discovery=wrong-registrar": "discovery.registrar-unresolved", "discovery=decommissioned-pool": "register.timeout",
		"web=tls-version": "ticket.tls-version", "register=no-tls-dsk": "register.security-association", "update=image": boots, "update=unknown-image": boots,
		"ready=association-lost": boots, "ready=registration-lost": boots, "ready=certificate-revoked": "register.certificate-refused",
		"ready=connection-lost": boots, "register=pool-down": "register.refused",
	}
	list, err := Faults()
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range list {
		want, ok := others[fault.Name]
		if !ok {
			want = strings.Replace(fault.Name, "=", ".", 1)
		}
		delete(others, fault.Name)
		if fault.Code != want {
			t.Errorf("%s: code %q, want %q", fault.Name, fault.Code, want)
		}
		if strings.HasSuffix(fault.Name, "=slow") != (fault.Parameter == "duration") {
			t.Errorf("%s: parameter %q", fault.Name, fault.Parameter)
		}
	}
	if len(others) > 0 {
		t.Errorf("not in faults.yaml: %v", others)
	}
}

func TestFaultsGivesACopy(t *testing.T) {
	a, _ := Faults()
	for i := range a {
		a[i].Name = "changed"
		clear(a[i].Codes)
	}
	b, _ := Faults()
	if b[0].Name == "changed" {
		t.Error("a caller changes the list of all")
	}
	if !slices.ContainsFunc(b, func(f Fault) bool { return len(f.Codes) > 0 }) {
		t.Error("a caller changes the codes of all")
	}
}

// TestFaultCodesByLab: a lab differs only where its network makes another failure of the fault.
func TestFaultCodesByLab(t *testing.T) {
	want := map[string]string{
		"vlan=silent":  "discovery.registrar-unresolved", // the servers, DNS too, are in the voice VLAN alone
		"vlan=invalid": "discovery.registrar-unresolved",
		"dns=no-srv":   "ticket.clock-not-set", // the time server is found by SRV
	}
	list, err := Faults()
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range list {
		code := fault.Code
		if other, ok := want[fault.Name]; ok {
			code = other
		}
		if got := fault.CodeIn("contoso"); got != code {
			t.Errorf("%s: code %q in contoso, want %q", fault.Name, got, code)
		}
		for _, lab := range []string{"litware", "mine"} {
			if got := fault.CodeIn(lab); got != fault.Code {
				t.Errorf("%s: code %q in %s, want %q", fault.Name, got, lab, fault.Code)
			}
		}
	}
}

func TestParseFaultsProblems(t *testing.T) {
	const good = "- {name: dns=silent, description: D., source: x}\n"
	for _, test := range []struct{ yaml, want string }{
		{"a: b\n", "test:1: expected a list of faults, found a mapping"},
		{good + good, `test:2: fault 2.name: "dns=silent" stands twice in the list`},
		{"- {name: dns, description: D., source: x}", "expected stage=kind"},
		{"- {name: moon=silent, description: D., source: x}", "expected stage=kind"},
		{"- {name: dns=Silent, description: D., source: x}", "expected stage=kind"},
		{"- {description: D., source: x}", "fault 1.name: missing"},
		{"- {name: dns=silent, source: x}", "fault 1.description: missing"},
		{"- {name: dns=silent, description: D.}", "fault 1.source: missing"},
		{"- {name: dns=silent, description: D., source: x, code: dns-silent}", "fault 1.code: expected a code stage.kind"},
		{"- {name: dns=silent, description: D., source: x, warning: dns.silent}", "fault 1.warning: expected a code stage.kind"},
		{"- {name: dns=silent, description: D., source: x, code: link.a, warning: link.b}", "not both"},
		{"- {name: dns=silent, description: D., source: x, codes: {fabrikam: link.a}}", "fault 1.codes.fabrikam: no lab of that name, there are contoso, litware"},
		{"- {name: dns=silent, description: D., source: x, codes: {contoso: b}}", "fault 1.codes.contoso: expected a code stage.kind"},
		{"- {name: dns=silent, description: D., source: x, code: link.a, codes: {contoso: link.a}}", "fault 1.codes.contoso: is the code of every lab"},
		{"- {name: dns=silent, description: D., source: x, codes: {}}", "fault 1.codes: expected a code for each lab that differs"},
		{"- {name: dns=silent, description: D., source: x, codes: link.a}", "fault 1.codes: expected a mapping of keys and values, found a text"},
		{"- {name: dns=silent, description: D., source: x, parameter: colour}", "fault 1.parameter: expected one of duration, times"},
		{"- {name: dns=silent, description: D., source: x, sign_in: badge}", "fault 1.sign_in: expected one of pin, password"},
		{"- {name: dns=silent, description: D., source: x, cod: link.a}", "fault 1.cod: unknown key"},
		{"- dns=silent", "fault 1: expected a mapping of keys and values, found a text"},
	} {
		_, err := parseFaults("test", []byte(test.yaml))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\n%v\nwant %s", test.yaml, err, test.want)
		}
	}
}
