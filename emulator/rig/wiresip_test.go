package rig_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// The forms of sip.md §8, a header a line. A line that begins with Authorization is one of §1.3.
const (
	sipHead = `Via: SIP/2.0/TLS {local}
Max-Forwards: 70
From: <sip:kenmyer@litwareinc.com>;tag={tag};epid={epid}
`
	sipTo = `To: <sip:kenmyer@litwareinc.com>
Call-ID: {call-id}
`
	userAgent = `User-Agent: CPE/4.0.7577.4463 OCPhone/4.0.7577.4463 (Microsoft Lync Phone Edition)
`
	// §8.1, the header set of UCCAPI: no branch in Via.
	registerForm = `REGISTER sip:litwareinc.com SIP/2.0
` + sipHead + sipTo + `CSeq: %d REGISTER
Contact: <sip:{local};transport=tls;ms-opaque={ms-opaque}>;methods="INVITE, MESSAGE, INFO, OPTIONS, BYE, CANCEL, NOTIFY, ACK, REFER, BENOTIFY";proxy=replace;+sip.instance="<urn:uuid:{instance}>"
` + userAgent + `Supported: gruu-10, adhoclist, msrtc-event-categories
Supported: ms-forking
Supported: ms-cluster-failover
Supported: ms-userservices-state-notification
ms-keep-alive: UAC;hop-hop=yes
Event: registration
ms-subnet: 10.20.0.0
%sContent-Length: 0
`
	// §8.9.
	subscribeForm = `SUBSCRIBE sip:kenmyer@litwareinc.com SIP/2.0
` + sipHead + sipTo + `CSeq: 1 SUBSCRIBE
Contact: <{gruu}>
` + userAgent + `Event: vnd-microsoft-%[1]s
Accept: application/vnd-microsoft-roaming-%[2]s+xml
Supported: com.microsoft.autoextend
Supported: ms-benotify
Proxy-Require: ms-benotify
Supported: ms-piggyback-first-notify
%[3]s`
	// §5.1, the first SUBSCRIBE in its dialog.
	resubscribeForm = `SUBSCRIBE sip:atl-cs-001.litwareinc.com:5061;transport=tls SIP/2.0
` + sipHead + `To: <sip:kenmyer@litwareinc.com>;tag={to-tag}
Call-ID: {call-id}
CSeq: 2 SUBSCRIBE
Contact: <{gruu}>
` + userAgent + `Event: vnd-microsoft-%[1]s
Accept: application/vnd-microsoft-roaming-%[2]s+xml
Supported: com.microsoft.autoextend
Supported: ms-benotify
Proxy-Require: ms-benotify
Supported: ms-piggyback-first-notify
%[3]s`
	// §5.4: to the Contact of the 200, with its To tag.
	unsubscribeForm = `SUBSCRIBE sip:atl-cs-001.litwareinc.com:5061;transport=tls SIP/2.0
` + sipHead + `To: <sip:kenmyer@litwareinc.com>;tag={to-tag}
Call-ID: {call-id}
CSeq: 3 SUBSCRIBE
Contact: <{gruu}>
` + userAgent + `Event: vnd-microsoft-roaming-%s
Expires: 0
` + signedForm + `Content-Length: 0
`
	publishForm = `SERVICE sip:kenmyer@litwareinc.com SIP/2.0
` + sipHead + sipTo + `CSeq: 1 SERVICE
Contact: <{gruu}>
` + userAgent + signedForm + `Content-Type: application/msrtc-category-publish+xml
Content-Length: {length}

<publish xmlns="http://schemas.microsoft.com/2006/09/sip/rich-presence"><publications uri="sip:kenmyer@litwareinc.com"><publication categoryName="device" {body}</publications></publish>
`

	realmAndTarget = `realm="SIP Communications Service", targetname="atl-cs-001.litwareinc.com"`
	clientHello    = `Authorization: TLS-DSK qop="auth", ` + realmAndTarget + `, gssapi-data="{flight}", version=4
`
	clientFlight = `Authorization: TLS-DSK qop="auth", opaque="{association}", ` + realmAndTarget + `, gssapi-data="{flight}", version=4
`
	firstSigned = `Authorization: TLS-DSK qop="auth", opaque="{association}", ` + realmAndTarget + `, version=4, crand="{crand}", cnum="1", response="{response}"
`
	signedForm = `Authorization: TLS-DSK qop="auth", opaque="{association}", ` + realmAndTarget + `, crand="{crand}", cnum="{cnum}", response="{response}"
`

	provisioningBody = `Content-Type: application/vnd-microsoft-roaming-provisioning-v2+xml
Content-Length: {length}

<provisioningGroupList xmlns="http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"><provisioningGroup name="ServerConfiguration"/><provisioningGroup name="endpointConfiguration"/><provisioningGroup name="ucPolicy"/><provisioningGroup name="locationPolicy"/><provisioningGroup name="mediaConfiguration"/></provisioningGroupList>
`
	// §5.3.1.
	selfBody = `Content-Type: application/vnd-microsoft-roaming-self+xml
Content-Length: {length}

<roamingList xmlns="http://schemas.microsoft.com/2006/09/sip/roaming-self"><roaming type="categories"/><roaming type="containers"/><roaming type="subscribers"/></roamingList>
`
)

// endpoint is what an epid makes (sip.md §4.3, §4.4).
type endpoint struct{ epid, uuid, gruu string }

// endpoint takes the epid that the handset sends and derives the rest.
func (x *tapped) endpoint() endpoint {
	x.t.Helper()
	for _, m := range x.sip() {
		if _, epid, ok := strings.Cut(m.value("From"), ";epid="); ok {
			ns, _ := hex.DecodeString("03fbacfc738aef4691b1e5ebeeaba4fe")
			sum := sha1.Sum(append(ns, epid...))
			d := sum[:16]
			d[7], d[8] = d[7]&0x0f|0x50, d[8]&0x3f|0x80
			uuid := fmt.Sprintf("%x%x%x%x-%x%x-%x%x-%x-%x", d[3:4], d[2:3], d[1:2], d[:1], d[5:6], d[4:5], d[7:8], d[6:7], d[8:10], d[10:])
			return endpoint{epid, uuid, "sip:kenmyer@litwareinc.com;opaque=user:epid:" + base64.RawURLEncoding.EncodeToString(append(d, 0, 0)) + ";gruu"}
		}
	}
	x.t.Fatal("no epid was sent")
	return endpoint{}
}

// sip is what the handset sent to registrars, in order.
func (x *tapped) sip() []message {
	x.t.Helper()
	var out []message
	for _, c := range x.tap.connections() {
		if c.to.Port() == 5061 {
			out = append(out, x.messagesOf(c)...)
		}
	}
	return out
}

// holdSIP holds each message to the registrar, in the order of sip.md §1.1, §5.1 and §5.4.
func (x *tapped) holdSIP() {
	x.t.Helper()
	e := x.endpoint()
	f := &forms{x.t, map[string]string{"epid": e.epid, "gruu": e.gruu, "instance": strings.ToUpper(e.uuid)}}
	register := func(n int, extra string) string { return fmt.Sprintf(registerForm, n, extra) }
	want := []struct{ what, form, dialog string }{
		{"REGISTER #1", register(1, ""), "registration"},
		{"REGISTER #2", register(2, clientHello), "registration"},
		{"REGISTER #3", register(3, clientFlight), "registration"},
		{"REGISTER #4", register(4, firstSigned), "registration"},
		{"SUBSCRIBE to provisioning", fmt.Sprintf(subscribeForm, "provisioning-v2", "provisioning-v2", "Expires: 0\n"+signedForm+provisioningBody), ""},
		{"SUBSCRIBE to contacts", fmt.Sprintf(subscribeForm, "roaming-contacts", "contacts", signedForm+"Content-Length: 0\n"), "contacts"},
		{"SUBSCRIBE to self", fmt.Sprintf(subscribeForm, "roaming-self", "self", signedForm+selfBody), "self"},
		{"SERVICE", publishForm, ""},
		{"keep-alive", "\n", ""},
		{"SUBSCRIBE that renews contacts", fmt.Sprintf(resubscribeForm, "roaming-contacts", "contacts", signedForm+"Content-Length: 0\n"), "contacts"},
		{"SUBSCRIBE that renews self", fmt.Sprintf(resubscribeForm, "roaming-self", "self", signedForm+selfBody), "self"},
		{"REGISTER that refreshes", register(5, signedForm), "registration"}, // §8.10
		{"un-SUBSCRIBE of contacts", fmt.Sprintf(unsubscribeForm, "contacts"), "contacts"},
		{"un-SUBSCRIBE of self", fmt.Sprintf(unsubscribeForm, "self"), "self"},
		{"REGISTER with Expires 0", register(6, "Expires: 0\n"+signedForm), "registration"},
	}
	got := x.sip()
	if len(got) != len(want) {
		x.t.Fatalf("%d SIP messages, want %d", len(got), len(want))
	}
	dialogs := map[string][2]string{} // tag and Call-ID, each one's own
	seen := map[string]string{}
	cnum := 0
	for i, m := range got {
		w := want[i]
		if m.head == nil && w.what == "keep-alive" {
			continue
		}
		delete(f.values, "tag")
		delete(f.values, "call-id")
		if d, ok := dialogs[w.dialog]; ok {
			f.values["tag"], f.values["call-id"] = d[0], d[1]
		}
		if strings.Contains(w.form, `cnum="`) {
			cnum++
			f.values["cnum"] = fmt.Sprint(cnum)
		}
		f.hold(w.what, w.form, m.plain(), "length", "flight", "crand", "response", "body", "to-tag")
		tag, id := f.values["tag"], f.values["call-id"]
		if earlier, ok := seen[id]; ok && (w.dialog == "" || earlier != w.dialog) {
			x.t.Errorf("%s has the Call-ID of %q", w.what, earlier)
		}
		seen[id] = w.dialog
		if w.dialog != "" {
			dialogs[w.dialog] = [2]string{tag, id}
		}
	}
}
