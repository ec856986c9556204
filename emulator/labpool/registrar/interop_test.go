package registrar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/protocol/provisioning"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

func stateOf(text string) registrar.State { return registrar.State(text) }

const (
	provisioningEvent = "vnd-microsoft-provisioning-v2"
	contactsEvent     = "vnd-microsoft-roaming-contacts"
	selfEvent         = "vnd-microsoft-roaming-self"

	// sipe writes blanks between the elements.
	groupList  = ` <provisioningGroupList xmlns="http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"> <provisioningGroup name="ServerConfiguration"/> <provisioningGroup name="meetingPolicy"/> <provisioningGroup name="persistentChatConfiguration"/> <provisioningGroup name="ucPolicy"/></provisioningGroupList>`
	roaming    = `<roamingList xmlns="http://schemas.microsoft.com/2006/09/sip/roaming-self"><roaming type="categories"/><roaming type="containers"/><roaming type="subscribers"/></roamingList>`
	batch      = `<batchSub xmlns="http://schemas.microsoft.com/2006/01/sip/batch-subscribe" uri="sip:user1@lab.test" name=""><action name="subscribe" id="63792024"><adhocList><resource uri="sip:user2@lab.test"/></adhocList><categoryList xmlns="http://schemas.microsoft.com/2006/09/sip/categorylist"><category name="state"/></categoryList></action></batchSub>`
	containers = `<setContainerMembers xmlns="http://schemas.microsoft.com/2006/09/sip/container-management"><container id="200" version="0"><member action="add" type="sameEnterprise"/></container><container id="100" version="0"><member action="add" type="federated"/></container></setContainerMembers>`
	publish    = `<publish xmlns="http://schemas.microsoft.com/2006/09/sip/rich-presence"><publications uri="sip:user1@lab.test"><publication categoryName="device" instance="3662149179" container="2" version="0" expireType="endpoint"><device xmlns="http://schemas.microsoft.com/2006/09/sip/device" endpointId="a0c0ec03-d891-500d-9f69-e02230202db1"><capabilities preferred="false" uri="sip:user1@lab.test"><text capture="true" render="true" publish="false"/></capabilities><timezone>00:00:00+01:00</timezone><machineName>vm</machineName></device></publication><publication categoryName="state" instance="1034190691" container="2" version="0" expireType="endpoint"><state xmlns="http://schemas.microsoft.com/2006/09/sip/state" manual="false" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="machineState"><availability>3500</availability><endpointLocation/></state></publication><publication categoryName="state" instance="536870912" container="2" version="0" expireType="static"><state xmlns="http://schemas.microsoft.com/2006/09/sip/state" manual="true"><availability>3500</availability></state></publication></publications></publish>`
)

func provisioningRequest(s *sipe) *sipmessage.Message {
	return s.subscribe(provisioningEvent, provisioning.TypeProvisioning, groupList, expires("0"))
}

func contactsRequest(s *sipe) *sipmessage.Message {
	return s.subscribe(contactsEvent, provisioning.TypeContacts, "", sipmessage.Header{Name: "Supported", Value: "ms-ucs"})
}

func selfRequest(s *sipe) *sipmessage.Message {
	return s.subscribe(selfEvent, provisioning.TypeSelf, roaming)
}

// want200 is call for a request that must be accepted.
func (s *sipe) want200(m *sipmessage.Message) *sipmessage.Message {
	s.Helper()
	answer := s.call(s.sign(m))
	if answer.Status != 200 {
		s.Fatalf("%s %s: %d %s\n%s", m.Method, m.Get("Event"), answer.Status, answer.Reason, s.log())
	}
	return answer
}

// TestSipeSignsIn walks the list of sip.md §7.3; the numbers are its rows.
func TestSipeSignsIn(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connect(user1, sipeEPID)

		// 1 and 2: REGISTER without credentials, twice: the second after the web services, CSeq 3.
		for range 2 {
			p, err := challenge(s.call(s.register()))
			s.must(err)
			if p.STSURI != stsURI || p.TargetName != host || p.Version != "4" {
				t.Errorf("challenge %+v", p)
			}
			s.cseq++
		}
		// 3 to 5: the handshake and the signed REGISTER.
		answer := s.mustSignOn()
		if got := answer.Get("Expires"); got != "600" {
			t.Errorf("Expires %q, want 600", got)
		}
		if s.gruu != "sip:user1@lab.test;opaque=user:epid:A-zAoJHYDVCfaeAiMCAtsQAA;gruu" {
			t.Errorf("gruu %q", s.gruu)
		}
		for _, tag := range []string{"msrtc-event-categories", "adhoclist"} {
			if !hasValue(answer, "Supported", tag) {
				t.Errorf("no line Supported: %s", tag)
			}
		}
		events := strings.Split(answer.Get("Allow-Events"), ",")

		// 6 to 8: each subscription is sent only if Allow-Events lists it, blanks counted.
		var bodies []string
		for _, m := range []*sipmessage.Message{contactsRequest(s), provisioningRequest(s), selfRequest(s)} {
			event := m.Get("Event")
			if !contains(events, event) {
				t.Fatalf("Allow-Events %q lacks %s", events, event)
			}
			answer := s.open(m)
			if answer.Status != 200 || answer.Get("Event") != event || answer.Get("ms-piggyback-cseq") != "1" {
				t.Fatalf("%s: %d, Event %q, ms-piggyback-cseq %q\n%s", event, answer.Status, answer.Get("Event"), answer.Get("ms-piggyback-cseq"), l.log())
			}
			bodies = append(bodies, string(answer.Body))
		}
		delete(s.dialog, provisioningEvent) // terminated;expires=0
		if want := `<contactList deltaNum="1">`; !strings.HasPrefix(bodies[0], want) {
			t.Errorf("roaming-contacts %q, want %s…", bodies[0], want)
		}
		for _, part := range []string{"<categories", "<containers", "<subscribers"} {
			if !strings.Contains(bodies[2], part) {
				t.Errorf("roaming-self lacks %s: %s", part, bodies[2])
			}
		}
		// 9: conferencing, 10: ocschat. Any signed final will do; the lab says 404.
		cccp := s.other("SERVICE", "application/cccp+xml", "<request><getConferencingCapabilities/></request>")
		ocschat := s.request("INVITE", "sip:ocschat@lab.test", "<sip:ocschat@lab.test>", randomText(16), 1)
		ocschat.Add("Content-Length", "0")
		for _, m := range []*sipmessage.Message{cccp, ocschat} {
			if answer := s.call(s.sign(m)); answer.Status != 404 {
				t.Errorf("%s: %d, want 404", m.Method, answer.Status)
			}
		}
		ack := s.request("ACK", "sip:ocschat@lab.test", "<sip:ocschat@lab.test>", ocschat.CallID(), 1)
		ack.Add("Content-Length", "0")
		s.must(s.conn.Send(s.sign(ack)))
		// 11 and 12: containers and publication.
		s.want200(s.other("SERVICE", provisioning.TypeContainers, containers))
		answer = s.want200(s.other("SERVICE", provisioning.TypePublish, publish))
		self, err := provisioning.ParseSelf(answer.Body)
		s.must(err)
		if v := self.Version("device", 3662149179, 2); v != 1 || len(self.Categories) != 3 {
			t.Errorf("device has version %d of %d categories, want 1 of 3", v, len(self.Categories))
		}
		// 13: presence of all contacts in one SUBSCRIBE, once there are contacts.
		s.open(s.subscribe("presence", "application/msrtc-event-categories+xml, application/xpidf+xml, text/xml+msrtc.pidf, application/pidf+xml, application/rlmi+xml, multipart/related",
			batch, sipmessage.Header{Name: "Require", Value: "adhoclist, categoryList"}, sipmessage.Header{Name: "Supported", Value: "eventlist"}))
		if s.dialog["presence"] == nil {
			t.Errorf("presence was refused\n%s", l.log())
		}
		// Keep-alive at 60 s, refresh at Expires - 30, subscriptions renewed at Expires - 120.
		time.Sleep(60 * time.Second)
		s.must(s.conn.KeepAlive())
		time.Sleep(420 * time.Second)
		for event := range s.dialog {
			s.want200(s.within(event, 2))
		}
		time.Sleep(90 * time.Second)
		answer = s.refresh()
		if got := answer.Get("presence-state"); answer.Status != 200 || !strings.HasPrefix(got, `register-action="refreshed"`) {
			t.Errorf("refresh: %d, presence-state %q", answer.Status, got)
		}
		// 14: sign-out.
		s.signOff()
		s.await(s.soon(), "signed-off")
	})
}

func hasValue(m *sipmessage.Message, name, value string) bool { return contains(m.Values(name), value) }

func contains(list []string, want string) bool {
	for _, one := range list {
		if one == want {
			return true
		}
	}
	return false
}

// TestSipeExtremes are the verified extremes of sip.md §7.3.
func TestSipeExtremes(t *testing.T) {
	others := func(s *sipe) []*sipmessage.Message {
		return []*sipmessage.Message{contactsRequest(s), provisioningRequest(s), selfRequest(s), s.other("SERVICE", provisioning.TypePublish, publish)}
	}
	t.Run("everything but REGISTER is 405", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.signOnAs(user1, sipeEPID)
			for _, m := range others(s) {
				if answer := s.call(s.sign(m)); answer.Status != 405 {
					t.Errorf("%s: %d", m.Method, answer.Status)
				}
			}
			if answer := s.refresh(); answer.Status != 200 {
				t.Errorf("refresh: %d", answer.Status)
			}
		}, withFaults("provision=405"))
	})
	t.Run("bare 200", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.signOnAs(user1, sipeEPID)
			for _, m := range others(s) {
				if answer := s.call(s.sign(m)); answer.Status != 200 || len(answer.Body) != 0 {
					t.Errorf("%s: %d, %d bytes", m.Method, answer.Status, len(answer.Body))
				}
			}
		}, withFaults("provision=empty"))
	})
	t.Run("no Allow-Events", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.connect(user1, sipeEPID)
			if answer := s.mustSignOn(); answer.Get("Allow-Events") != "" {
				t.Errorf("Allow-Events %q", answer.Get("Allow-Events"))
			}
		}, withFaults("register=no-events"))
	})
	t.Run("unsigned answers", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.signOnAs(user1, sipeEPID)
			for _, m := range others(s) {
				if _, err := s.try(s.sign(m)); err == nil || !strings.Contains(err.Error(), "not signed") {
					t.Errorf("%s: %v, want an answer without a signature", m.Method, err)
				}
			}
			if answer := s.refresh(); answer.Status != 200 {
				t.Errorf("refresh: %d", answer.Status)
			}
		}, withFaults("provision=unsigned"))
	})
	t.Run("one bad signature", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.connect(user1, sipeEPID)
			s.must(asError(s.associate()))
			if _, err := s.try(s.sign(s.register())); err == nil || !strings.Contains(err.Error(), "invalid message signature") {
				t.Errorf("%v, want a bad signature", err)
			}
		}, withFaults("register=bad-rspauth"))
	})
}

func asError(m *sipmessage.Message) error {
	if m == nil {
		return nil
	}
	return &answered{m}
}

type answered struct{ m *sipmessage.Message }

func (a *answered) Error() string { return a.m.Reason }
