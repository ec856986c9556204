package tlsdsk_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// The documented orders of sip.md §1.3, each built and read back.
func TestParameterOrders(t *testing.T) {
	p := tlsdsk.Params{QOP: "auth", Realm: tlsdsk.Realm, TargetName: "fe01.lab.test", Version: "4"}
	with := func(change func(*tlsdsk.Params)) tlsdsk.Params {
		q := p
		change(&q)
		return q
	}
	for _, c := range []struct {
		name  string
		build func(tlsdsk.Params) string
		in    tlsdsk.Params
		want  string
	}{
		{
			"first challenge", tlsdsk.FirstChallenge,
			with(func(q *tlsdsk.Params) {
				q.QOP, q.STSURI = "", "https://pool.lab.test:443/CertProv/CertProvisioningService.svc"
			}),
			`TLS-DSK realm="SIP Communications Service", targetname="fe01.lab.test", version=4, sts-uri="https://pool.lab.test:443/CertProv/CertProvisioningService.svc"`,
		},
		{
			"second and third challenge", tlsdsk.Challenge,
			with(func(q *tlsdsk.Params) { q.QOP, q.Opaque, q.GSSAPIData = "", "4749F770", "FAMBAAEB" }),
			`TLS-DSK opaque="4749F770", gssapi-data="FAMBAAEB", targetname="fe01.lab.test", realm="SIP Communications Service", version=4`,
		},
		{
			"REGISTER #2", tlsdsk.AuthorizationHandshake,
			with(func(q *tlsdsk.Params) { q.GSSAPIData = "FgMBADU=" }),
			`TLS-DSK qop="auth", realm="SIP Communications Service", targetname="fe01.lab.test", gssapi-data="FgMBADU=", version=4`,
		},
		{
			"REGISTER #3", tlsdsk.AuthorizationHandshake,
			with(func(q *tlsdsk.Params) { q.Opaque, q.GSSAPIData = "4749F770", "FgMBBQ4L" }),
			`TLS-DSK qop="auth", opaque="4749F770", realm="SIP Communications Service", targetname="fe01.lab.test", gssapi-data="FgMBBQ4L", version=4`,
		},
		{
			"REGISTER #4", tlsdsk.AuthorizationSigned,
			with(func(q *tlsdsk.Params) {
				q.Opaque, q.CRand, q.CNum, q.Response = "4749F770", "27597cf5", "1", "11c0e4b4"
			}),
			`TLS-DSK qop="auth", opaque="4749F770", realm="SIP Communications Service", targetname="fe01.lab.test", version=4, crand="27597cf5", cnum="1", response="11c0e4b4"`,
		},
		{
			"later request", tlsdsk.AuthorizationSigned,
			with(func(q *tlsdsk.Params) {
				q.Version, q.Opaque, q.CRand, q.CNum, q.Response = "", "4749F770", "4ce70913", "2", "5a2a1e16"
			}),
			`TLS-DSK qop="auth", opaque="4749F770", realm="SIP Communications Service", targetname="fe01.lab.test", crand="4ce70913", cnum="2", response="5a2a1e16"`,
		},
		{
			"server signature", tlsdsk.AuthenticationInfo,
			with(func(q *tlsdsk.Params) {
				q.Opaque, q.SRand, q.SNum, q.RSPAuth = "F755045D", "1D9666D9", "17", "465a81ec"
			}),
			`TLS-DSK qop="auth", opaque="F755045D", srand="1D9666D9", snum="17", rspauth="465a81ec", targetname="fe01.lab.test", realm="SIP Communications Service", version=4`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.build(c.in)
			if got != c.want {
				t.Errorf("built %s\nwant  %s", got, c.want)
			}
			scheme, p, err := tlsdsk.ParseParams(got)
			if err != nil || scheme != tlsdsk.Scheme {
				t.Fatalf("scheme %q, %v", scheme, err)
			}
			if diff := cmp.Diff(c.in, p); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Other producers (sip.md §1.3): another order, another scheme, parameters that are not known.
func TestParseParamsOfOthers(t *testing.T) {
	for _, c := range []struct {
		value, scheme string
		want          tlsdsk.Params
	}{
		{
			`TLS-DSK qop="auth", realm="SIP Communications Service", opaque="1", crand="a", cnum="2", targetname="fe", response="ff"`, "TLS-DSK",
			tlsdsk.Params{QOP: "auth", Realm: tlsdsk.Realm, Opaque: "1", CRand: "a", CNum: "2", TargetName: "fe", Response: "ff"},
		},
		{
			`NTLM realm="SIP Communications Service", targetname="fe01.lab.test", version=4`, "NTLM",
			tlsdsk.Params{Realm: tlsdsk.Realm, TargetName: "fe01.lab.test", Version: "4"},
		},
		{
			`Kerberos rspauth="01",srand="a",snum="3" , opaque="b", qop="auth", targetname="sip/fe", realm="r"`, "Kerberos",
			tlsdsk.Params{RSPAuth: "01", SRand: "a", SNum: "3", Opaque: "b", QOP: "auth", TargetName: "sip/fe", Realm: "r"},
		},
		{`TLS-DSK one="1, 2", version=4, Two=x`, "TLS-DSK", tlsdsk.Params{Version: "4", Unknown: []tlsdsk.Param{{Name: "one", Value: "1, 2"}, {Name: "Two", Value: "x"}}}},
		{`TLS-DSK`, "TLS-DSK", tlsdsk.Params{}},
	} {
		scheme, got, err := tlsdsk.ParseParams(c.value)
		if err != nil || scheme != c.scheme {
			t.Errorf("%s: scheme %q, %v", c.value, scheme, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.value, diff)
		}
	}
}

func TestParseParamsRefuses(t *testing.T) {
	for _, value := range []string{
		"", "   ", `TLS-DSK realm`, `TLS-DSK ="x"`, `TLS-DSK realm="x`, `TLS-DSK realm="x" opaque="y"`,
		`TLS-DSK realm="x", realm="y"`, `TLS-DSK realm="x", , opaque="y"`, `TLS-DSK re"alm="x"`,
	} {
		if _, p, err := tlsdsk.ParseParams(value); !errors.Is(err, tlsdsk.ErrParams) {
			t.Errorf("%q: %+v, %v", value, p, err)
		}
	}
}

// Real strings of production servers (sip.md §3.2): what Input builds. That a message gives these fields is tested
// where messages are read.
func TestInput(t *testing.T) {
	f := tlsdsk.Fields{
		Protocol: "TLS-DSK", Rand: "9C3AA71A", Num: "21", Realm: tlsdsk.Realm, TargetName: "EGRB-VMLFE-P01.mycompany.net",
		CallID: "BC1AgA867aBCC4i8F38m76EBt09F7b4558x0CF9x", CSeqNum: "4", CSeqMethod: "NOTIFY",
		FromURI: "sip:my.username@mycompany.com", FromTag: "49700080", ToURI: "sip:my.username@mycompany.com", ToTag: "1247625390",
	}
	const want = "<TLS-DSK><9C3AA71A><21><SIP Communications Service><EGRB-VMLFE-P01.mycompany.net><BC1AgA867aBCC4i8F38m76EBt09F7b4558x0CF9x><4><NOTIFY><sip:my.username@mycompany.com><49700080><sip:my.username@mycompany.com><1247625390><><><>"
	for _, version := range []int{3, 4} {
		if got := tlsdsk.Input(version, f); got != want {
			t.Errorf("version %d: %s\nwant %s", version, got, want)
		}
	}
	f.Status, f.Expires, f.PAISip, f.PAITel = "200", "600", "sip:a@b", "tel:+1"
	if got := tlsdsk.Input(4, f); got != strings.TrimSuffix(want, "<><><>")+"<sip:a@b><tel:+1><600><200>" {
		t.Errorf("response: %s", got)
	}
	// Version 2 has neither the To URI nor asserted identities ([MS-SIP] 3.1.4.2).
	if got := tlsdsk.Input(2, f); got != strings.Replace(strings.TrimSuffix(want, "<><><>"), "<sip:my.username@mycompany.com><1247625390>", "<1247625390><600><200>", 1) {
		t.Errorf("version 2: %s", got)
	}
}

func FuzzParseParams(f *testing.F) {
	for _, seed := range []string{
		`TLS-DSK qop="auth", opaque="4749F770", realm="SIP Communications Service", targetname="fe01.lab.test", version=4, crand="27597cf5", cnum="1", response="11c0"`,
		`TLS-DSK opaque="4749F770", gssapi-data="FAMBAAEB", targetname="fe01.lab.test", realm="SIP Communications Service", version=4`,
		`Kerberos realm="r",x=y`, `TLS-DSK a=`, "NTLM", `TLS-DSK x="`, "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		scheme, p, err := tlsdsk.ParseParams(value)
		if err != nil {
			return
		}
		again := scheme
		sep := " "
		add := func(name, text string) {
			if text != "" && !strings.Contains(text, `"`) {
				again += sep + name + `="` + text + `"`
				sep = ", "
			}
		}
		add("qop", p.QOP)
		add("opaque", p.Opaque)
		add("realm", p.Realm)
		add("targetname", p.TargetName)
		add("gssapi-data", p.GSSAPIData)
		add("crand", p.CRand)
		add("cnum", p.CNum)
		add("response", p.Response)
		_, q, err := tlsdsk.ParseParams(again)
		if err != nil {
			t.Fatalf("%q was read, %q is not: %v", value, again, err)
		}
		for _, pair := range [][2]string{
			{p.QOP, q.QOP},
			{p.Opaque, q.Opaque},
			{p.Realm, q.Realm},
			{p.TargetName, q.TargetName},
			{p.GSSAPIData, q.GSSAPIData},
			{p.CRand, q.CRand},
			{p.CNum, q.CNum},
			{p.Response, q.Response},
		} {
			if pair[0] != pair[1] && !strings.Contains(pair[0], `"`) {
				t.Fatalf("%q: %q became %q", value, pair[0], pair[1])
			}
		}
	})
}
