package registrar_test

import (
	"strings"

	"github.com/phone-edition/lpe/protocol/provisioning"
)

// wrongRequests are requests that are signed right.
var wrongRequests = map[string][]wrong{
	"register.event": {{"presence", func(l *lab) outcome { return signedOn(l).wrongRegister("Event", "presence") }, signed, nil}},
	"register.gruu-10": {{"without", func(l *lab) outcome {
		return signedOn(l).wrongRegister("Supported", "adhoclist, msrtc-event-categories")
	}, signed, nil}},
	"register.contact": {
		{"none", func(l *lab) outcome { s := signedOn(l); return s.send(s.sign(without(s.register(), "Contact"))) }, signed, nil},
		{"Expires", func(l *lab) outcome { return signedOn(l).wrongRegister("Expires", "soon") }, signed, nil},
	},
	"register.user": {{"removed", func(l *lab) outcome {
		s := l.connect(removed, sipeEPID)
		s.must(asError(s.associate()))
		return s.send(s.sign(s.register()))
	}, signed, nil}},
	"register.user-disabled": {{"disabled", func(l *lab) outcome {
		s := l.connect(disabled, sipeEPID)
		s.must(asError(s.associate()))
		return s.send(s.sign(s.register()))
	}, signed, nil}},
	"provision.event-package": {{"message-summary", func(l *lab) outcome {
		s := signedOn(l)
		return s.send(s.sign(s.subscribe("message-summary", "application/simple-message-summary", "")))
	}, signed, nil}},
	"provision.accept": {{"another type", func(l *lab) outcome {
		s := signedOn(l)
		m := provisioningRequest(s)
		m.Set("Accept", "application/vnd-microsoft-roaming-provisioning+xml")
		return s.send(s.sign(m))
	}, signed, nil}},
	"provision.dialog": {
		{"none", func(l *lab) outcome {
			s := signedOn(l)
			m := contactsRequest(s)
			m.Set("To", "<"+user1+">;tag=1")
			return s.send(s.sign(m))
		}, signed, nil},
		{"of another event", func(l *lab) outcome {
			s := signedOn(l)
			s.open(contactsRequest(s))
			m := s.within(contactsEvent, 2)
			m.Set("Event", "presence")
			return s.send(s.sign(m))
		}, signed, nil},
		{"of another tag", func(l *lab) outcome {
			s := signedOn(l)
			s.open(contactsRequest(s))
			m := s.within(contactsEvent, 2)
			m.Set("To", "<"+user1+">;tag=1")
			return s.send(s.sign(m))
		}, signed, nil},
		{"of another user on the same connection", func(l *lab) outcome {
			s := signedOn(l)
			s.open(contactsRequest(s))
			other := l.connect(user2, "a0ae9e6cb0")
			other.conn, other.raw = s.conn, s.raw
			other.mustSignOn()
			m := s.within(contactsEvent, 2)
			m.Set("From", "<"+user2+">;tag=1;epid=a0ae9e6cb0")
			m.Set("Contact", "<"+other.gruu+">")
			return other.send(other.sign(m))
		}, signed, nil},
		{"ended", func(l *lab) outcome {
			s := signedOn(l)
			s.open(contactsRequest(s))
			s.want200(s.within(contactsEvent, 2, expires("0")))
			return s.send(s.sign(s.within(contactsEvent, 3)))
		}, signed, nil},
	},
	"provision.body": {
		{"no group list", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.sign(s.subscribe(provisioningEvent, provisioning.TypeProvisioning, roaming, expires("0"))))
		}, signed, nil},
		{"no roaming list", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.sign(s.subscribe(selfEvent, provisioning.TypeSelf, "<roamingList")))
		}, signed, nil},
		{"no publications", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.sign(s.other("SERVICE", provisioning.TypePublish, containers)))
		}, signed, nil},
		{"no container members", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.sign(s.other("SERVICE", provisioning.TypeContainers, publish)))
		}, signed, nil},
	},
	"provision.content-type": {{"text", func(l *lab) outcome {
		s := signedOn(l)
		return s.send(s.sign(s.other("SERVICE", "text/plain", "hello")))
	}, signed, nil}},
	"provision.publisher": {{"another user", func(l *lab) outcome {
		s := signedOn(l)
		return s.send(s.sign(s.other("SERVICE", provisioning.TypePublish, strings.ReplaceAll(publish, `publications uri="sip:user1`, `publications uri="sip:user2`))))
	}, signed, nil}},
	"provision.version": {{"1 before there is one", func(l *lab) outcome {
		s := signedOn(l)
		return s.send(s.sign(s.other("SERVICE", provisioning.TypePublish, strings.Replace(publish, `version="0"`, `version="1"`, 1))))
	}, signed, nil}},
	"provision.publications": {{"257", func(l *lab) outcome {
		s := signedOn(l)
		p := provisioning.Publications{URI: user1}
		for i := range 257 {
			p.List = append(p.List, provisioning.Publication{Category: "note", Instance: uint32(i), Container: 2, ExpireType: "static"})
		}
		body, err := p.Append(nil)
		s.must(err)
		return s.send(s.sign(s.other("SERVICE", provisioning.TypePublish, string(body))))
	}, signed, nil}},
}
