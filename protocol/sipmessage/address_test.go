package sipmessage_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

func TestParseAddress(t *testing.T) {
	param := func(name, value string) sipmessage.Param { return sipmessage.Param{Name: name, Value: value} }
	for value, want := range map[string]sipmessage.Address{
		`<sip:user1@lab.test>`:                                {URI: "sip:user1@lab.test"},
		`<sip:user1@lab.test>;tag=c5e826a828;epid=a0ae9e6cb0`: {URI: "sip:user1@lab.test", Params: []sipmessage.Param{param("tag", "c5e826a828"), param("epid", "a0ae9e6cb0")}},
		`sip:user1@lab.test;tag=1`:                            {URI: "sip:user1@lab.test", Params: []sipmessage.Param{param("tag", "1")}},
		`sip:user1@lab.test`:                                  {URI: "sip:user1@lab.test"},
		`"Ken Myer" <sip:kenmyer@litwareinc.com> ; tag = 2`:   {Display: "Ken Myer", URI: "sip:kenmyer@litwareinc.com", Params: []sipmessage.Param{param("tag", "2")}},
		`Ken Myer <SIP:kenmyer@litwareinc.com>`:               {Display: "Ken Myer", URI: "SIP:kenmyer@litwareinc.com"},
		`"a \"quoted\" <sip:x>, and; \\" <sip:y>`:             {Display: `a "quoted" <sip:x>, and; \`, URI: "sip:y"},
		`<sip:u@d;gruu;opaque=app:conf:focus:id:1>`:           {URI: "sip:u@d;gruu;opaque=app:conf:focus:id:1"},
		`<sip:u@d>;proxy=replace;lr;methods="INVITE, ACK"`:    {URI: "sip:u@d", Params: []sipmessage.Param{param("proxy", "replace"), param("lr", ""), param("methods", "INVITE, ACK")}},
		`<sip:one>, <sip:two>;q=0.3`:                          {URI: "sip:one"},
	} {
		got, err := sipmessage.ParseAddress(value)
		if err != nil {
			t.Errorf("%s: %v", value, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", value, diff)
		}
	}
}

// A Director's redirect lists two Contacts (sip.md §4.6).
func TestParseAddresses(t *testing.T) {
	got, err := sipmessage.ParseAddresses(`<sip:fe01.lab.test:5061;transport=TLS>;q=0.7, <sip:fe02.lab.test:5061;transport=TLS>;q=0.3`)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if q, ok := got[1].Param("Q"); !ok || q != "0.3" || got[1].URI != "sip:fe02.lab.test:5061;transport=TLS" {
		t.Errorf("%+v", got[1])
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, value := range []string{"", "  ", "<>", `"open <sip:a>`, `<sip:a`, `>sip:a<`, `"Ken" sip:a`, `<sip:a>junk`, `;tag=1`, `"Ken"`} {
		if a, err := sipmessage.ParseAddress(value); !errors.Is(err, sipmessage.ErrMalformed) {
			t.Errorf("%q: %+v, %v", value, a, err)
		}
		if a, err := sipmessage.ParseAddresses("<sip:a>," + value); !errors.Is(err, sipmessage.ErrMalformed) {
			t.Errorf("list with %q: %+v, %v", value, a, err)
		}
	}
}
