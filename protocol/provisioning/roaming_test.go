package provisioning_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/provisioning"
)

// The bodies of a real sign-in of pidgin-sipe (sip.md §5.3.1).
const (
	contactList = `<contactList deltaNum="1"><group id="1" name="~" externalURI=""/></contactList>`
	roamingList = `<roamingList xmlns="http://schemas.microsoft.com/2006/09/sip/roaming-self"><roaming type="categories"/><roaming type="containers"/><roaming type="subscribers"/></roamingList>`
	roamingData = `<roamingData xmlns="http://schemas.microsoft.com/2006/09/sip/roaming-self"><categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories" uri="sip:user1@lab.test"/><containers xmlns="http://schemas.microsoft.com/2006/09/sip/containers"/><subscribers xmlns="http://schemas.microsoft.com/2006/09/sip/presence-subscribers"/></roamingData>`
	containers  = `<setContainerMembers xmlns="http://schemas.microsoft.com/2006/09/sip/container-management"><container id="200" version="0"><member action="add" type="sameEnterprise"/></container><container id="100" version="0"><member action="add" type="federated"/></container></setContainerMembers>`
	publish     = `<publish xmlns="http://schemas.microsoft.com/2006/09/sip/rich-presence"><publications uri="sip:user1@lab.test"><publication categoryName="device" instance="3662149179" container="2" version="0" expireType="endpoint"><device xmlns="http://schemas.microsoft.com/2006/09/sip/device" endpointId="a0c0ec03-d891-500d-9f69-e02230202db1"><capabilities preferred="false" uri="sip:user1@lab.test"><text capture="true" render="true" publish="false"/><voice capture="true" render="true" publish="false"/></capabilities><timezone>00:00:00+01:00</timezone><machineName>vm</machineName></device></publication><publication categoryName="state" instance="1034190691" container="2" version="0" expireType="endpoint"><state xmlns="http://schemas.microsoft.com/2006/09/sip/state" manual="false" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="machineState"><availability>3500</availability><endpointLocation/></state></publication></publications></publish>`
	// userProperties: path and attribute of sip.md §5.3.1, the type Uc inferred there.
	selfWithLine = `<roamingData xmlns="http://schemas.microsoft.com/2006/09/sip/roaming-self"><categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories" uri="sip:kenmyer@litwareinc.com"><category name="userProperties" instance="0" container="1" version="3" publishTime="2013-05-01T09:00:00"><userProperties><lines><line lineType="Rcc">tel:+12065551200</line><line lineType="Uc">tel:+12065551219;ext=1219</line></lines></userProperties></category><category name="state" instance="536870912" container="2" version="7"><state/></category></categories><containers xmlns="http://schemas.microsoft.com/2006/09/sip/containers"><container id="200" version="1"><member type="sameEnterprise"/></container></containers><subscribers xmlns="http://schemas.microsoft.com/2006/09/sip/presence-subscribers"/></roamingData>`
	wrongDelta   = `<Fault><Faultcode>Client.BadCall.WrongDelta</Faultcode><details><operation index="2" curVersion="9"/></details></Fault>`
)

// bothWays parses text to want and writes want as text.
func bothWays[T interface {
	Append([]byte) ([]byte, error)
}](t *testing.T, text string, want T, parse func([]byte) (T, error),
) {
	t.Helper()
	got, err := parse([]byte(text))
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("read: %v\n%s", err, cmp.Diff(want, got))
	}
	written, err := want.Append([]byte("before"))
	if err != nil || cmp.Diff("before"+text, string(written)) != "" {
		t.Errorf("written: %v\n%s", err, cmp.Diff("before"+text, string(written)))
	}
}

func TestContacts(t *testing.T) {
	bothWays(t, contactList, provisioning.Contacts{DeltaNum: 1, Groups: []provisioning.ContactGroup{provisioning.NoGroup}}, provisioning.ParseContacts)
	if _, err := (provisioning.Contacts{}).Append(nil); !errors.Is(err, provisioning.ErrMalformed) {
		t.Errorf("deltaNum 0: %v", err)
	}
}

func TestSelfRequest(t *testing.T) {
	types, err := provisioning.ParseSelfRequest([]byte(roamingList))
	if err != nil || cmp.Diff([]string{"categories", "containers", "subscribers"}, types) != "" {
		t.Errorf("%v %v", types, err)
	}
	text, err := provisioning.SelfRequest{}.Append(nil)
	if err != nil || string(text) != roamingList {
		t.Errorf("%v %s", err, text)
	}
}

func TestSelf(t *testing.T) {
	bothWays(t, roamingData, provisioning.Self{URI: "sip:user1@lab.test"}, provisioning.ParseSelf)
	self := provisioning.Self{
		URI: "sip:kenmyer@litwareinc.com",
		Categories: []provisioning.Category{
			{
				Name: "userProperties", Container: 1, Version: 3, Attrs: []provisioning.Attr{{Name: "publishTime", Value: "2013-05-01T09:00:00"}},
				Lines: []provisioning.Line{{Type: "Rcc", URI: "tel:+12065551200"}, {Type: "Uc", URI: "tel:+12065551219;ext=1219"}},
			},
			{Name: "state", Instance: 536870912, Container: 2, Version: 7, Content: []provisioning.Element{{Name: "state"}}},
		},
		Containers: []provisioning.Container{{ID: 200, Version: 1, Members: []provisioning.Member{{Container: 200, Type: "sameEnterprise", Version: 1}}}},
	}
	bothWays(t, selfWithLine, self, provisioning.ParseSelf)
	if got := self.LineURI(); got != "tel:+12065551219;ext=1219" {
		t.Errorf("line %q", got)
	}
	if got := self.Version("state", 536870912, 2); got != 7 {
		t.Errorf("version %d", got)
	}
	if got := self.Version("state", 536870912, 3); got != 0 {
		t.Errorf("version of what there is not: %d", got)
	}
	self.Categories[0].Lines = self.Categories[0].Lines[:1]
	if got := self.LineURI(); got != "tel:+12065551200" {
		t.Errorf("without a line of type Uc: %q", got)
	}
	if got := (provisioning.Self{}).LineURI(); got != "" {
		t.Errorf("without lines: %q", got)
	}
}

func TestContainerMembers(t *testing.T) {
	want := []provisioning.Member{
		{Container: 200, Action: "add", Type: "sameEnterprise"},
		{Container: 100, Action: "add", Type: "federated"},
	}
	got, err := provisioning.ParseContainerMembers([]byte(containers))
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	text, err := provisioning.AppendContainerMembers(nil, want)
	if err != nil || string(text) != containers {
		t.Errorf("%v\n%s", err, cmp.Diff(containers, string(text)))
	}
}

func TestPublications(t *testing.T) {
	p, err := provisioning.ParsePublications([]byte(publish))
	if err != nil {
		t.Fatal(err)
	}
	device, state := p.List[0], p.List[1]
	if p.URI != "sip:user1@lab.test" || device.Category != "device" || device.Instance != 3662149179 || device.Container != 2 ||
		device.ExpireType != "endpoint" || state.Category != "state" || state.Instance != 1034190691 {
		t.Errorf("%+v", p)
	}
	text, err := p.Append(nil)
	if err != nil || cmp.Diff(publish, string(text)) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(publish, string(text)))
	}
	p.List[0].Content = []provisioning.Element{{Name: "<device>"}}
	if _, err := p.Append(nil); !errors.Is(err, provisioning.ErrMalformed) {
		t.Errorf("content that is no XML: %v", err)
	}
}

// The instance of a machine state is 3 and the first seven digits of the device's: da47f63b and 3da47f63 in sipe's
// sign-in. Versions are those that roaming-self told.
func TestPhonePublications(t *testing.T) {
	const sip, endpoint = "sip:kenmyer@litwareinc.com", "da47f63b-d891-500d-9f69-e02230202db1"
	self := provisioning.Self{Categories: []provisioning.Category{{Name: "state", Instance: 0x20000000, Container: 3, Version: 4}}}
	p := provisioning.PhonePublications(sip, endpoint, "CX600", self)
	var got []string
	for _, one := range p.List {
		got = append(got, one.Category+" "+one.ExpireType)
		if want := map[bool]int{true: 4}[one.Instance == 0x20000000 && one.Container == 3]; one.Version != want {
			t.Errorf("%+v: version, want %d", one, want)
		}
	}
	want := []string{"device endpoint", "state endpoint", "state endpoint", "state static", "state static"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p.List[0].Instance != 3662149179 || p.List[1].Instance != 1034190691 {
		t.Errorf("instances %d and %d, want sipe's", p.List[0].Instance, p.List[1].Instance)
	}
	text, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := provisioning.ParsePublications(text); err != nil || cmp.Diff(p, again) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(p, again))
	}
	for _, uuid := range []string{"", "short", "zzzzzzzz-d891-500d-9f69-e02230202db1"} {
		if n := provisioning.PhonePublications(sip, uuid, "", self).List[0].Instance; n != 0 {
			t.Errorf("endpoint %q gives instance %d", uuid, n)
		}
	}
}

func TestFault(t *testing.T) {
	fault := provisioning.Fault{Code: provisioning.WrongVersion, Operations: []provisioning.Operation{{Index: 2, CurrentVersion: 9}}}
	bothWays(t, wrongDelta, fault, provisioning.ParseFault)

	p := provisioning.Publications{List: []provisioning.Publication{{Category: "a", Version: 1}, {Category: "b", Version: 2}}}
	if err := p.Correct(fault); err != nil || p.List[0].Version != 1 || p.List[1].Version != 9 {
		t.Errorf("%v %+v", err, p)
	}
	for name, bad := range map[string]provisioning.Fault{
		"another code":  {Code: "Client.BadCall", Operations: fault.Operations},
		"no operation":  {Code: provisioning.WrongVersion},
		"publication 0": {Code: provisioning.WrongVersion, Operations: []provisioning.Operation{{Index: 1, CurrentVersion: 5}, {Index: 0}}},
		"publication 3": {Code: provisioning.WrongVersion, Operations: []provisioning.Operation{{Index: 3}}},
	} {
		if err := p.Correct(bad); !errors.Is(err, provisioning.ErrMalformed) || p.List[0].Version != 1 {
			t.Errorf("%s: %v %+v", name, err, p)
		}
	}
}
