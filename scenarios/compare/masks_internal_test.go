package compare

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/emulator/exchange"
)

func TestMasks(t *testing.T) {
	masks, err := parseMasks("m.yaml", []byte(`masks:
  - {protocol: sip, field: Contact, part: ':(\d+);', why: port}
  - {field: Date, why: date}
  - {protocol: sip, message: 'OPTIONS \d+', why: not ours}
  - {protocol: dns, state: PoolDiscover, optional: true, why: race}
  - {protocol: sip, field: X-.*, optional: true, why: sometimes}
`))
	if err != nil {
		t.Fatal(err)
	}
	sip := func(kind string, fields ...exchange.Field) exchange.Message {
		return exchange.Message{Sent: true, Protocol: "sip", Kind: kind, Fields: fields}
	}
	a := []exchange.Message{
		sip("REGISTER 1", exchange.Field{Name: "Contact", Value: "<sip:1.2.3.4:50;tls>"}, exchange.Field{Name: "Date", Value: "a"}, exchange.Field{Name: "X-One", Value: "1"}),
		sip("OPTIONS 7"),
		{Protocol: "dns", State: "PoolDiscover", Kind: "answer to A x: Success"},
	}
	for name, test := range map[string]struct {
		b    []exchange.Message
		want []string
	}{
		"all that may differ": {[]exchange.Message{
			sip("REGISTER 1", exchange.Field{Name: "Contact", Value: "<sip:1.2.3.4:6000;tls>"}, exchange.Field{Name: "Date", Value: "b"}),
		}, nil},
		"what may not": {[]exchange.Message{
			sip("REGISTER 1", exchange.Field{Name: "Contact", Value: "<sip:1.2.3.5:6000;tls>"}, exchange.Field{Name: "X-One", Value: "2"}),
		}, []string{
			`Contact is "<sip:1.2.3.4:…;tls>" in A, "<sip:1.2.3.5:…;tls>" in B`, `Date is missing in B: "…" in A`, `X-One is "1" in A, "2" in B`,
		}},
	} {
		var got []string
		for _, d := range Compare(a, test.b, masks) {
			got = append(got, d.Sentence())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	if got := len(masks.Apply(a)); got != 2 {
		t.Errorf("%d messages are left, want 2", got)
	}
}
