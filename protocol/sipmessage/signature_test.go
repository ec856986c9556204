package sipmessage_test

import (
	"crypto"
	"encoding/hex"
	"testing"

	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// input builds the signature input of a whole message, as both sides do.
func input(t *testing.T, b []byte, header string) (string, tlsdsk.Params) {
	t.Helper()
	m := parse(t, b)
	scheme, p, err := tlsdsk.ParseParams(m.Get(header))
	if err != nil {
		t.Fatal(err)
	}
	f := sipmessage.Fields(m)
	random, num := p.CRand+p.SRand, p.CNum+p.SNum
	return tlsdsk.Input(4, tlsdsk.Fields{
		Protocol: scheme, Rand: random, Num: num, Realm: p.Realm, TargetName: p.TargetName,
		CallID: f.CallID, CSeqNum: f.CSeqNum, CSeqMethod: f.CSeqMethod, FromURI: f.FromURI, FromTag: f.FromTag,
		ToURI: f.ToURI, ToTag: f.ToTag, PAISip: f.PAISip, PAITel: f.PAITel, Expires: f.Expires, Status: f.Status,
	}), p
}

const realm = `realm="SIP Communications Service"`

// V4 of sip.md §2.2: whole messages give the inputs, and the inputs the signatures.
func TestSignatureOfMessages(t *testing.T) {
	const (
		clientKey = "17416e20fe815ef824d663c461a201fea9e726ef80b2f00d171584a8ea9733fc"
		serverKey = "435e51b7b67bd63731931b71a90c5878b2c8a9d696a13f5e5163a6034ec3cc6e"
	)
	for _, c := range []struct {
		name, header, key string
		message           []byte
		want              string
	}{
		{
			"REGISTER #4", "Authorization", clientKey,
			text("REGISTER sip:lab.test SIP/2.0", "Via: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bK1", `From: <sip:user1@lab.test>;tag=362876163;epid=da47f63be0a6`,
				"To: <sip:user1@lab.test>", "Max-Forwards: 70", "CSeq: 6 REGISTER", `Contact: <sip:127.0.0.1:1>;expires=9`, "Call-ID: 8F59g8CBFaF1EFiD856m438Ft8D0Fb579Cx321Ex",
				`Authorization: TLS-DSK qop="auth", opaque="4749F770", `+realm+`, targetname="fe01.lab.test", version=4, crand="27597cf5", cnum="1", response="11C0E4B4F6C8F29C4135BFD9FF6C95E2D32986B1"`,
				"Content-Length: 0", "", ""),
			"<TLS-DSK><27597cf5><1><SIP Communications Service><fe01.lab.test><8F59g8CBFaF1EFiD856m438Ft8D0Fb579Cx321Ex><6><REGISTER><sip:user1@lab.test><362876163><sip:user1@lab.test><><><><>",
		},
		{
			"200 OK", "Authentication-Info", serverKey,
			text("SIP/2.0 200 OK", `Authentication-Info: TLS-DSK qop="auth", opaque="4749F770", srand="47DF0E0F", snum="1", rspauth="d704d20e2444971aee47e30e4ebe505401d408c3", targetname="fe01.lab.test", `+realm+`, version=4`,
				"From: <sip:user1@lab.test>;tag=362876163;epid=da47f63be0a6", "To: <sip:user1@lab.test>;tag=CFB8FCFD4BA71312D71FC19CEFD21E29",
				"Call-ID: 8F59g8CBFaF1EFiD856m438Ft8D0Fb579Cx321Ex", "CSeq: 6 REGISTER", "Contact: <sip:127.0.0.1:1>;expires=7", "Expires: 600", "Content-Length: 0", "", ""),
			"<TLS-DSK><47DF0E0F><1><SIP Communications Service><fe01.lab.test><8F59g8CBFaF1EFiD856m438Ft8D0Fb579Cx321Ex><6><REGISTER><sip:user1@lab.test><362876163><sip:user1@lab.test><CFB8FCFD4BA71312D71FC19CEFD21E29><><><600><200>",
		},
		{
			"SUBSCRIBE with Expires: 0", "Authorization", clientKey,
			text("SUBSCRIBE sip:user1@lab.test SIP/2.0", "From: <sip:user1@lab.test>;tag=2216460141;epid=da47f63be0a6", "To: <sip:user1@lab.test>",
				"CSeq: 1 SUBSCRIBE", "Call-ID: AA17g8F0Aa1017i3FFAm9C0BtA758b0459xB131x", "Expires: 0",
				`Authorization: TLS-DSK qop="auth", opaque="4749F770", `+realm+`, targetname="fe01.lab.test", crand="4ce70913", cnum="3", response="5a2a1e16abcfa8932f8be57c2b64731de97aa991"`,
				"Content-Length: 0", "", ""),
			"<TLS-DSK><4ce70913><3><SIP Communications Service><fe01.lab.test><AA17g8F0Aa1017i3FFAm9C0BtA758b0459xB131x><1><SUBSCRIBE><sip:user1@lab.test><2216460141><sip:user1@lab.test><><><><0>",
		},
		{
			"404 to INVITE", "Authentication-Info", serverKey,
			text("SIP/2.0 404 Not Found", `Authentication-Info: TLS-DSK qop="auth", opaque="4749F770", srand="30F26539", snum="6", rspauth="d0d88a290c192ce1613c02c38e0b7584b8d3d83d", targetname="fe01.lab.test", `+realm+`, version=4`,
				"From: <sip:user1@lab.test>;tag=2511855512", "To: <sip:ocschat@lab.test>;tag=48D72DBCD4A5F64891F0BC68AE211529",
				"Call-ID: 4BCEgF967aEDD6i3AEAm07AAt82E9bA8D1x63B5x", "CSeq: 1 INVITE", "Content-Length: 0", "", ""),
			"<TLS-DSK><30F26539><6><SIP Communications Service><fe01.lab.test><4BCEgF967aEDD6i3AEAm07AAt82E9bA8D1x63B5x><1><INVITE><sip:user1@lab.test><2511855512><sip:ocschat@lab.test><48D72DBCD4A5F64891F0BC68AE211529><><><><404>",
		},
		{
			"INVITE with P-Asserted-Identity", "Authorization", clientKey,
			text("INVITE sip:user2@lab.test SIP/2.0", "f: sip:user1@lab.test;tag=t1", "t: <sip:user2@lab.test>;tag=t2", "CSeq:  1   INVITE", "i: call-1",
				`P-Preferred-Identity: <sip:wrong@lab.test>`, `P-Asserted-Identity: "Name, one"<sip:user1@lab.test>,<tel:+4930123>`, `P-Asserted-Identity: <sip:second@lab.test>`,
				`Authorization: TLS-DSK qop="auth", opaque="4749F770", `+realm+`, targetname="fe01.lab.test", crand="a1b2c3d4", cnum="7", response="0b805be9fa0c8cda356a7e7f8c0df890be8a3050"`,
				"Content-Length: 0", "", ""),
			"<TLS-DSK><a1b2c3d4><7><SIP Communications Service><fe01.lab.test><call-1><1><INVITE><sip:user1@lab.test><t1><sip:user2@lab.test><t2><sip:user1@lab.test><tel:+4930123><>",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, p := input(t, c.message, c.header)
			if got != c.want {
				t.Errorf("input %s\nwant  %s", got, c.want)
			}
			key, err := hex.DecodeString(c.key)
			if err != nil {
				t.Fatal(err)
			}
			if !tlsdsk.Verify(key, crypto.SHA1, got, p.Response+p.RSPAuth) {
				t.Errorf("the signature %s is refused", p.Response+p.RSPAuth)
			}
		})
	}
}

// Real strings from production servers (sip.md §3.2); their keys are not known.
func TestInputOfRealMessages(t *testing.T) {
	for _, c := range []struct {
		name    string
		message []byte
		want    string
	}{
		{
			"NOTIFY, TLS-DSK",
			text("NOTIFY sip:192.0.2.1:1 SIP/2.0", "Via: SIP/2.0/TLS 192.0.2.2:5061;branch=z9hG4bK",
				`Authentication-Info: TLS-DSK qop="auth", opaque="F755045D", srand="9C3AA71A", snum="21", rspauth="465a81ec8616ead6255296e6e12108ff9f53b92e", targetname="EGRB-VMLFE-P01.mycompany.net", `+realm+`, version=4`,
				`From: "Someone" <sip:my.username@mycompany.com>;tag=49700080;epid=1`, "To: <sip:my.username@mycompany.com>;tag=1247625390;epid=2",
				"Call-ID: BC1AgA867aBCC4i8F38m76EBt09F7b4558x0CF9x", "CSeq: 4 NOTIFY", "Content-Length: 0", "", ""),
			"<TLS-DSK><9C3AA71A><21><SIP Communications Service><EGRB-VMLFE-P01.mycompany.net><BC1AgA867aBCC4i8F38m76EBt09F7b4558x0CF9x><4><NOTIFY><sip:my.username@mycompany.com><49700080><sip:my.username@mycompany.com><1247625390><><><>",
		},
		{
			"101 without a To tag",
			text("SIP/2.0 101 Progress Report",
				`Authentication-Info: TLS-DSK qop="auth", opaque="1", srand="AFE030D0", snum="24", rspauth="2c8856303fa5ed2a1f00215690c21492378ffa48", targetname="sv-sfbfe-prd1.infinera.com", `+realm+`, version=4`,
				"From: <sip:Joakim.Tjernlund@infinera.com>;tag=5257856552", "To: <sip:testuser2.metro@infinera.com>",
				"Call-ID: 47DFg8602a7978i3DD9mFAD4tA6A8bE6BDx960Ax", "CSeq: 1 INVITE", "Content-Length: 0", "", ""),
			"<TLS-DSK><AFE030D0><24><SIP Communications Service><sv-sfbfe-prd1.infinera.com><47DFg8602a7978i3DD9mFAD4tA6A8bE6BDx960Ax><1><INVITE><sip:Joakim.Tjernlund@infinera.com><5257856552><sip:testuser2.metro@infinera.com><><><><><101>",
		},
		{
			"180, NTLM, upper-case SIP: asserted",
			text("SIP/2.0 180 Ringing",
				`Authentication-Info: NTLM qop="auth", opaque="1", srand="1B6D47A1", snum="11", rspauth="00", targetname="LOC-COMPANYT-FE03.COMPANY.COM", `+realm+`, version=4`,
				"From: <sip:sender@company.com>;tag=2420628112", "To: <sip:recipient@company.com>;tag=7aee15546a",
				"Call-ID: 41CEg82ECa0AC8i3DD7mE673t9CF4b19DAxF780x", "CSeq: 1 INVITE", `P-Asserted-Identity: "Recipient" <SIP:recipient@company.com>`, "Content-Length: 0", "", ""),
			"<NTLM><1B6D47A1><11><SIP Communications Service><LOC-COMPANYT-FE03.COMPANY.COM><41CEg82ECa0AC8i3DD7mE673t9CF4b19DAxF780x><1><INVITE><sip:sender@company.com><2420628112><sip:recipient@company.com><7aee15546a><SIP:recipient@company.com><><><180>",
		},
	} {
		if got, _ := input(t, c.message, "Authentication-Info"); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

// Without P-Asserted-Identity the preferred one enters; what cannot be read leaves its field empty.
func TestFieldsOfPoorMessages(t *testing.T) {
	m := parse(t, text("INVITE sip:a SIP/2.0", "P-Preferred-Identity: <tel:+1>, <sip:a@b>", "From: <>", "CSeq: 1", "", ""))
	if got := sipmessage.Fields(m); got != (sipmessage.SignatureFields{PAISip: "sip:a@b", PAITel: "tel:+1"}) {
		t.Errorf("%+v", got)
	}
	m = parse(t, text("INVITE sip:a SIP/2.0", "P-Asserted-Identity: <broken", "P-Asserted-Identity: <mailto:x>", "", ""))
	if got := sipmessage.Fields(m); got != (sipmessage.SignatureFields{}) {
		t.Errorf("%+v", got)
	}
}
