package provisioning_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/provisioning"
)

// sip.md §8.9, request and answer.
const (
	groupRequest = `<provisioningGroupList xmlns="http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"><provisioningGroup name="ServerConfiguration"/><provisioningGroup name="endpointConfiguration"/><provisioningGroup name="ucPolicy"/><provisioningGroup name="locationPolicy"/><provisioningGroup name="mediaConfiguration"/></provisioningGroupList>`

	groups = `<provisionGroupList xmlns="http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification">
 <provisionGroup name="ServerConfiguration">
  <ucEnforcePinLock>true</ucEnforcePinLock><ucMinPinLength>6</ucMinPinLength><ucPhoneTimeOut>10</ucPhoneTimeOut>
  <ucExchangeMWIPoll>3</ucExchangeMWIPoll><ucEnableSIPSecurityMode>High</ucEnableSIPSecurityMode>
  <ucVoice802_1p>0</ucVoice802_1p><ucDiffServVoice>40</ucDiffServVoice><loggingLevel>Medium</loggingLevel>
  <updatesServerEnabled>true</updatesServerEnabled>
  <updatesServerInternalURL>https://pool.lab.test:443/RequestHandler/ucdevice.upx</updatesServerInternalURL>
  <absInternalServerUrl>https://pool.lab.test:443/abs/handler</absInternalServerUrl>
  <dlxInternalUrl>https://pool.lab.test:443/groupexpansion/service.svc</dlxInternalUrl>
  <lisInternalUrl>https://pool.lab.test:443/locationinformation/liservice.svc</lisInternalUrl>
  <voicemailUri>sip:user1@lab.test;opaque=app:voicemail</voicemailUri>
 </provisionGroup>
 <provisionGroup name="locationPolicy"><propertyEntryList><property name="EnhancedEmergencyServicesEnabled">false</property></propertyEntryList></provisionGroup>
</provisionGroupList>`
)

// compact takes the white space out that stands between elements.
func compact(document string) string {
	var b strings.Builder
	for line := range strings.Lines(document) {
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}

func TestGroupRequest(t *testing.T) {
	want := provisioning.GroupRequest{
		Groups: []string{"ServerConfiguration", "endpointConfiguration", "ucPolicy", "locationPolicy", "mediaConfiguration"},
	}
	got, err := provisioning.ParseGroupRequest([]byte(groupRequest))
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	text, err := want.Append([]byte("before"))
	if err != nil || cmp.Diff("before"+groupRequest, string(text)) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff("before"+groupRequest, string(text)))
	}

	want.Subnet = "10.0.0.0"
	text, err = want.Append(nil)
	if err != nil || !strings.Contains(string(text), `provisioninggrouplist" subnet="10.0.0.0">`) {
		t.Errorf("%v %s", err, text)
	}
	if got, err = provisioning.ParseGroupRequest(text); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

func TestGroups(t *testing.T) {
	want := provisioning.Configuration{
		EnforcePINLock: true, MinPINLength: 6, PhoneTimeout: 10 * time.Minute, CalendarPoll: 3 * time.Minute, SecurityMode: "High",
		VoiceDiffServ: 40, LoggingLevel: "Medium", UpdatesEnabled: true,
		UpdatesInternalURL: "https://pool.lab.test:443/RequestHandler/ucdevice.upx",
		ABSInternalURL:     "https://pool.lab.test:443/abs/handler",
		DLXInternalURL:     "https://pool.lab.test:443/groupexpansion/service.svc",
		LISInternalURL:     "https://pool.lab.test:443/locationinformation/liservice.svc",
		VoicemailURI:       "sip:user1@lab.test;opaque=app:voicemail",
	}
	read, err := provisioning.ParseGroups([]byte(groups))
	if err != nil {
		t.Fatal(err)
	}
	got, err := read.Configuration()
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	location := provisioning.Group{
		Name: "locationPolicy", Shape: provisioning.List,
		Properties: []provisioning.Property{{Name: "EnhancedEmergencyServicesEnabled", Value: "false"}},
	}
	if diff := cmp.Diff(location, read.Groups[1]); diff != "" {
		t.Error(diff)
	}

	location.Shape = "" // the documented one of its name
	text, err := provisioning.Groups{Groups: []provisioning.Group{
		{Name: provisioning.ServerConfiguration, Properties: want.Properties()}, location,
	}}.Append(nil)
	if err != nil || cmp.Diff(compact(groups), string(text)) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(compact(groups), string(text)))
	}
}

// The three shapes of a group (sip.md §5.3), and what fits none of them.
func TestShapes(t *testing.T) {
	const head = `<provisionGroupList xmlns="http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification">`
	flag := []provisioning.Property{{Name: "a", Value: "1"}}
	for _, c := range []struct {
		group provisioning.Group
		text  string
	}{
		{provisioning.Group{Name: "ServerConfiguration", Properties: flag}, `<provisionGroup name="ServerConfiguration"><a>1</a></provisionGroup>`},
		{provisioning.Group{Name: "ucPolicy", Properties: flag}, `<provisionGroup name="ucPolicy"><instance><property name="a">1</property></instance></provisionGroup>`},
		{provisioning.Group{Name: "endpointConfiguration", Properties: flag}, `<provisionGroup name="endpointConfiguration"><propertyEntryList><property name="a">1</property></propertyEntryList></provisionGroup>`},
		{provisioning.Group{Name: "presencePolicyV2", Properties: flag, Shape: provisioning.Plain}, `<provisionGroup name="presencePolicyV2"><a>1</a></provisionGroup>`},
		{
			provisioning.Group{Name: "other", Shape: provisioning.Plain, Unknown: []provisioning.Element{{Name: "x", Children: []provisioning.Element{{Name: "y"}}}}},
			`<provisionGroup name="other"><x><y/></x></provisionGroup>`,
		},
	} {
		text, err := provisioning.Groups{Groups: []provisioning.Group{c.group}}.Append(nil)
		if want := head + c.text + "</provisionGroupList>"; err != nil || string(text) != want {
			t.Errorf("%v\n%s\nwant\n%s", err, text, want)
		}
		read, err := provisioning.ParseGroups([]byte(head + c.text + "</provisionGroupList>"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := read.Append(nil)
		if err != nil || string(again) != string(text) {
			t.Errorf("%v\n%s\nbecomes\n%s", err, text, again)
		}
	}
}

// Ranges of Set-CsUCPhoneConfiguration (handset.md §4): what is inside is taken, what is one over is refused by name.
func TestConfigurationRanges(t *testing.T) {
	for _, c := range []struct {
		key, value string
		ok         bool
	}{
		{"ucEnforcePinLock", "FALSE", true},
		{"ucEnforcePinLock", "yes", false},
		{"ucMinPinLength", "4", true},
		{"ucMinPinLength", "15", true},
		{"ucMinPinLength", "3", false},
		{"ucMinPinLength", "16", false},
		{"ucPhoneTimeOut", "0", true},
		{"ucPhoneTimeOut", "60", true},
		{"ucPhoneTimeOut", "61", false},
		{"ucPhoneTimeOut", "10m", false},
		{"ucEnableSIPSecurityMode", "medium", true},
		{"ucEnableSIPSecurityMode", "None", false},
		{"ucVoice802_1p", "7", true},
		{"ucVoice802_1p", "8", false},
		{"ucDiffServVoice", "63", true},
		{"ucDiffServVoice", "64", false},
		{"ucDiffServVoice", "-1", false},
		{"loggingLevel", "High", true},
		{"loggingLevel", "Verbose", false},
		{"UCMINPINLENGTH", "5", true}, // sources differ in case
		{"somethingElse", "anything", true},
	} {
		g := provisioning.Groups{Groups: []provisioning.Group{{
			Name: provisioning.ServerConfiguration, Properties: []provisioning.Property{{Name: c.key, Value: c.value}},
		}}}
		_, err := g.Configuration()
		if (err == nil) != c.ok || err != nil && (!errors.Is(err, provisioning.ErrMalformed) || !strings.Contains(err.Error(), c.key)) {
			t.Errorf("%s %s: %v", c.key, c.value, err)
		}
	}
	twice := provisioning.Groups{Groups: []provisioning.Group{{
		Name:       provisioning.ServerConfiguration,
		Properties: []provisioning.Property{{Name: "loggingLevel", Value: "Off"}, {Name: "loggingLevel", Value: "High"}},
	}}}
	if _, err := twice.Configuration(); !errors.Is(err, provisioning.ErrMalformed) {
		t.Errorf("a key that stands twice: %v", err)
	}
	got, err := provisioning.Groups{}.Configuration()
	if err != nil || cmp.Diff(provisioning.Defaults(), got) != "" {
		t.Errorf("without the group: %v\n%s", err, cmp.Diff(provisioning.Defaults(), got))
	}
}

// What Properties writes is what Configuration reads; what it cannot read again is refused there.
func TestConfigurationRoundTrip(t *testing.T) {
	c := provisioning.Defaults()
	c.EnforcePINLock, c.PhoneTimeout, c.Unknown = false, 0, []provisioning.Property{{Name: "qosEnabled", Value: "false"}}
	read := func(c provisioning.Configuration) (provisioning.Configuration, error) {
		return provisioning.Groups{Groups: []provisioning.Group{{Name: provisioning.ServerConfiguration, Properties: c.Properties()}}}.Configuration()
	}
	got, err := read(c)
	if err != nil || cmp.Diff(c, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(c, got))
	}
	c.PhoneTimeout = 90 * time.Second
	if _, err := read(c); !errors.Is(err, provisioning.ErrMalformed) {
		t.Errorf("half a minute: %v", err)
	}
}
