package format_test

import (
	"testing"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/scenarios/format"
)

func TestSelector(t *testing.T) {
	for text, want := range map[string]bool{
		"sent sip REGISTER": true, "sent sip REGISTER 1": false, "sent sip REGISTER 12": true, "sent sip": true, "sent sip REGISTER 12, Expires 0": true,
		"sent sip REGISTER 13": false, "sent sip REG": false, "received sip REGISTER": false, "sent http REGISTER": false,
	} {
		s, err := format.ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Matches(timeline.Observation{Kind: timeline.Sent, Protocol: "sip", Text: "REGISTER 12, Expires 0"}); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	s, err := format.ParseSelector("sent http GET /CertProv")
	if err != nil || !s.Matches(timeline.Observation{Kind: timeline.Sent, Protocol: "http", Text: "GET /CertProv/CertProvisioningService.svc/mex"}) {
		t.Errorf("a path is not found by its beginning, %v", err)
	}
	for _, text := range []string{"", "sent", "sees sip REGISTER", "sent smtp HELO"} {
		if _, err := format.ParseSelector(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
